package workflows

import (
	"errors"
	"hash/fnv"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Integration keeps one integration in sync until it is deleted. Input is
// {"project": …, "integration": …}; the integration must have been applied before,
// else the workflow fails and says so.
func Integration(ctx workflow.Context, p flow.IntegrationParams) error {
	if err := named(p.Project, p.Integration); err != nil {
		return err
	}
	ctx = onBehalf(ctx, p.Project)
	l := newLoop(ctx, p)
	if err := answerStatus(ctx, l.answer); err != nil {
		return err
	}
	if p.State == nil {
		// 1. Be found by name, and do not start all at once.
		if err := beFound(ctx, p.Project, p.Integration, l.state.Status); err != nil {
			return err
		}
		if err := workflow.Sleep(ctx, jitter(ctx)); err != nil {
			return err
		}
	}
	for {
		// 2. Hear what was signalled; what it says goes to PostgreSQL first.
		if err := l.absorb(ctx); err != nil {
			return err
		}
		// 3. Begin a new history before this one grows, when nothing is out.
		if full(ctx) {
			if l.busy == 0 {
				if l.heard() { // between this and the return nothing may block
					continue
				}
				return workflow.NewContinueAsNewError(ctx, flow.WorkflowIntegration, l.next())
			}
			if err := l.wait(ctx, parkFor, "wait for batches to finish", func() bool { return l.busy == 0 }); err != nil {
				return err
			}
			continue
		}
		// 4. Wait for what must be waited for, or ask for news.
		over, err := l.turn(ctx)
		if over || err != nil {
			return err
		}
	}
}

// jitter spreads first starts; it depends on the workflow's id alone.
func jitter(ctx workflow.Context) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(workflow.GetInfo(ctx).WorkflowExecution.ID))
	return time.Duration(h.Sum32()) % firstJitter
}

// turn is one round: Watch, then whatever its outcome asks for. over means that the
// integration is gone.
func (l *loop) turn(ctx workflow.Context) (over bool, err error) {
	asked := l.rush // somebody wants an answer now
	if wait := l.untilTick(ctx); wait > 0 {
		planned := workflow.Now(ctx).Add(wait)
		return false, l.wait(ctx, wait, "next look in "+wait.Round(time.Millisecond).String(), func() bool {
			at := l.soonestRetry() // one that fails meanwhile may be due before
			return !at.IsZero() && at.Before(planned)
		})
	}
	skip := l.skip(ctx)
	if len(l.state.Objects) > 0 && len(skip) == len(l.state.Objects) && !asked && !l.checkDue(ctx) {
		// Every object is busy or waits: nothing to watch. A signal is followed by a Watch
		// all the same, because it alone sees that the configuration changed.
		return false, l.waitForObject(ctx)
	}
	if l.busy == 0 && l.state.Status == flow.StateSyncing {
		l.enter(ctx, flow.StateIdle, "", "", time.Time{}) // what was news is done; Watch may take minutes
	}
	nudges := l.nudges
	result, err := l.watch(ctx, skip)
	if err != nil {
		return false, l.setBack(ctx, err)
	}
	l.failures = 0
	for _, object := range result.Backfills {
		if err := l.load(ctx, object); err != nil {
			return false, err
		}
	}
	if result.Delivery {
		if err := l.beside(ctx, flow.DeliveryID(l.params.Project, l.params.Integration), flow.WorkflowDelivery, "delivery of comments",
			flow.DeliveryParams{Project: l.params.Project, Integration: l.params.Integration}); err != nil {
			return false, err
		}
	}
	known := l.state.Interval > 0 // a Watch has seen the integration before
	l.state.Interval = result.Interval
	if nudges == l.nudges {
		l.paused = result.Outcome == flow.OutcomePaused // what PostgreSQL says
	} else if l.paused && result.Outcome != flow.OutcomeDeleted {
		return false, nil // it looked before the pause was written
	}
	switch result.Outcome {
	case flow.OutcomeDeleted:
		if !known && result.Reason != "" {
			return true, temporal.NewNonRetryableApplicationError(result.Reason+": "+result.Hint, "NotFound", nil)
		}
		return true, nil
	case flow.OutcomeAwaiting, flow.OutcomePaused, flow.OutcomeDisconnected:
		return false, l.park(ctx, nudges, result.Outcome, result.Reason, result.Hint)
	case flow.OutcomeUnchecked:
		return false, l.check(ctx)
	}
	l.state.LastWatch = workflow.Now(ctx) // Watch returns right after it asked
	l.note(ctx, result, skip)
	for _, news := range result.News {
		l.begin(ctx, news)
	}
	if len(result.Invalid) > 0 && l.state.CheckAt.IsZero() { // checked before this workflow was started
		l.state.CheckAt = workflow.Now(ctx).Add(refusal(ctx, "", 1, 0))
	}
	if l.checkDue(ctx) { // only now: Watch was allowed to ask, so Check is too
		return false, l.check(ctx)
	}
	return false, l.show(ctx, result)
}

