package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/temporal"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// defaultEndWait is how long a workflow has to end itself. After it no worker is at
// work on it, and it is terminated: nothing it knows is not in PostgreSQL.
const defaultEndWait = 15 * time.Second

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
	// Before anything is changed: without Temporal the workflow could not be ended.
	w, err := s.app.dial(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer w.close()
	if !yes {
		if err := s.confirm(erase); err != nil {
			return err
		}
	}
	if err := s.db.SetDesired(ctx, s.i.ID, store.DesiredDeleted); err != nil {
		return err
	}
	result := deleteResult{Project: s.i.Project, Integration: s.i.Name, Erased: erase, Revoked: true}
	if err := s.giveBack(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// An org that is away must not keep an integration alive.
		result.Revoked = false
		s.app.say("the access could not be given back: %v", err)
		if hint := fault.HintOf(err); hint != "" {
			s.app.say("  next: %s", hint)
		}
	}
	patience := cmp.Or(s.app.endWait, defaultEndWait)
	if result.Workflow, err = w.end(ctx, flow.WorkflowID(s.i.Project, s.i.Name), flow.SignalConfigChanged, patience); err != nil {
		return err
	}
	if result.Workflow == endedByForce { // no worker is there for the others either
		patience = time.Millisecond
	}
	if _, err := w.end(ctx, flow.DeliveryID(s.i.Project, s.i.Name), flow.SignalConfigChanged, patience); err != nil {
		return err
	}
	loads, err := s.openBackfills(ctx)
	if err != nil {
		return err
	}
	for _, object := range loads {
		if _, err := w.end(ctx, flow.BackfillID(s.i.Project, s.i.Name, object), flow.SignalCancel, patience); err != nil {
			return err
		}
	}
	if err := s.db.DeleteIntegration(ctx, s.i.ID, erase); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if s.app.json {
		return s.app.printJSON(result)
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

// endedByForce is what became of a workflow that no worker let end itself.
const endedByForce = "terminated"

// end lets a workflow end itself, which it does when a signal makes it look and it finds
// its integration deleted, and terminates it when no worker lets it.
func (w *workflows) end(ctx context.Context, workflowID, signal string, patience time.Duration) (string, error) {
	running, err := w.signal(ctx, workflowID, signal)
	if err != nil {
		return "", err
	}
	if !running {
		return "not_running", nil
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = w.client.GetWorkflow(wait, workflowID, "").Get(wait, nil)
	var ended *temporal.WorkflowExecutionError
	if err == nil || errors.As(err, &ended) {
		return "ended", nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	call, cancelCall := context.WithTimeout(ctx, callWait)
	defer cancelCall()
	err = w.client.TerminateWorkflow(call, workflowID, "", "the integration was deleted and no worker ended its workflow")
	if err = w.translate("terminate "+workflowID, err); err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	return endedByForce, nil
}
