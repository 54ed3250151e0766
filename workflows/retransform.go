package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Retransform makes an integration's texts anew of stored raw copies, without asking
// Salesforce. Input is {"project": …, "integration": …}. What is to be made anew and how
// far it came is in PostgreSQL; this workflow runs one step after another until nothing is
// open. Cancelling it is as good as the signal cancel: what is made anew stays.
func Retransform(ctx workflow.Context, p flow.RetransformParams) error {
	if err := named(p.Project, p.Integration); err != nil {
		return err
	}
	ctx = onBehalf(ctx, p.Project)
	r := &retransform{params: p, state: flow.StateSyncing, since: workflow.Now(ctx), inbox: newInbox(ctx, retransformSignals)}
	if err := answerStatus(ctx, r.answer); err != nil {
		return err
	}
	if err := beFound(ctx, p.Project, p.Integration, r.state); err != nil {
		return err
	}
	err := r.run(ctx)
	if err != nil && ctx.Err() != nil {
		steady, _ := workflow.NewDisconnectedContext(ctx)
		r.params.Cancel = true
		if _, err := flow.RetransformStep.Run(onBackfill(steady, "cancel"), r.params); err != nil {
			workflow.GetLogger(ctx).Warn("the retransform was not cancelled: the next one of the integration goes on with it", flow.LogError, err)
		}
		return ctx.Err()
	}
	return err
}

// retransformSignals in the order in which they are acted on. A resume ends a wait: whoever sends it has
// done something about what is waited for.
var retransformSignals = []string{flow.SignalCancel, flow.SignalResume}

// retransform is the workflow's memory within one run.
type retransform struct {
	params  flow.RetransformParams
	state   string
	since   time.Time
	objects []flow.RetransformProgress
	trouble trouble
	inbox
}

func (r *retransform) run(ctx workflow.Context) error {
	for {
		if name, _, ok := r.take(); ok {
			r.params.Cancel = r.params.Cancel || name == flow.SignalCancel
		}
		if full(ctx) {
			return workflow.NewContinueAsNewError(ctx, flow.WorkflowRetransform, r.params)
		}
		result, err := flow.RetransformStep.Run(onBackfill(ctx, r.summary()), r.params)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if r.trouble.note(ctx, err); r.trouble.kind == kindNotFound { // the integration is gone
				r.enter(ctx, flow.StateCancelled)
				return nil
			}
			r.enter(ctx, stateOf(r.trouble.kind))
			if err := r.wait(ctx, r.trouble.until.Sub(workflow.Now(ctx)), "back off", nil); err != nil {
				return err
			}
			continue
		}
		r.trouble, r.objects = trouble{}, result.Objects
		switch {
		case result.Open && !r.params.Cancel:
			r.enter(ctx, flow.StateSyncing)
		case r.params.Cancel:
			r.enter(ctx, flow.StateCancelled)
			return nil
		default:
			r.enter(ctx, flow.StateDone)
			return nil
		}
	}
}

func (r *retransform) summary() string {
	var done, total int64
	for _, o := range r.objects {
		done, total = done+o.Counts.Records, total+o.Total
	}
	if total == 0 {
		return "make texts anew"
	}
	return fmt.Sprintf("make texts anew: %d of %d records", done, total)
}

// answer is the reply to the status query.
func (r *retransform) answer() flow.RetransformStatus {
	return flow.RetransformStatus{Project: r.params.Project, Integration: r.params.Integration, State: r.state,
		Reason: r.trouble.Message, Hint: r.trouble.Hint, Until: r.trouble.until, Objects: r.objects}
}

// enter changes the state that people see in Temporal, and the details on the workflow's page there.
func (r *retransform) enter(ctx workflow.Context, state string) {
	if state != r.state {
		r.state, r.since = state, workflow.Now(ctx)
		showState(ctx, state)
	}
	var s strings.Builder
	headline(&s, r.state, r.since, r.trouble.Message, r.trouble.Hint, r.trouble.until)
	for _, o := range r.objects {
		fmt.Fprintf(&s, "\n\n%s: %s, %d of %d records, %d texts changed, %d AI units", o.Object, o.State, o.Counts.Records, o.Total, o.Counts.TextChanged, o.Counts.Units)
	}
	workflow.SetCurrentDetails(ctx, s.String())
}
