package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

// steer makes a signal true in PostgreSQL, where everything that runs looks. An
// engineer may have sent it with the stock tools, so nothing else has written it.
func (a *Activities) steer(ctx context.Context, in flow.SteerParams) (flow.SteerResult, error) {
	if in.Object != "" {
		return flow.SteerResult{}, translate(a.Store.SteerBackfill(ctx, in.Project, in.Integration, in.Object, in.Signal))
	}
	return flow.SteerResult{}, translate(a.Store.Steer(ctx, in.Project, in.Integration, in.Signal))
}
