package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Delivery keeps a source of a Communications Mining tenant equal to an integration's. Input is
// {"project": …, "integration": …}. What is to be delivered, how far it came and what it waits
// for is in PostgreSQL; this workflow runs one Deliver after another, each for minutes. It ends when the
// integration has no destination any more, is disconnected, or is deleted.
func Delivery(ctx workflow.Context, p flow.DeliveryParams) error {
	if err := named(p.Project, p.Integration); err != nil {
		return err
	}
	ctx = onBehalf(ctx, p.Project)
	d := newDelivery(ctx, p)
	if err := answerStatus(ctx, d.answer); err != nil {
		return err
	}
	if p.State == nil {
		if err := beFound(ctx, p.Project, p.Integration, d.state.Status); err != nil {
			return err
		}
	}
	return d.run(ctx)
}

// deliverySignals act on the integration, or end a wait. Of a resume and a pause that wait
// together the pause wins.
var deliverySignals = []string{flow.SignalConfigChanged, flow.SignalSyncNow, flow.SignalResume, flow.SignalPause}

// delivery is the workflow's memory within one run.
type delivery struct {
	params  flow.DeliveryParams
	state   flow.DeliveryState
	known   flow.DeliverResult
	trouble trouble // of ours; the tenant's is a state
	inbox
}

func newDelivery(ctx workflow.Context, p flow.DeliveryParams) *delivery {
	d := &delivery{params: p, inbox: newInbox(ctx, deliverySignals)}
	if p.State != nil {
		d.state = *p.State
		d.state.Runs++
	} else {
		d.state.Status, d.state.Since = flow.StateSyncing, workflow.Now(ctx)
	}
	d.known.State, d.params.State = d.state.Status, nil
	return d
}

func (d *delivery) run(ctx workflow.Context) error {
	for {
		if err := d.absorb(ctx); err != nil {
			return err
		}
		if full(ctx) {
			if d.heard() { // between this and the return nothing may block
				continue
			}
			next := d.params
			next.State = &d.state
			return workflow.NewContinueAsNewError(ctx, flow.WorkflowDelivery, next)
		}
		began := workflow.Now(ctx)
		result, err := d.deliver(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.trouble.note(ctx, err)
			d.show(ctx, stateOf(d.trouble.kind))
			if err := d.wait(ctx, d.trouble.until.Sub(workflow.Now(ctx)), "back off", nil); err != nil {
				return err
			}
			continue
		}
		d.trouble, d.known = trouble{}, result
		d.show(ctx, result.State)
		if result.State == flow.StateCancelled || result.State == flow.StateDisconnected {
			return nil
		}
		if workflow.Now(ctx).Sub(began) < breath { // it comes back when its state changes: not more often than people can read
			if err := d.wait(ctx, breath, "look again", nil); err != nil {
				return err
			}
		}
	}
}

// deliver runs Deliver and hears signals meanwhile.
func (d *delivery) deliver(ctx workflow.Context) (flow.DeliverResult, error) {
	summary := "deliver what changes to the tenant"
	if n := d.known.Counts.Sent; n > 0 {
		summary = fmt.Sprintf("deliver what changes to the tenant: %d comments so far", n)
	}
	f := workflow.ExecuteActivity(onPoll(ctx, watchLongest, heartbeatWatch, summary), flow.Deliver.Name,
		flow.DeliverParams{Project: d.params.Project, Integration: d.params.Integration, Shown: d.state.Status})
	if err := d.listen(ctx, f, d.absorb); err != nil {
		return flow.DeliverResult{}, err
	}
	var result flow.DeliverResult
	err := f.Get(ctx, &result)
	return result, err
}

// absorb makes signals true in PostgreSQL, where Deliver looks, unless whoever signalled has.
func (d *delivery) absorb(ctx workflow.Context) error {
	for {
		name, written, ok := d.take()
		if !ok {
			return nil
		}
		d.trouble = trouble{}
		if written {
			continue
		}
		if _, err := flow.Steer.Run(onControl(ctx, "signal "+name),
			flow.SteerParams{Project: d.params.Project, Integration: d.params.Integration, Signal: name}); err != nil {
			return err
		}
	}
}

// answer is the reply to the status query.
func (d *delivery) answer() flow.DeliveryStatus {
	s := flow.DeliveryStatus{Project: d.params.Project, Integration: d.params.Integration, State: d.state.Status, Since: d.state.Since,
		Counts: d.known.Counts, Undeliverable: d.known.Undeliverable}
	s.Reason, s.Hint, s.Until = d.why()
	return s
}

func (d *delivery) why() (reason, hint string, until time.Time) {
	if d.trouble.kind != "" {
		return d.trouble.Message, d.trouble.Hint, d.trouble.until
	}
	return d.known.Reason, d.known.Hint, d.known.Until
}

// show changes the state that people see in Temporal, and the details on the workflow's page there.
func (d *delivery) show(ctx workflow.Context, state string) {
	if state != d.state.Status {
		d.state.Status, d.state.Since = state, workflow.Now(ctx)
		showState(ctx, state)
	}
	var s strings.Builder
	reason, hint, until := d.why()
	headline(&s, d.state.Status, d.state.Since, reason, hint, until)
	c := d.known.Counts
	fmt.Fprintf(&s, "\n\n| sent | new | updated | unchanged | deleted | undeliverable |\n|---|---|---|---|---|---|\n| %d | %d | %d | %d | %d | %d |\n",
		c.Sent, c.New, c.Updated, c.Unchanged, c.Deleted, d.known.Undeliverable)
	workflow.SetCurrentDetails(ctx, s.String())
}
