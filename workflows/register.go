package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Register registers the workflows under their contract names.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(Integration, workflow.RegisterOptions{Name: flow.WorkflowIntegration})
	r.RegisterWorkflowWithOptions(Backfill, workflow.RegisterOptions{Name: flow.WorkflowBackfill})
	r.RegisterWorkflowWithOptions(Delivery, workflow.RegisterOptions{Name: flow.WorkflowDelivery})
	r.RegisterWorkflowWithOptions(Retransform, workflow.RegisterOptions{Name: flow.WorkflowRetransform})
}
