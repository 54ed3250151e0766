package workflows

import (
	"cmp"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// signalNames in the order in which they are acted on. pause stands behind resume: of two
// sent by hand, the one that leaves Salesforce alone wins.
var signalNames = []string{
	flow.SignalConfigChanged, flow.SignalTokenGranted, flow.SignalTokenRefreshed,
	flow.SignalSyncNow, flow.SignalResume, flow.SignalPause,
}

// loop is the workflow's memory within one run.
type loop struct {
	params flow.IntegrationParams
	state  flow.IntegrationState

	inbox
	paused   bool // a pause was heard, and no Watch has said otherwise since
	cut      bool // an object stopped with more to poll
	rush     bool // do not wait for the next tick
	failures int  // of the whole integration, in a row

	busy     int // objects with a batch under way
	running  map[string]bool
	finished int // objects that finished, ever

	reason string
	hint   string
	until  time.Time
}

func newLoop(ctx workflow.Context, p flow.IntegrationParams) *loop {
	l := &loop{params: p, running: map[string]bool{}, inbox: newInbox(ctx, signalNames)}
	if p.State != nil {
		l.state = *p.State
		l.state.Runs++
	} else {
		l.state.Status, l.state.Since = flow.StateAwaitingAuthorization, workflow.Now(ctx)
	}
	if l.state.Objects == nil {
		l.state.Objects = map[string]*flow.ObjectState{}
	}
	l.params.State = nil
	l.describe(ctx)
	return l
}

func (l *loop) name() string { return l.params.Project + "/" + l.params.Integration }

// next is the input of the next run.
func (l *loop) next() flow.IntegrationParams {
	p := l.params
	state := l.state
	if l.rush || l.cut {
		state.LastWatch = time.Time{} // somebody waits: look at once
	}
	p.State = &state
	return p
}

// full reports whether it is time for a new history.
func full(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// absorb acts on the signals heard: what the operator sees changes at once, then
// PostgreSQL is told, unless whoever signalled has written it there. What is in
// PostgreSQL decides; the next Watch reads it.
func (l *loop) absorb(ctx workflow.Context) error {
	for {
		name, written, ok := l.take()
		if !ok {
			return nil
		}
		l.rush = true
		if name == flow.SignalPause {
			l.paused = true
			l.enter(ctx, flow.StatePaused, "paused by an operator", "resume it with `starter resume "+l.name()+"`", time.Time{})
		} else {
			l.retryNow()
		}
		if name == flow.SignalResume {
			l.paused = false
		}
		if written {
			continue
		}
		if _, err := flow.Steer.Run(onControl(ctx, "signal "+name),
			flow.SteerParams{Project: l.params.Project, Integration: l.params.Integration, Signal: name}); err != nil {
			return err
		}
	}
}

// retryNow ends the waiting of objects that failed: whoever signals has done
// something about it, or wants to know.
func (l *loop) retryNow() {
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		l.state.Objects[name].RetryAt, l.state.Objects[name].Refused = time.Time{}, 0
	}
}

// untilTick is how long to wait before looking again: the interval counts from the
// start of the last look. Signals and a first look do not wait.
func (l *loop) untilTick(ctx workflow.Context) time.Duration {
	if l.rush || l.state.LastWatch.IsZero() {
		l.rush = false
		return 0
	}
	next := l.state.LastWatch.Add(cmp.Or(l.state.Interval, defaultTick))
	if at := l.soonestRetry(); !at.IsZero() && at.Before(next) {
		next = at // an object that waits after a failure does not wait for a long interval too
	}
	if l.state.Status == flow.StateConfigInvalid && l.state.CheckAt.After(next) {
		next = l.state.CheckAt // nothing can be asked until somebody signals or the check is due
	}
	return next.Sub(workflow.Now(ctx))
}

// soonestRetry is when the first of the failed objects is tried again; zero when none is.
func (l *loop) soonestRetry() time.Time {
	var soonest time.Time
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		if at := l.state.Objects[name].RetryAt; !l.running[name] && !at.IsZero() && (soonest.IsZero() || at.Before(soonest)) {
			soonest = at
		}
	}
	return soonest
}

// skip lists objects that are not to be watched now: busy, or waiting for their time.
// Watch itself leaves out what the last check refused.
func (l *loop) skip(ctx workflow.Context) []string {
	var out []string
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		if o := l.state.Objects[name]; l.running[name] || o.RetryAt.After(workflow.Now(ctx)) {
			out = append(out, name)
		}
	}
	return out
}

func (l *loop) checkDue(ctx workflow.Context) bool {
	return !l.state.CheckAt.IsZero() && !l.state.CheckAt.After(workflow.Now(ctx))
}

