package activities

import (
	"context"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/flow"
)

func (a *Activities) upsert(ctx context.Context, in flow.BatchRef) (flow.UpsertResult, error) {
	defer heartbeat(ctx)()
	out, err := a.Store.Upsert(ctx, in)
	if err == nil {
		crashpoint.Hit(crashpoint.AfterCommit)
	}
	return out, translate(err)
}
