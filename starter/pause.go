package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
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
	if s.i.Desired == store.DesiredDisconnected {
		return fault.New(fault.Conflict, "%s is disconnected: there is nothing to pause", s.name()).
			WithHint("connect it first: starter connect %s", s.name())
	}
	if err := s.db.SetDesired(ctx, s.i.ID, store.DesiredPaused); err != nil {
		return err
	}
	running, err := s.signal(ctx, flow.SignalPause)
	if err != nil {
		s.app.say("%s is paused in the database, and no call to Salesforce is made; its workflow could not be told", s.name())
		return err
	}
	if !running {
		return s.show(store.DesiredPaused, workflowNotStarted, s.name()+" is paused; no workflow runs for it")
	}
	return s.show(store.DesiredPaused, workflowSignalled, s.name()+" is paused\nnext: starter resume "+s.name())
}
