package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) deliverCommand() *cobra.Command {
	var again bool
	cmd := &cobra.Command{
		Use:   "deliver PROJECT/INTEGRATION --again",
		Short: "Send all comments to the tenant once more",
		Long: `Comments go to the destination of the integration file by themselves. --again sends all of
them once more, from the first on, as they are now: when somebody deleted some over there, or
put back an older copy. What the tenant still has does not change there, and costs there what
the tenant's own rules say; here it costs no AI unit. What changes meanwhile goes out in its
place among the others.

It may be asked for while the tenant is away or comments are on their way. Asked for twice, it
begins at the first comment twice.`,
		Example: `  starter deliver support/salesforce-prod --again
  next: starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !again {
				return fault.New(fault.Invalid, "say --again").WithHint("comments that change are delivered by themselves; `starter status` says how far")
			}
			return a.steer(cmd.Context(), args[0], nil, deliverAgain)
		},
	}
	cmd.Flags().BoolVar(&again, "again", false, "send all of them once more")
	return cmd
}

// deliverAgain writes down that everything is to be sent, and sees to it that somebody does.
func deliverAgain(ctx context.Context, s *steering) error {
	if err := s.mustBeConnectable(); err != nil {
		return err
	}
	if err := s.db.DeliverAgain(ctx, s.i.ID); err != nil {
		return err
	}
	if s.i.Desired != store.DesiredRunning {
		return s.show(s.i.Desired, workflowNotStarted, s.name()+" is "+s.i.Desired+": all comments are sent again when it goes on\nnext: starter resume "+s.name())
	}
	temporal, err := s.app.dial(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer temporal.close()
	workflow, err := temporal.deliver(ctx, s.i.Project, s.i.Name)
	if err != nil {
		return err
	}
	return s.show(s.i.Desired, workflow, s.name()+" sends all comments again\nnext: starter status "+s.name())
}