// load starts the workflow of an object's backfill.
func (l *loop) load(ctx workflow.Context, object string) error {
	return l.beside(ctx, flow.BackfillID(l.params.Project, l.params.Integration, object), flow.WorkflowBackfill, "backfill of "+object,
		flow.BackfillParams{Project: l.params.Project, Integration: l.params.Integration, Object: object})
}

// beside starts a workflow that goes on by itself whatever becomes of this one. It returns when
// the other has begun: before that, the end of this run could lose it. One that could not be started is
// named again by a later Watch.
func (l *loop) beside(ctx workflow.Context, id, kind, summary string, params any) error {
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            id,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         summary,
		StaticDetails:         flow.About(id, ""),
		Priority:              fairly(ctx),
	}), kind, params).
		GetChildWorkflowExecution().Get(ctx, nil)
	switch {
	case err == nil || temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return nil
	case temporal.IsCanceledError(err):
		return err
	}
	workflow.GetLogger(ctx).Warn("a workflow was not started", flow.LogChildWorkflowID, id, flow.LogError, err)
	return nil
}

// watch runs Watch and hears signals meanwhile: they act through PostgreSQL, and
// Watch comes back by itself when it must.
func (l *loop) watch(ctx workflow.Context, skip []string) (flow.WatchResult, error) {
	once := len(skip) > 0 || l.busy > 0 // somebody will want to be watched again soon
	if l.state.Status != flow.StateIdle && l.state.Status != flow.StateSyncing {
		once = true // what was wrong goes on being shown until this returns: a quiet integration would be watched for minutes
	}
	summary := "watch for news"
	if once {
		summary = "look for news once"
	}
	f := workflow.ExecuteActivity(onPoll(ctx, watchLongest, heartbeatWatch, summary), flow.Watch.Name,
		flow.WatchParams{Project: l.params.Project, Integration: l.params.Integration, Skip: skip, Once: once})
	if err := l.listen(ctx, f, l.absorb); err != nil {
		return flow.WatchResult{}, err
	}
	var result flow.WatchResult
	err := f.Get(ctx, &result)
	return result, err
}

// check asks Salesforce whether what the file names is there.
func (l *loop) check(ctx workflow.Context) error {
	result, err := flow.Check.Run(onPoll(ctx, checkLongest, heartbeatBatch, "check names, rights and conditions"),
		flow.CheckParams{Project: l.params.Project, Integration: l.params.Integration})
	if err != nil {
		return l.setBack(ctx, err)
	}
	l.failures = 0
	l.state.CheckAt = time.Time{}
	objects := map[string]*flow.ObjectState{}
	for _, o := range result.Objects {
		state := l.state.Objects[o.Object]
		if state == nil {
			state = &flow.ObjectState{}
		}
		state.Kind, state.Fault, state.Hint, state.RetryAt = "", "", "", time.Time{}
		if o.Problem != "" {
			state.Kind, state.Fault, state.Hint = kindConfig, o.Problem, o.Hint
			state.Refused++
			at := workflow.Now(ctx).Add(refusal(ctx, o.Object, state.Refused, 0))
			if l.state.CheckAt.IsZero() || at.Before(l.state.CheckAt) { // all are checked together: the newest refusal decides
				l.state.CheckAt = at
			}
		}
		objects[o.Object] = state
	}
	l.state.Objects = objects
	l.state.LastWatch = time.Time{} // look at once
	if l.state.Status != flow.StateSyncing && l.state.Status != flow.StateIdle {
		l.enter(ctx, flow.StateIdle, "", "", time.Time{})
	}
	return nil
}

