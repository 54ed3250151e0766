package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) check(ctx context.Context, in flow.CheckParams) (flow.CheckResult, error) {
	defer heartbeat(ctx)()
	out, err := a.Poll.Check(ctx, in)
	return out, translate(err)
}
