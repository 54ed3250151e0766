package activities

import (
	"context"
	"time"

	"salesforcesync/internal/flow"
)

// retransformFor is how long a step goes on: then pages of backfills have their turn, which
// wait for the same slots.
const retransformFor = 30 * time.Second

func (a *Activities) retransform(ctx context.Context, in flow.RetransformParams) (flow.RetransformResult, error) {
	ctx, cancel := untilWorkerStops(ctx)
	defer cancel()
	defer heartbeat(ctx)()
	out, err := a.Batches.Retransform(ctx, in, retransformFor)
	return out, translate(err)
}
