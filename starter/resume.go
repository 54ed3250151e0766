package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
)

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume PROJECT/INTEGRATION",
		Short: "Go on after pause",
		Long: `Lets a paused integration go on where it was; it looks for news at once. What is not
paused is left as it is; a large load that was paused by itself stays so until
` + "`starter backfill --resume`" + `. After a disconnect, connect comes first.`,
		Example: `  starter resume support/salesforce-prod
  next: starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, resume)
		},
	}
}

func resume(ctx context.Context, s *steering) error {
	done, err := s.hand.Resume(ctx, s.i)
	if err != nil {
		if done.Written && fault.Is(err, fault.Unreachable) {
			s.app.say("%s is no longer paused in the database; its workflow could not be told: resume again when Temporal is back", s.name())
		}
		return err
	}
	text := s.name() + " goes on\nnext: starter status " + s.name()
	if !s.connected() {
		text = s.name() + " is not paused, but Salesforce is not connected\nnext: starter connect " + s.name()
	}
	return s.show(done, text)
}
