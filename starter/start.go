package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

func (a *app) startCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "start PROJECT/INTEGRATION | --all",
		Short: "Start the workflow of an integration that was applied, or of all",
		Long: `Starts the workflow of an integration that was applied with --no-start, or whose
workflow was ended by hand. A workflow that runs already is told to look again. With a
destination the workflow that delivers comments is started, too, if it does not run.

It does not resume what is paused. --all does it for every integration, when Temporal was lost
or PostgreSQL was restored: those that are paused or disconnected wait as before. Large loads
that were under way go on by themselves. It may be repeated.

The same with the stock tool:

  temporal workflow start --type Integration --task-queue integrations \
    --workflow-id integration/support/salesforce-prod \
    --input '{"project":"support","integration":"salesforce-prod"}'`,
		Example: `  starter start support/salesforce-prod
  starter start --all
  next: starter status support/salesforce-prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if !all {
				return oneName(cmd, args)
			}
			if len(args) > 0 {
				return fault.New(fault.Invalid, "starter start takes one PROJECT/INTEGRATION or --all, not both")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				return a.startAll(cmd.Context())
			}
			return a.steer(cmd.Context(), args[0], nil, start)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every integration")
	return cmd
}

func start(ctx context.Context, s *steering) error {
	done, err := s.hand.Start(ctx, s.i)
	if err != nil {
		return err
	}
	text := "workflow " + flow.WorkflowID(s.i.Project, s.i.Name) + " started"
	if done.Workflow == operate.WorkflowSignalled {
		text = "workflow " + flow.WorkflowID(s.i.Project, s.i.Name) + " runs already and was told to look again"
	}
	switch {
	case done.Desired == store.DesiredPaused:
		text += "\nit is paused; next: starter resume " + s.name()
	case !s.connected():
		text += "\nnext: starter connect " + s.name()
	default:
		text += "\nnext: starter status " + s.name()
	}
	return s.show(done, text)
}

// startAll starts the workflows of all integrations over one connection. One that fails does not keep the others.
func (a *app) startAll(ctx context.Context) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.ListIntegrations(ctx, "")
	if err != nil {
		return err
	}
	temporal, err := a.dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer temporal.Close()
	hand, err := a.hand(cfg, db)
	if err != nil {
		return err
	}
	hand.Dial = temporal.Shared()
	results := []steerResult{}
	became := map[string]int{}
	var failed error
	failures := 0
	for _, i := range all {
		name := i.Project + "/" + i.Name
		if i.Desired == store.DesiredDeleted {
			a.say("%s is being deleted and is left alone\n  next: starter delete %s", name, name)
			continue
		}
		done, err := hand.Revive(ctx, i)
		if err != nil {
			a.say("%s: %v", name, err)
			if failed = err; fault.Is(err, fault.Unreachable) || ctx.Err() != nil {
				return failed
			}
			failures++
			continue
		}
		became[done.Workflow]++
		results = append(results, steerResult{i.Project, i.Name, done.Desired, done.Workflow})
		if !a.json {
			a.print("%s\t%s", name, done.Workflow)
		}
	}
	if a.json {
		if err := a.printJSON(results); err != nil {
			return err
		}
	}
	a.say("%d workflows started, %d ran already and were told to look again", became[operate.WorkflowStarted], became[operate.WorkflowSignalled])
	if failures > 0 {
		return fault.Wrap(fault.KindOf(failed), failed, "%d workflows were not started", failures).WithHint("run it again: what runs is left alone")
	}
	return nil
}
