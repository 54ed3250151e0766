package activities

import (
	"context"

	"salesforcesync/internal/flow"
)

func (a *Activities) report(ctx context.Context, in flow.ReportParams) (flow.ReportResult, error) {
	if in.Object != "" {
		err := a.Store.SetObjectFault(ctx, in.Project, in.Integration, in.Object, in.Kind, in.Reason, in.Hint, in.Until)
		return flow.ReportResult{}, translate(err)
	}
	err := a.Store.SetStatus(ctx, in.Project, in.Integration, in.State, in.Reason, in.Hint, in.Until)
	return flow.ReportResult{}, translate(err)
}
