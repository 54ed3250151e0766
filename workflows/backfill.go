package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Backfill loads an object's rows in bulk, beside the live work of its integration. Input
// is {"project": …, "integration": …, "object": …}. Its parts, their jobs and how far
// each came are in PostgreSQL: BackfillStep looks after them and names the pages that can
// be read, this workflow runs the pages. It ends when the backfill is done or is no longer
// wanted; cancelling it is as good as the signal cancel.
func Backfill(ctx workflow.Context, p flow.BackfillParams) error {
	if err := named(p.Project, p.Integration, p.Object); err != nil {
		return err
	}
	ctx = onBehalf(ctx, p.Project)
	b := newBackfill(ctx, p)
	if err := answerStatus(ctx, func() flow.BackfillStatus { return b.answer(ctx) }); err != nil {
		return err
	}
	if p.State == nil {
		if err := beFound(ctx, p.Project, p.Integration, b.state.Status); err != nil {
			return err
		}
	}
	err := b.run(ctx)
	if err != nil && ctx.Err() != nil {
		b.abandon()
		return ctx.Err()
	}
	return err
}

// backfillSignals in the order in which they are acted on. Of a resume and a pause that
// wait together the pause wins, and nothing undoes a cancel.
var backfillSignals = []string{flow.SignalResume, flow.SignalPause, flow.SignalCancel}

// backfill is the workflow's memory within one run.
type backfill struct {
	params flow.BackfillParams
	state  flow.BackfillState
	inbox

	parts  map[int64]*part         // by stream: those with a page under way, and those that failed
	out    int                     // pages under way
	known  flow.BackfillStepResult // the last that had counts
	parked bool                    // by a pause or for want of a connection: no page is begun

	steady   workflow.Context // outlives a cancellation: only one step may be out at a time
	stepping workflow.Future  // the step that is out, or was last
	trouble  trouble          // of the step itself

	reason string
	hint   string
	until  time.Time
}

func newBackfill(ctx workflow.Context, p flow.BackfillParams) *backfill {
	b := &backfill{params: p, parts: map[int64]*part{}, inbox: newInbox(ctx, backfillSignals)}
	if p.State != nil {
		b.state = *p.State
		b.state.Runs++
	} else {
		now := workflow.Now(ctx)
		b.state.Status, b.state.Since, b.state.Began = flow.StateSyncing, now, now
	}
	b.params.State = nil
	b.steady, _ = workflow.NewDisconnectedContext(ctx)
	b.describe(ctx)
	return b
}

func (b *backfill) run(ctx workflow.Context) error {
	for {
		// 1. Hear what was signalled; what it says goes to PostgreSQL first.
		if err := b.absorb(ctx); err != nil {
			return err
		}
		// 2. Begin a new history before this one grows, when nothing is out.
		if full(ctx) {
			if err := workflow.Await(ctx, func() bool { return b.out == 0 || b.heard() }); err != nil {
				return err
			}
			if b.heard() { // between this and the return nothing may block
				continue
			}
			next := b.params
			next.State = &b.state
			return workflow.NewContinueAsNewError(ctx, flow.WorkflowBackfill, next)
		}
		// 3. See what can be read, and read it.
		over, err := b.turn(ctx)
		if err != nil {
			return err
		}
		if over != "" {
			// PostgreSQL knew of the last pages before this workflow did.
			if err := workflow.Await(ctx, func() bool { return b.out == 0 }); err != nil {
				return err
			}
			b.enter(ctx, over, "", "", time.Time{})
			return nil
		}
	}
}

// absorb acts on the signals heard: what the operator sees changes at once, then
// PostgreSQL is told, unless whoever signalled has written it there.
func (b *backfill) absorb(ctx workflow.Context) error {
	for {
		name, written, ok := b.take()
		if !ok {
			return nil
		}
		b.parked = name != flow.SignalResume // until a step says otherwise
		if name == flow.SignalPause {
			b.enter(ctx, flow.StatePaused, "paused by an operator", "resume it with the signal resume, or with `starter backfill`", time.Time{})
		} else {
			b.retryNow()
			b.show(ctx)
		}
		if written {
			continue
		}
		err := b.steer(ctx, name)
		if temporal.IsCanceledError(err) {
			return err
		}
		if err != nil { // it has ended meanwhile: the next step says so
			workflow.GetLogger(ctx).Warn("the signal was not written", flow.LogSignal, name, flow.LogError, err)
		}
	}
}

func (b *backfill) steer(ctx workflow.Context, signal string) error {
	_, err := flow.Steer.Run(onControl(ctx, "signal "+signal), flow.SteerParams{
		Project: b.params.Project, Integration: b.params.Integration, Object: b.params.Object, Signal: signal})
	return err
}

