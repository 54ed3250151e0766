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

// deliverAgain has everything sent once more.
func deliverAgain(ctx context.Context, s *steering) error {
	done, err := s.hand.DeliverAgain(ctx, s.i)
	if err != nil {
		return err
	}
	if done.Desired != store.DesiredRunning {
		return s.show(done, s.name()+" is "+done.Desired+": all comments are sent again when it goes on\nnext: starter resume "+s.name())
	}
	return s.show(done, s.name()+" sends all comments again\nnext: starter status "+s.name())
}
