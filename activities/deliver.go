package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) deliver(ctx context.Context, in flow.DeliverParams) (flow.DeliverResult, error) {
	ctx, cancel := untilWorkerStops(ctx)
	defer cancel()
	defer heartbeat(ctx)()
	out, err := a.Deliveries.Deliver(ctx, in)
	return out, translate(err)
}
