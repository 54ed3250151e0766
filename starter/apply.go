package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

func (a *app) applyCommand() *cobra.Command {
	var file string
	var noStart bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or change an integration from its file and start it",
		Long: `Makes an integration file the one in force: creates the project, the source and the
integration when they are missing, and starts its workflow, or tells the running one.

Only the form is checked here, without asking Salesforce; whether objects and fields
exist is checked right after the grant and at every later apply, and ` + "`starter status`" + `
shows the verdict. Applying the same file again changes nothing.

A changed where, preset, field, property or start_from reads that object again from its
start; what did not change costs no AI units. Look first with ` + "`starter plan -f FILE`" + `.

The consumer secret is read from where the file says, sealed with ENCRYPTION_KEYS and
kept; later files may leave it out.`,
		Example: `  starter apply -f integration.yaml
  generate | starter apply -f -
  starter apply -f integration.yaml --no-start   # then start the workflow by hand
  next: starter connect support/salesforce-prod`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.apply(cmd.Context(), file, noStart) },
	}
	fileFlag(cmd, &file)
	cmd.Flags().BoolVar(&noStart, "no-start", false, "do not start or signal the workflow; Temporal is not needed")
	return cmd
}

func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", "the integration file; - reads stdin")
}

type applyResult struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	store.ApplyResult
	Workflow   string `json:"workflow"` // started, signalled or not_started
	WorkflowID string `json:"workflow_id"`
	Delivery   string `json:"delivery"` // the workflow that delivers: started, running or not_started; none without a destination
	Next       string `json:"next,omitempty"`
}

func (a *app) apply(ctx context.Context, file string, noStart bool) error {
	cfg, spec, err := a.readFile(file)
	if err != nil {
		return err
	}
	if cfg.Keys == nil && (spec.Connection.ConsumerSecret != "" || spec.Destination != nil && spec.Destination.Token != "") {
		return fault.New(fault.Invalid, "environment: ENCRYPTION_KEYS: is not set (or ENCRYPTION_KEYS_FILE): it seals the consumer secret and the token of the destination").
			WithHint("set the key ring that worker and authsvc use")
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	hand, err := a.hand(cfg, db)
	if err != nil {
		return err
	}
	done, err := hand.Apply(ctx, spec, operate.ApplyOptions{NoStart: noStart})
	if err != nil {
		return err
	}
	result := applyResult{
		Project: spec.Project, Integration: spec.Integration, ApplyResult: done.ApplyResult,
		Workflow: done.Workflow, WorkflowID: flow.WorkflowID(spec.Project, spec.Integration), Delivery: done.Delivery,
	}
	result.Next = nextAfterApply(spec, result)
	if err := a.showApply(spec, result); err != nil {
		return err
	}
	if done.Untold != nil {
		a.say("%s is applied, but its workflow could not be started or told", spec.Name())
	}
	return done.Untold
}

func nextAfterApply(spec config.Integration, r applyResult) string {
	switch {
	case !r.Connected:
		return "starter connect " + spec.Name()
	case r.Workflow == operate.WorkflowNotStarted:
		return "starter start " + spec.Name()
	case r.Desired == store.DesiredPaused:
		return "starter resume " + spec.Name()
	}
	return "starter status " + spec.Name()
}

// readFile reads the environment and the integration file.
func (a *app) readFile(file string) (*config.Config, config.Integration, error) {
	if file == "" {
		return nil, config.Integration{}, fault.New(fault.Invalid, "no file is named").WithHint("name it with -f integration.yaml, or -f - for stdin")
	}
	cfg, err := a.config()
	if err != nil {
		return nil, config.Integration{}, err
	}
	checks, err := operate.Checks(cfg.ExtraHosts, cfg.DeliveryHosts)
	if err != nil {
		return nil, config.Integration{}, err
	}
	checks.Lookup = a.lookup
	var data []byte
	name := file
	if file == "-" {
		name = "stdin"
		data, err = io.ReadAll(a.in)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, config.Integration{}, fault.Wrap(fault.Invalid, err, "read the integration file")
	}
	spec, err := config.ReadIntegration(name, data, checks)
	return cfg, spec, err
}

func (a *app) showApply(spec config.Integration, r applyResult) error {
	if a.json {
		return a.printJSON(r.shown())
	}
	switch {
	case r.Created:
		a.print("created %s, comments go to source %s/%s", spec.Name(), spec.Project, spec.Source)
	case r.Changed:
		a.print("changed %s to version %d", spec.Name(), r.SpecVersion)
	default:
		a.print("unchanged %s, version %d", spec.Name(), r.SpecVersion)
	}
	a.printChanges(r.ApplyResult)
	switch r.Workflow {
	case operate.WorkflowStarted:
		a.say("workflow %s started", r.WorkflowID)
	case operate.WorkflowSignalled:
		a.say("workflow %s was told", r.WorkflowID)
	}
	if r.Delivery == operate.WorkflowStarted {
		a.say("workflow %s started", flow.DeliveryID(spec.Project, spec.Integration))
	}
	a.say("next: %s", r.Next)
	return nil
}

// printChanges lists what differs and what follows from it.
func (a *app) printChanges(r store.ApplyResult) {
	for _, c := range r.Changes {
		switch {
		case c.Old == "":
			a.print("  + %s: %s", c.Path, c.New)
		case c.New == "":
			a.print("  - %s: %s", c.Path, c.Old)
		default:
			a.print("  ~ %s: %s → %s", c.Path, c.Old, c.New)
		}
	}
	if r.Created {
		for _, o := range r.Added {
			a.print("  + objects[%s]", o)
		}
	}
	if r.SecretChanged && !r.Created {
		a.print("  ~ connection.consumer_secret")
	}
	if r.TokenChanged && !r.Created {
		a.print("  ~ destination.token")
	}
	if len(r.Reread) > 0 {
		a.print("  read again from the start: %s (AI units only for texts that change)", strings.Join(r.Reread, ", "))
	}
	if r.Erase > 0 {
		a.print("  erased for good: the texts and raw copies of %d records that were deleted in Salesforce", r.Erase)
	}
	if r.Age > 0 {
		a.print("  erased for good: comments that are older than comment_retention: %d", r.Age)
	}
	if len(r.Removed) > 0 {
		a.print("  no longer read: %s (their comments stay)", strings.Join(r.Removed, ", "))
	}
	if r.Reconnect != "" {
		a.print("  Salesforce must be connected again: %s", r.Reconnect)
	}
}

// shown fills empty lists, so that scripts never meet null.
func (r applyResult) shown() applyResult {
	r.ApplyResult = shownApply(r.ApplyResult)
	return r
}

func shownApply(r store.ApplyResult) store.ApplyResult {
	if r.Changes == nil {
		r.Changes = []config.Change{}
	}
	for _, list := range []*[]string{&r.Added, &r.Reread, &r.Removed} {
		if *list == nil {
			*list = []string{}
		}
	}
	return r
}
