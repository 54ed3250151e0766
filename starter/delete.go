package main

import (
	"bufio"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
)

func (a *app) deleteCommand() *cobra.Command {
	var erase, yes bool
	cmd := &cobra.Command{
		Use:   "delete PROJECT/INTEGRATION",
		Short: "Remove an integration; its comments stay unless --erase",
		Long: `Gives the access to Salesforce back, ends the workflow and removes the integration with
its connection, cursors and raw records. Large loads under way end with it, and what they
have loaded stays; results of theirs that could not be removed at Salesforce before the access
was given back are removed by it after seven days.

The source and its comments stay readable, and the same file applied again costs no AI
units for what is there. With --erase the texts, addresses and properties of all its
comments are removed for good; the AI units they cost stay on the bill.

It asks for the name unless --yes is given. It may be repeated after an interruption.`,
		Example: `  starter delete support/salesforce-prod
  starter delete support/salesforce-prod --erase --yes`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], []string{"ENCRYPTION_KEYS"}, func(ctx context.Context, s *steering) error {
				return deleteIntegration(ctx, s, erase, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&erase, "erase", false, "remove the comments too, for good")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

type deleteResult struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Erased      bool   `json:"erased"`
	Revoked     bool   `json:"revoked"`  // Salesforce has the access back
	Workflow    string `json:"workflow"` // ended, terminated or not_running
}

func deleteIntegration(ctx context.Context, s *steering, erase, yes bool) error {
	confirm := func() error { return s.confirm(erase) }
	if yes {
		confirm = nil
	}
	done, err := s.hand.Delete(ctx, s.i, erase, confirm)
	if done.Revoked != nil && ctx.Err() == nil {
		s.app.say("the access could not be given back: %v", done.Revoked)
		if hint := fault.HintOf(done.Revoked); hint != "" {
			s.app.say("  next: %s", hint)
		}
	}
	if err != nil {
		return err
	}
	if s.app.json {
		return s.app.printJSON(deleteResult{Project: s.i.Project, Integration: s.i.Name, Erased: erase, Revoked: done.Revoked == nil, Workflow: done.Workflow})
	}
	what := "; its comments stay in source " + s.i.Project + "/" + s.i.Source
	if erase {
		what = "; the comments of source " + s.i.Project + "/" + s.i.Source + " are erased"
	}
	s.app.say("%s is deleted%s", s.name(), what)
	return nil
}

func (s *steering) confirm(erase bool) error {
	s.app.say("This removes the integration %s.", s.name())
	if erase {
		s.app.say("It also erases the %d comments of source %s/%s. That cannot be undone.", s.i.Comments, s.i.Project, s.i.Source)
	}
	s.app.say("Type its name to go on:")
	line, _ := bufio.NewReader(s.app.in).ReadString('\n') // an end of input is no answer
	if strings.TrimSpace(line) != s.name() {
		return fault.New(fault.Invalid, "not confirmed, nothing was changed").WithHint("type %s when asked, or give --yes", s.name())
	}
	return nil
}