// waitForObject waits until one of the objects, all busy or waiting, is ready.
func (l *loop) waitForObject(ctx workflow.Context) error {
	wait := parkFor
	now := workflow.Now(ctx)
	soonest := func(t time.Time) {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
		}
	}
	soonest(l.state.CheckAt)
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		soonest(l.state.Objects[name].RetryAt)
	}
	finished := l.finished
	if l.busy == 0 {
		if err := l.showWaiting(ctx, now.Add(wait)); err != nil {
			return err
		}
	}
	return l.wait(ctx, wait, "wait for an object", func() bool { return l.finished != finished })
}

// showWaiting says why nothing can be done: every object waits.
func (l *loop) showWaiting(ctx workflow.Context, until time.Time) error {
	refused := true
	var reason, hint string
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		o := l.state.Objects[name]
		if o.Kind != kindConfig {
			refused = false
		}
		if reason == "" && o.Fault != "" {
			reason, hint = name+": "+o.Fault, o.Hint
		}
	}
	state := flow.StateBackingOff
	switch {
	case refused:
		state = flow.StateConfigInvalid
	case l.allWaitForQuota() && workflow.GetVersion(ctx, versionQuota, workflow.DefaultVersion, 1) == 1:
		state = flow.StateQuotaWait
	}
	return l.report(ctx, state, reason, hint, until)
}

// versionQuota gates that an integration whose objects all wait for a quota says so. Before, it was
// backing_off.
const versionQuota = "objects wait for a quota"

// allWaitForQuota reports whether no object that can be synced waits for anything else.
func (l *loop) allWaitForQuota() bool {
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		if kind := l.state.Objects[name].Kind; kind != kindQuota && kind != kindConfig {
			return false
		}
	}
	return true
}

// note takes over what Watch said about objects. One that was asked and answered has
// its trouble behind it.
func (l *loop) note(ctx workflow.Context, result flow.WatchResult, skipped []string) {
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		o := l.state.Objects[name]
		faulted := slices.ContainsFunc(result.Faults, func(f flow.ObjectFault) bool { return f.Object == name })
		news := slices.ContainsFunc(result.News, func(n flow.News) bool { return n.Object == name }) // its batch will tell
		if o.Kind == kindConfig || faulted || news || slices.Contains(skipped, name) {
			continue
		}
		o.Refused = 0
		if o.Kind == "" {
			continue
		}
		o.Kind, o.Fault, o.Hint, o.RetryAt = "", "", "", time.Time{}
		l.reportObject(ctx, name)
	}
	for _, f := range result.Faults {
		l.fail(ctx, f.Object, f.Kind, flow.Failure{Message: f.Message, Hint: f.Hint, RetryAfter: f.RetryAfter})
	}
}

// show makes the state what Watch saw.
func (l *loop) show(ctx workflow.Context, result flow.WatchResult) error {
	switch {
	case result.Objects > 0 && len(result.Invalid) == result.Objects:
		return l.report(ctx, flow.StateConfigInvalid, result.Invalid[0].Object+": "+result.Invalid[0].Message, result.Invalid[0].Hint, l.state.CheckAt)
	case l.busy > 0:
		l.enter(ctx, flow.StateSyncing, "", "", time.Time{})
	case len(result.Faults) == 0:
		l.enter(ctx, flow.StateIdle, "", "", time.Time{})
	}
	return nil
}

// enter changes the state that people see in Temporal.
func (l *loop) enter(ctx workflow.Context, state, reason, hint string, until time.Time) bool {
	if state == l.state.Status && reason == l.reason && hint == l.hint && until.Equal(l.until) {
		return false
	}
	moved := state != l.state.Status
	if moved {
		l.state.Status, l.state.Since = state, workflow.Now(ctx)
	}
	l.reason, l.hint, l.until = reason, hint, until
	l.describe(ctx)
	if moved {
		showState(ctx, state)
	}
	return true
}

// report is enter for states that the workflow alone knows of: PostgreSQL is told.
func (l *loop) report(ctx workflow.Context, state, reason, hint string, until time.Time) error {
	l.enter(ctx, state, reason, hint, until)
	_, err := flow.Report.Run(onControl(ctx, "report "+state), flow.ReportParams{
		Project: l.params.Project, Integration: l.params.Integration, State: state, Reason: reason, Hint: hint, Until: until})
	return err
}

var (
	keyProject     = temporal.NewSearchAttributeKeyKeyword(flow.AttributeProject)
	keyIntegration = temporal.NewSearchAttributeKeyKeyword(flow.AttributeIntegration)
	keyStatus      = temporal.NewSearchAttributeKeyKeyword(flow.AttributeStatus)
)
