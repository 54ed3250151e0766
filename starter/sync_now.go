package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) syncNowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sync-now PROJECT/INTEGRATION",
		Short: "Look for news now instead of at the next interval",
		Long: `Asks Salesforce for news at once, also while the integration waits after a fault. Where an
object is config_invalid or something is hidden, names and rights are checked again first. It
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
	done, err := s.hand.SyncNow(ctx, s.i)
	if err != nil {
		return err
	}
	return s.show(done, s.name()+" looks for news now\nnext: starter status "+s.name())
}