// park waits for a person. nudges is how many signals had been heard before what led
// here was looked at: one heard since may have changed it.
func (l *loop) park(ctx workflow.Context, nudges int, state, reason, hint string) error {
	if nudges != l.nudges {
		return nil
	}
	if err := l.report(ctx, state, reason, hint, time.Time{}); err != nil {
		return err
	}
	l.state.LastWatch = time.Time{}
	return l.wait(ctx, parkFor, "wait: "+state, nil)
}

// setBack waits after a failure of the whole integration. What it waits for is shown.
func (l *loop) setBack(ctx workflow.Context, cause error) error {
	if temporal.IsCanceledError(cause) {
		return cause
	}
	kind, f := failureOf(cause)
	l.state.LastWatch = time.Time{}
	switch kind {
	case kindStopped, kindFenced, kindReauthorize, kindNotFound:
		// The row in PostgreSQL says it all: the next Watch reads it. A short breath
		// keeps a disagreement from spinning.
		l.rush = true
		return l.wait(ctx, time.Second, "look again", nil)
	case kindQuota:
		return l.waitForQuota(ctx, f)
	}
	l.failures++
	wait := max(backoff(l.failures), f.RetryAfter)
	if err := l.report(ctx, flow.StateBackingOff, f.Message, f.Hint, workflow.Now(ctx).Add(wait)); err != nil {
		return err
	}
	return l.wait(ctx, wait, "back off", nil)
}

func (l *loop) waitForQuota(ctx workflow.Context, f flow.Failure) error {
	wait := patience(kindQuota, f, 1)
	if err := l.report(ctx, flow.StateQuotaWait, f.Message, f.Hint, workflow.Now(ctx).Add(wait)); err != nil {
		return err
	}
	return l.wait(ctx, wait, "wait for the org's API requests", nil)
}

// patience is how long something that failed so many times in a row waits before it is
// tried again. What was refused has a patience of its own: refusal.
func patience(kind string, f flow.Failure, failures int) time.Duration {
	switch kind {
	case kindQuota:
		if f.RetryAfter > 0 {
			return f.RetryAfter
		}
		return quotaFor
	}
	return max(backoff(failures), f.RetryAfter)
}

// backoff doubles from backoffFirst to backoffLongest.
func backoff(failures int) time.Duration {
	wait := backoffFirst
	for range failures - 1 {
		if wait *= 2; wait >= backoffLongest {
			return backoffLongest
		}
	}
	return wait
}

// Kinds of failure that the workflow tells apart; the names are those of the fault
// vocabulary, which this package must not import.
const (
	kindStale       = "Stale"
	kindQuota       = "Quota"
	kindReauthorize = "Reauthorize"
	kindPermission  = "Permission"
	kindConfig      = "Config"
	kindFenced      = "Fenced"
	kindStopped     = "Stopped"
	kindNotFound    = "NotFound"
)

// failureOf reads what an activity said went wrong.
func failureOf(err error) (kind string, f flow.Failure) {
	f.Message = err.Error()
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		if app.HasDetails() {
			_ = app.Details(&f) // an unknown shape leaves the message
		}
		return app.Type(), f
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		f.Message = "no worker finished it in time: " + timeout.Error()
		f.Hint = "check that workers are running and healthy"
	}
	return "Transient", f
}