// turn is one step and what follows from it. over is the state in which the backfill
// ended, "" while it has not.
func (b *backfill) turn(ctx workflow.Context) (over string, err error) {
	nudges, began := b.nudges, workflow.Now(ctx)
	result, err := b.step(ctx)
	if err != nil {
		return "", b.setBack(ctx, err)
	}
	b.trouble = trouble{}
	if result.Parts > 0 || result.Expected > 0 {
		b.known = result
	}
	switch result.Outcome {
	case flow.OutcomeDone:
		return flow.StateDone, nil
	case flow.OutcomeCancelled, flow.OutcomeDeleted:
		return flow.StateCancelled, nil
	}
	if nudges != b.nudges {
		return "", nil // it may have looked before what was signalled was written
	}
	if result.Outcome != flow.OutcomeOpen {
		b.parked = true
		b.enter(ctx, result.Outcome, result.Reason, result.Hint, time.Time{})
		return "", b.wait(ctx, lookAgain, "wait: "+result.Outcome, nil)
	}
	b.parked = false
	begun := 0
	for _, ref := range result.Ready {
		if b.begin(ctx, ref) {
			begun++
		}
	}
	b.show(ctx)
	if begun == 0 && workflow.Now(ctx).Sub(began) < breath {
		return "", b.wait(ctx, breath, "look again", nil)
	}
	return "", nil
}

// step runs BackfillStep and hears signals meanwhile. A cancellation of the workflow does
// not reach it: whoever cancels it in the middle of a call to Salesforce leaves a job behind.
func (b *backfill) step(ctx workflow.Context) (flow.BackfillStepResult, error) {
	in := flow.BackfillStepParams{Project: b.params.Project, Integration: b.params.Integration, Object: b.params.Object,
		Busy: b.busy(ctx), Wait: b.stepFor(ctx)}
	if worst := b.worst(ctx); worst != nil {
		in.Fault = &flow.ObjectFault{Object: b.params.Object, Kind: worst.kind, Message: worst.Message, Hint: worst.Hint, RetryAfter: worst.RetryAfter}
		in.Until = worst.until
	}
	summary := "lay out the parts"
	if b.known.Parts > 0 {
		summary = fmt.Sprintf("look after %s: %d of %d parts loaded, %d pages under way", b.params.Object, b.known.Done, b.known.Parts, b.out)
	}
	b.stepping = workflow.ExecuteActivity(onPoll(b.steady, stepLongest, heartbeatBatch, summary), flow.BackfillStep.Name, in)
	if err := b.listen(ctx, b.stepping, b.absorb); err != nil {
		return flow.BackfillStepResult{}, err
	}
	var result flow.BackfillStepResult
	err := b.stepping.Get(ctx, &result)
	return result, err
}

// stepFor is how long a step may wait for something to be ready. What happens to parts
// while it is out it cannot know, except for those that are finished.
func (b *backfill) stepFor(ctx workflow.Context) time.Duration {
	wait := stepIdle
	if b.out > 0 {
		wait = stepBusy
	}
	if b.trouble.kind != "" || b.parked {
		wait = breath // what is shown is over when it goes well
	}
	now := workflow.Now(ctx)
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		if at := b.parts[stream].until; at.After(now) {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(wait, breath)
}

// setBack waits after a failed step. The first failure is followed by another try within
// seconds whatever it is: that one shows to people what the next wait is for.
func (b *backfill) setBack(ctx workflow.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.trouble.note(ctx, cause)
	b.show(ctx)
	wait := b.trouble.until.Sub(workflow.Now(ctx))
	if b.trouble.failures == 1 {
		wait = min(wait, backoffFirst)
	}
	return b.wait(ctx, wait, "back off", nil)
}

// retryNow ends the waiting after failures: whoever signals has done something about
// them, or wants to know.
func (b *backfill) retryNow() {
	b.trouble = trouble{}
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		b.parts[stream].trouble = trouble{}
	}
}

// abandon ends the backfill for good when the workflow is cancelled, so that no job of it
// stays at Salesforce.
func (b *backfill) abandon() {
	ctx := b.steady
	b.parked = true
	b.enter(ctx, flow.StateCancelled, "the workflow was cancelled", "", time.Time{})
	if err := b.steer(ctx, flow.SignalCancel); err != nil {
		workflow.GetLogger(ctx).Warn("the backfill was not cancelled", flow.LogError, err)
	}
	var result flow.BackfillStepResult
	if b.stepping != nil { // it looks at PostgreSQL all the time, and comes back
		_ = b.stepping.Get(ctx, &result)
	}
	switch result.Outcome {
	case flow.OutcomeCancelled, flow.OutcomeDone, flow.OutcomeDeleted:
		return
	}
	if _, err := flow.BackfillStep.Run(onPoll(ctx, stepLongest, heartbeatBatch, "end the jobs"), flow.BackfillStepParams{
		Project: b.params.Project, Integration: b.params.Integration, Object: b.params.Object, Wait: breath}); err != nil {
		workflow.GetLogger(ctx).Warn("the backfill's jobs were not ended; the next one of the object does it", flow.LogError, err)
	}
}
