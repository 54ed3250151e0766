package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) watch(ctx context.Context, in flow.WatchParams) (flow.WatchResult, error) {
	ctx, cancel := untilWorkerStops(ctx)
	defer cancel()
	defer heartbeat(ctx)()
	if a.Watching != nil {
		a.Watching(1)
		defer a.Watching(-1)
	}
	out, err := a.Poll.Watch(ctx, in)
	return out, translate(err)
}
