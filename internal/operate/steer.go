package operate

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// byHand is the reason that is kept with what an operator asks for.
const byHand = "asked for by an operator"

// Pause stops all calls to Salesforce within seconds. One for which no workflow runs is paused all the same.
func (h *Hand) Pause(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if i.Desired == store.DesiredDisconnected {
		return d, refuse(fault.Conflict, Disconnected, i, "%s is disconnected: there is nothing to pause", nameOf(i))
	}
	if err := h.Store.SetDesired(ctx, i.ID, store.DesiredPaused); err != nil {
		return d, err
	}
	d.Written, d.Desired = true, store.DesiredPaused
	running, err := h.tell(ctx, i, flow.SignalPause)
	if running {
		d.Workflow = WorkflowSignalled
	}
	return d, err
}

// Resume lets a paused integration go on. It refuses when no workflow runs, after it was written.
func (h *Hand) Resume(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if err := connectable(i); err != nil {
		return d, err
	}
	if err := h.Store.SetDesired(ctx, i.ID, store.DesiredRunning); err != nil {
		return d, err
	}
	d.Written, d.Desired = true, store.DesiredRunning
	return h.told(ctx, i, flow.SignalResume, d)
}

// SyncNow asks for a look for news at once.
func (h *Hand) SyncNow(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if err := connectable(i); err != nil {
		return d, err
	}
	switch {
	case i.Desired == store.DesiredPaused:
		return d, refuse(fault.Conflict, Paused, i, "%s is paused", nameOf(i))
	case !Connected(i):
		return d, refuse(fault.Conflict, NotConnected, i, "%s is not connected to Salesforce", nameOf(i))
	}
	if err := h.Store.RequestSync(ctx, i.ID); err != nil {
		return d, err
	}
	d.Written = true
	return h.told(ctx, i, flow.SignalSyncNow, d)
}

// Start starts the workflow of an integration that was applied, and the one that delivers, or tells those
// that run. It does not resume what is paused; one that was granted anew after a disconnect goes on.
func (h *Hand) Start(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if err := connectable(i); err != nil {
		return d, err
	}
	if i.Desired != store.DesiredDisconnected {
		return h.Revive(ctx, i)
	}
	temporal, err := h.Dial(ctx) // before anything is changed
	if err != nil {
		return d, err
	}
	temporal.Close()
	if err := h.Store.SetDesired(ctx, i.ID, store.DesiredRunning); err != nil { // it was granted anew
		return d, err
	}
	i.Desired = store.DesiredRunning
	d, err = h.Revive(ctx, i)
	d.Written = true
	return d, err
}

// Revive sees that an integration's workflows run, whatever state it is in: one that is paused or disconnected
// waits as it did. Temporal may know nothing of it any more. Its large loads are started by its workflow.
func (h *Hand) Revive(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	temporal, err := h.Dial(ctx)
	if err != nil {
		return d, err
	}
	defer temporal.Close()
	started, err := temporal.Ensure(ctx, i.Project, i.Name, FirstStatus(i.Desired, Connected(i)))
	if err != nil {
		return d, err
	}
	d.Workflow = WorkflowSignalled
	if started {
		d.Workflow = WorkflowStarted
	}
	again, err := h.Store.OpenRetransforms(ctx, i.Project, i.Name)
	if err != nil {
		return d, err
	}
	if len(again) > 0 {
		if _, err := temporal.StartRetransform(ctx, i.Project, i.Name); err != nil {
			return d, err
		}
	}
	delivery, err := h.Store.Delivery(ctx, i.Project, i.Name)
	if err != nil || delivery == nil {
		return d, err
	}
	_, err = temporal.startDelivery(ctx, i.Project, i.Name)
	return d, err
}

// DeliverAgain has all comments sent to the tenant once more, and starts the workflow that does it. Of an
// integration that is paused it begins with the resume.
func (h *Hand) DeliverAgain(ctx context.Context, i store.Integration) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if err := connectable(i); err != nil {
		return d, err
	}
	if err := h.Store.DeliverAgain(ctx, i.ID); err != nil {
		return d, err
	}
	d.Written = true
	if i.Desired != store.DesiredRunning {
		return d, nil
	}
	temporal, err := h.Dial(ctx)
	if err != nil {
		return d, err
	}
	defer temporal.Close()
	started, err := temporal.startDelivery(ctx, i.Project, i.Name)
	switch {
	case err != nil:
		return d, err
	case started:
		d.Workflow = WorkflowStarted
	default:
		d.Workflow = WorkflowRunning
	}
	return d, nil
}

// FirstStatus is SyncStatus of a workflow that has not looked yet.
func FirstStatus(desired string, connected bool) string {
	switch {
	case desired == store.DesiredPaused:
		return flow.StatePaused
	case desired == store.DesiredDisconnected:
		return flow.StateDisconnected
	case connected:
		return flow.StateIdle
	}
	return flow.StateAwaitingAuthorization
}

// Resync asks for records to be read again and compared; zero times do not bound, and without objects it is
// of all. Of a paused integration it begins with the resume.
func (h *Hand) Resync(ctx context.Context, i store.Integration, objects []string, from, until time.Time) (Done, error) {
	d := Done{Desired: i.Desired, Workflow: WorkflowNotStarted}
	if err := connectable(i); err != nil {
		return d, err
	}
	names, err := h.ObjectNames(ctx, i, objects)
	if err != nil {
		return d, err
	}
	for _, name := range names {
		if err := h.Store.RequestResync(ctx, i.ID, name, from, until, byHand); err != nil {
			return d, err
		}
	}
	d.Written = true
	if i.Desired == store.DesiredPaused {
		return d, nil
	}
	return h.told(ctx, i, flow.SignalSyncNow, d)
}

// ObjectNames gives the objects that are meant: those wanted, or all.
func (h *Hand) ObjectNames(ctx context.Context, i store.Integration, wanted []string) ([]string, error) {
	names, err := h.Store.ObjectNames(ctx, i.ID, wanted)
	if err == nil && len(names) == 0 {
		err = refuse(fault.Conflict, NoObjects, i, "%s has no objects", nameOf(i))
	}
	return names, err
}
