package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/operate"
)

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause PROJECT/INTEGRATION",
		Short: "Stop asking Salesforce until resume",
		Long: `Writes down that the integration is paused: within seconds no call to Salesforce is
made any more, whatever is under way, large loads included. Nothing is lost: after resume
it goes on where it was. To pause a large load alone: ` + "`starter backfill --pause`" + `.
Comments stay readable. Pausing twice is pausing once.`,
		Example: `  starter pause support/salesforce-prod
  next: starter resume support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, pauseIntegration)
		},
	}
}

func pauseIntegration(ctx context.Context, s *steering) error {
	done, err := s.hand.Pause(ctx, s.i)
	if err != nil {
		if done.Written {
			s.app.say("%s is paused in the database, and no call to Salesforce is made; its workflow could not be told", s.name())
		}
		return err
	}
	text := s.name() + " is paused\nnext: starter resume " + s.name()
	if done.Workflow == operate.WorkflowNotStarted {
		text = s.name() + " is paused; no workflow runs for it"
	}
	return s.show(done, text)
}
