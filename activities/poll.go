package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) poll(ctx context.Context, in flow.BatchRef) (flow.PollResult, error) {
	defer heartbeat(ctx)()
	select {
	case a.Polls <- struct{}{}:
		defer func() { <-a.Polls }()
	case <-ctx.Done():
		return flow.PollResult{}, context.Cause(ctx)
	}
	out, err := a.Poll.Poll(ctx, in)
	return out, translate(err)
}
