package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
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
	// Before anything is changed: a key ring that does not open the tokens cannot give them back.
	if _, err := s.db.LoadConnection(ctx, s.i.ID); err != nil {
		return err
	}
	// Stop first, so that nobody renews what is about to be revoked.
	if err := s.db.SetDesired(ctx, s.i.ID, store.DesiredDisconnected); err != nil {
		return err
	}
	revoked := s.giveBack(ctx)
	running, err := s.signal(ctx, flow.SignalConfigChanged)
	if revoked != nil {
		s.app.say("%s is disconnected and the tokens are erased here, but Salesforce was not told", s.name())
		return revoked
	}
	if err != nil {
		s.app.say("%s is disconnected; its workflow could not be told and shows it when Temporal is back", s.name())
		return err
	}
	workflow := workflowSignalled
	if !running {
		workflow = workflowNotStarted
	}
	return s.show(store.DesiredDisconnected, workflow, s.name()+" is disconnected, the access was given back\nnext: starter connect "+s.name())
}

// giveBack revokes the access at Salesforce and erases the tokens.
func (s *steering) giveBack(ctx context.Context) error {
	hosts, err := salesforce.NewHostPolicy(s.cfg.ExtraHosts)
	if err != nil {
		return err
	}
	service := &oauth.Service{Store: s.db, Hosts: hosts}
	return service.Disconnect(ctx, s.i.ID)
}
