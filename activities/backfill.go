package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) backfillStep(ctx context.Context, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
	ctx, cancel := untilWorkerStops(ctx)
	defer cancel()
	defer heartbeat(ctx)()
	out, err := a.Poll.BackfillStep(ctx, in)
	return out, translate(err)
}
