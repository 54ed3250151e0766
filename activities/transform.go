package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) transform(ctx context.Context, in flow.BatchRef) (flow.TransformResult, error) {
	defer heartbeat(ctx)()
	out, err := a.Batches.Transform(ctx, in)
	if err == nil && out.Truncated > 0 && a.Truncated != nil {
		a.Truncated(out.Truncated)
	}
	return out, translate(err)
}
