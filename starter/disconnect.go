package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) disconnectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "disconnect PROJECT/INTEGRATION",
		Short: "Give the access to Salesforce back and wait for a new connection",
		Long: `Revokes the access at Salesforce, erases the tokens here and lets the workflow wait.
Open one-time links end too. Comments stay readable. Large loads wait and go on after the
grant where they were. The integration stays bound to its
org: a new grant must be of the same one.`,
		Example: `  starter disconnect support/salesforce-prod
  next: starter connect support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], []string{"ENCRYPTION_KEYS"}, disconnect)
		},
	}
}

func disconnect(ctx context.Context, s *steering) error {
	done, err := s.hand.Disconnect(ctx, s.i)
	switch {
	case done.Revoked != nil:
		s.app.say("%s is disconnected and the tokens are erased here, but Salesforce was not told", s.name())
		return done.Revoked
	case err != nil && done.Written:
		s.app.say("%s is disconnected; its workflow could not be told and shows it when Temporal is back", s.name())
		return err
	case err != nil:
		return err
	}
	return s.show(done.Done, s.name()+" is disconnected, the access was given back\nnext: starter connect "+s.name())
}
