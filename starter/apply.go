package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
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

// What became of the workflow.
const (
	workflowStarted    = "started"
	workflowSignalled  = "signalled"
	workflowNotStarted = "not_started"
	workflowRunning    = "running"
	deliveryNone       = "none"
)

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
	result := applyResult{
		Project: spec.Project, Integration: spec.Integration,
		Workflow: workflowNotStarted, WorkflowID: flow.WorkflowID(spec.Project, spec.Integration), Delivery: deliveryNone,
	}
	if spec.Destination != nil {
		result.Delivery = workflowNotStarted
	}
	var temporal *workflows
	if !noStart { // before anything is written, so that nothing is half-applied when it is away
		if temporal, err = a.dial(ctx, cfg); err != nil {
			return err
		}
		defer temporal.close()
		// Connecting does not ask for the namespace.
		if _, _, err = temporal.running(ctx, result.WorkflowID); err != nil {
			return err
		}
	}
	if result.ApplyResult, err = db.ApplyIntegration(ctx, spec); err != nil {
		return err
	}
	var notStarted error
	if temporal != nil {
		started, err := temporal.ensure(ctx, spec.Project, spec.Integration, firstStatus(result.ApplyResult))
		switch {
		case err != nil:
			notStarted = err
		case started:
			result.Workflow = workflowStarted
		default:
			result.Workflow = workflowSignalled
		}
		if err == nil && raisesUnits(result.Changes) {
			notStarted = temporal.wakeLoads(ctx, spec)
		}
		if notStarted == nil && spec.Destination != nil {
			result.Delivery, notStarted = temporal.deliver(ctx, spec.Project, spec.Integration)
		}
	}
	result.Next = nextAfterApply(spec, result)
	if err := a.showApply(spec, result); err != nil {
		return err
	}
	if notStarted != nil {
		a.say("%s is applied, but its workflow could not be started or told", spec.Name())
		return notStarted
	}
	return nil
}

// raisesUnits reports whether what waits for AI units may have some now.
func raisesUnits(changes []config.Change) bool {
	return slices.ContainsFunc(changes, func(c config.Change) bool { return c.Path == "monthly_unit_cap" })
}

// firstStatus is SyncStatus of a workflow that has not looked yet.
func firstStatus(r store.ApplyResult) string {
	switch {
	case r.Desired == store.DesiredPaused:
		return flow.StatePaused
	case r.Desired == store.DesiredDisconnected:
		return flow.StateDisconnected
	case r.Connected:
		return flow.StateIdle
	}
	return flow.StateAwaitingAuthorization
}

func nextAfterApply(spec config.Integration, r applyResult) string {
	switch {
	case !r.Connected:
		return "starter connect " + spec.Name()
	case r.Workflow == workflowNotStarted:
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
	checks, err := a.checks(cfg)
	if err != nil {
		return nil, config.Integration{}, err
	}
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

// checks are the rules for a file that belong to Salesforce and its query language.
func (a *app) checks(cfg *config.Config) (config.Checks, error) {
	hosts, err := salesforce.NewHostPolicy(cfg.ExtraHosts)
	if err != nil {
		return config.Checks{}, err
	}
	return config.Checks{
		Address: func(text string) (string, error) {
			u, err := hosts.Parse(text)
			if err != nil {
				return "", err
			}
			return u.String(), nil
		},
		Login: func(instance string) string {
			u, err := url.Parse(instance)
			if err != nil {
				return instance // Address made it
			}
			return hosts.DefaultLogin(u).String()
		},
		Endpoint: tenant.Hosts(cfg.DeliveryHosts).Parse,
		Where:    func(condition string) error { _, err := soql.Parse(condition); return err },
		Path:     soql.CheckPath,
		Name:     soql.CheckName,
		Lookup:   a.lookup,
	}, nil
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
	case workflowStarted:
		a.say("workflow %s started", r.WorkflowID)
	case workflowSignalled:
		a.say("workflow %s was told", r.WorkflowID)
	}
	if r.Delivery == workflowStarted {
		a.say("workflow %s started", flow.DeliveryID(spec.Project, spec.Integration))
	}
	a.say("next: %s", r.Next)
	return nil
}

// deliver starts the workflow that delivers comments and says what became of it.
func (w *workflows) deliver(ctx context.Context, project, integration string) (string, error) {
	started, err := w.startDelivery(ctx, project, integration)
	switch {
	case err != nil:
		return workflowNotStarted, err
	case started:
		return workflowStarted, nil
	}
	return workflowRunning, nil
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
