package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// named refuses the input of a workflow that does not name an integration, and an object of it where there are
// objects: it says what there must be.
func named(project, integration string, objects ...string) error {
	names, example := "project and integration", `{"project":"support","integration":"salesforce-prod"}`
	if len(objects) > 0 {
		names, example = "project, integration and object", `{"project":"support","integration":"salesforce-prod","object":"EmailMessage"}`
	}
	if slices.Contains(append(objects, project, integration), "") {
		return temporal.NewNonRetryableApplicationError("the input must name "+names+": "+example, "Invalid", nil)
	}
	return nil
}

// answerStatus has the status query answered. Nothing of it is in history.
func answerStatus[S any](ctx workflow.Context, answer func() S) error {
	if err := workflow.SetQueryHandler(ctx, flow.QueryStatus, func() (S, error) { return answer(), nil }); err != nil {
		return fmt.Errorf("answer queries: %w", err)
	}
	return nil
}

// beFound lets people search for the workflow by its integration and its state. Runs that go on
// from another one have the attributes of that.
func beFound(ctx workflow.Context, project, integration, status string) error {
	if err := workflow.UpsertTypedSearchAttributes(ctx, keyProject.ValueSet(project),
		keyIntegration.ValueSet(integration), keyStatus.ValueSet(status)); err != nil {
		return fmt.Errorf("set search attributes: %w", err)
	}
	return nil
}

// showState changes the state that people see in Temporal's lists.
func showState(ctx workflow.Context, state string) {
	_ = workflow.UpsertTypedSearchAttributes(ctx, keyStatus.ValueSet(state)) // fails only for an empty update
}
