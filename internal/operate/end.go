package operate

import (
	"cmp"
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// defaultEndWait is how long a workflow has to end itself. After it no worker is at
// work on it, and it is terminated: nothing it knows is not in PostgreSQL.
const defaultEndWait = 15 * time.Second

// DisconnectDone is what Disconnect did.
type DisconnectDone struct {
	Done
	Revoked error // why Salesforce was not told; the tokens are erased here all the same
}

// Disconnect revokes the access at Salesforce, erases the tokens and lets the workflow wait.
func (h *Hand) Disconnect(ctx context.Context, i store.Integration) (DisconnectDone, error) {
	d := DisconnectDone{Done: Done{Desired: i.Desired, Workflow: WorkflowNotStarted}}
	// Before anything is changed: a key ring that does not open the tokens cannot give them back.
	if _, err := h.Store.LoadConnection(ctx, i.ID); err != nil {
		return d, err
	}
	// Stop first, so that nobody renews what is about to be revoked.
	if err := h.Store.SetDesired(ctx, i.ID, store.DesiredDisconnected); err != nil {
		return d, err
	}
	d.Written, d.Desired = true, store.DesiredDisconnected
	d.Revoked = h.Access.Disconnect(ctx, i.ID)
	running, err := h.tell(ctx, i, flow.SignalConfigChanged)
	if running {
		d.Workflow = WorkflowSignalled
	}
	return d, err
}

// What became of a workflow that was to end.
const (
	WorkflowEnded      = "ended"
	WorkflowTerminated = "terminated" // no worker let it end itself
	WorkflowNotRunning = "not_running"
)

// Deleted is what Delete did.
type Deleted struct {
	Workflow string // ended, terminated or not_running
	Revoked  error  // why Salesforce does not have the access back
}

// Delete disconnects an integration, ends its workflows and removes it; its comments stay, unless erase.
// confirm, if any, is asked once Temporal is known to answer and before anything is changed. It may be repeated
// after an interruption.
func (h *Hand) Delete(ctx context.Context, i store.Integration, erase bool, confirm func() error) (Deleted, error) {
	var result Deleted
	// Before anything is changed: without Temporal the workflow could not be ended.
	w, err := h.Dial(ctx)
	if err != nil {
		return result, err
	}
	defer w.Close()
	if _, _, err := w.Running(ctx, flow.WorkflowID(i.Project, i.Name)); err != nil {
		return result, err
	}
	if confirm != nil {
		if err := confirm(); err != nil {
			return result, err
		}
	}
	if err := h.Store.SetDesired(ctx, i.ID, store.DesiredDeleted); err != nil {
		return result, err
	}
	// An org that is away must not keep an integration alive.
	if result.Revoked = h.Access.Disconnect(ctx, i.ID); ctx.Err() != nil {
		return result, result.Revoked
	}
	patience := cmp.Or(h.EndWait, defaultEndWait)
	if result.Workflow, err = w.end(ctx, flow.WorkflowID(i.Project, i.Name), flow.SignalConfigChanged, patience); err != nil {
		return result, err
	}
	if result.Workflow == WorkflowTerminated { // no worker is there for the others either
		patience = time.Millisecond
	}
	if _, err := w.end(ctx, flow.DeliveryID(i.Project, i.Name), flow.SignalConfigChanged, patience); err != nil {
		return result, err
	}
	loads, err := h.openBackfills(ctx, i)
	if err != nil {
		return result, err
	}
	for _, object := range loads {
		if _, err := w.end(ctx, flow.BackfillID(i.Project, i.Name, object), flow.SignalCancel, patience); err != nil {
			return result, err
		}
	}
	if err := h.Store.DeleteIntegration(ctx, i.ID, erase); err != nil && !fault.Is(err, fault.NotFound) {
		return result, err
	}
	return result, nil
}
