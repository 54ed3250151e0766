package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"salesforcesync/internal/flow"
)

// poll reads a batch of live work, when its turn has come.
func (a *Activities) poll(ctx context.Context, in flow.BatchRef) (flow.PollResult, error) {
	defer heartbeat(ctx)()
	leave, err := a.Polls.Enter(ctx, activity.GetInfo(ctx).Priority.FairnessKey)
	if err != nil {
		return flow.PollResult{}, err
	}
	defer leave()
	out, err := a.Poll.Poll(ctx, in)
	return out, translate(err)
}

// page reads a page of a backfill. How many are read at once is up to the slots of its
// queue: live work does not wait for them, nor they for it.
func (a *Activities) page(ctx context.Context, in flow.BatchRef) (flow.PollResult, error) {
	defer heartbeat(ctx)()
	out, err := a.Poll.Poll(ctx, in)
	return out, translate(err)
}
