package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func (a *app) syncNowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sync-now PROJECT/INTEGRATION",
		Short: "Look for news now instead of at the next interval",
		Long: `Asks Salesforce for news at once, also while the integration waits after a fault. It
makes no difference when there is nothing new, and it does not go beyond the org's API
quota.`,
		Example: `  starter sync-now support/salesforce-prod
  next: starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, syncNow)
		},
	}
}

func syncNow(ctx context.Context, s *steering) error {
	if err := s.mustBeConnectable(); err != nil {
		return err
	}
	switch {
	case s.i.Desired == store.DesiredPaused:
		return fault.New(fault.Conflict, "%s is paused", s.name()).WithHint("resume looks for news at once: starter resume %s", s.name())
	case !s.connected():
		return fault.New(fault.Conflict, "%s is not connected to Salesforce", s.name()).WithHint("connect it first: starter connect %s", s.name())
	}
	if err := s.db.RequestSync(ctx, s.i.ID); err != nil {
		return err
	}
	running, err := s.signal(ctx, flow.SignalSyncNow)
	if err != nil {
		return err
	}
	if !running {
		return s.noWorkflow()
	}
	return s.show(s.i.Desired, workflowSignalled, s.name()+" looks for news now\nnext: starter status "+s.name())
}
