package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start PROJECT/INTEGRATION",
		Short: "Start the workflow of an integration that was applied",
		Long: `Starts the workflow of an integration that was applied with --no-start, or whose
workflow was ended by hand. A workflow that runs already is told to look again. With a
destination the workflow that delivers comments is started, too, if it does not run.

It does not resume what is paused. The same with the stock tool:

  temporal workflow start --type Integration --task-queue integrations \
    --workflow-id integration/support/salesforce-prod \
    --input '{"project":"support","integration":"salesforce-prod"}'`,
		Example: `  starter start support/salesforce-prod
  next: starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, start)
		},
	}
}

func start(ctx context.Context, s *steering) error {
	done, err := s.hand.Start(ctx, s.i)
	if err != nil {
		return err
	}
	text := "workflow " + flow.WorkflowID(s.i.Project, s.i.Name) + " started"
	if done.Workflow == operate.WorkflowSignalled {
		text = "workflow " + flow.WorkflowID(s.i.Project, s.i.Name) + " runs already and was told to look again"
	}
	switch {
	case done.Desired == store.DesiredPaused:
		text += "\nit is paused; next: starter resume " + s.name()
	case !s.connected():
		text += "\nnext: starter connect " + s.name()
	default:
		text += "\nnext: starter status " + s.name()
	}
	return s.show(done, text)
}
