package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// askWait bounds how long status waits for the workflow's own word.
const askWait = 2 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch, untilDone bool
	cmd := &cobra.Command{
		Use:   "status [PROJECT/INTEGRATION] [--watch] [--until-done]",
		Short: "Say how an integration is, why, and what to do",
		Long: `Shows the state of one integration with its reason and the next step, its connection,
what is used of the org's API requests and how often it may ask because of that, and per object what was read, what Salesforce counts, and up to when it is complete.
Large loads have a progress bar, their rate, and how long they will take; while an object's
first load is under way it is not complete. Without a name it lists all.

--watch shows the state, the loads and what is wrong again every second until Ctrl-C, whose
exit code is 0; the sync goes on. Into a file or a pipe it writes a line whenever something
has changed, with --json the whole status as one line every five seconds. --until-done watches,
and ends by itself: with exit code 0 when no load is under way and every object that can be
read is complete up to some moment, with 1 when a load was cancelled or after Ctrl-C.

PostgreSQL is enough: when Temporal does not answer within two seconds the workflow's
own word is left out and the exit code is still 0.

States: awaiting_authorization syncing idle backing_off quota_wait paused
config_invalid disconnected.`,
		Example: `  starter status support/salesforce-prod
  starter status support/salesforce-prod --watch
  starter status support/salesforce-prod --until-done && echo loaded
  starter status support/salesforce-prod --json | jq -r .state`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case watch || untilDone:
				if err := oneName(cmd, args); err != nil {
					return err
				}
				return a.watch(cmd.Context(), args[0], untilDone)
			case len(args) == 0:
				return a.list(cmd.Context(), "")
			}
			return a.status(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again every second until Ctrl-C")
	cmd.Flags().BoolVar(&untilDone, "until-done", false, "watch until all loads are done and every object is complete")
	return cmd
}

func (a *app) status(ctx context.Context, name string) error {
	project, integration, err := splitName(name)
	if err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	view, _, err := readStatus(ctx, db, project, integration)
	if err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	if temporal, err := a.dial(ask, cfg); err != nil {
		view.WorkflowNote = err.Error()
	} else {
		defer temporal.Close()
		view.Workflow, view.WorkflowNote = temporal.ask(ask, flow.WorkflowID(project, integration))
	}
	if a.json {
		return a.printJSON(view)
	}
	return a.printStatus(view)
}

// readStatus reads what PostgreSQL knows of an integration, and its id.
func readStatus(ctx context.Context, db *store.Store, project, integration string) (statusView, string, error) {
	status, err := db.IntegrationStatus(ctx, project, integration)
	if err != nil {
		return statusView{}, "", err
	}
	view := viewStatus(status)
	if view.Quota, err = operate.QuotaOf(ctx, db, status.Integration); err != nil {
		return view, "", err
	}
	month, err := db.UnitCap(ctx, status.ID)
	if err != nil {
		return view, "", err
	}
	view.Month = viewCap(month)
	loads, err := db.Backfills(ctx, status.ID)
	if err != nil {
		return view, "", err
	}
	view.setBackfills(loads)
	anew, err := db.Retransforms(ctx, status.ID)
	if err != nil {
		return view, "", err
	}
	view.setRetransforms(anew)
	lag, err := db.WordsLag(ctx, status.SourceID)
	if err != nil {
		return view, "", err
	}
	view.SearchLag = lag.Seconds()
	view.Delivery, err = viewDelivery(ctx, db, project, integration)
	return view, status.ID, err
}

// ask gets the workflow's own word, or a note why there is none.
func (w *workflows) ask(ctx context.Context, workflowID string) (*workflowView, string) {
	_, running, err := w.Running(ctx, workflowID)
	if err != nil {
		return nil, err.Error()
	}
	view := &workflowView{ID: workflowID, Running: running}
	if !running {
		return view, ""
	}
	answer, err := w.Client.QueryWorkflow(ctx, workflowID, "", flow.QueryStatus)
	if err != nil {
		if err = w.Translate("query "+workflowID, err); fault.Is(err, fault.Unreachable) {
			return view, "the workflow did not answer within 2 s: does a worker run?"
		}
		return view, err.Error()
	}
	var s flow.Status
	if err := answer.Get(&s); err != nil {
		return view, "the workflow's answer cannot be read: " + err.Error()
	}
	view.Status = &s
	return view, ""
}

func (a *app) printStatus(v statusView) error {
	a.print("%s/%s  %s since %s", v.Project, v.Integration, v.State, when(&v.Since))
	for _, line := range []struct{ label, text string }{
		{"why", v.Reason},
		{"next", v.Hint},
		{"more", lookUp(v.Reason)},
		{"goes on", goesOnLine(v)},
		{"wanted", map[bool]string{true: v.Desired}[v.Desired != store.DesiredRunning]},
		{"connection", connectionLine(v)},
		{"source", fmt.Sprintf("%s/%s: %d comments, %d AI units", v.Project, v.Source, v.Comments, v.Units)},
		{"search", searchLine(v)},
		{"AI units", v.Month.line()},
		{"last asked", when(v.WatchedAt)},
		{"asks", asksLine(v)},
		{"quota", quotaLine(v.Quota)},
		{"complete to", completeLine(v)},
		{"workflow", workflowLine(v)},
	} {
		if line.text != "" {
			a.print("  %-12s %s", line.label, line.text)
		}
	}
	for _, e := range v.Alerts {
		a.print("  alert since %s: %s", when(&e.At), e.Message)
		a.print("    next: %s", e.Hint)
	}
	a.printDelivery(v.Project+"/"+v.Integration, v.Delivery)
	if len(v.Objects) == 0 {
		a.print("  no objects are configured yet")
		return nil
	}
	a.printLoads(v)
	a.printRetransforms(v)
	w := tabwriter.NewWriter(a.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  OBJECT\tSTATE\tCOMMENTS\tIN SALESFORCE\tHERE\tMISSING\tAI UNITS\tSET ASIDE\tTO READ AGAIN\tCOMPLETE TO\tLAST BATCH")
	for _, o := range v.Objects {
		count, here, missing, last := "-", "-", "-", "-"
		if o.SalesforceRows != nil && o.StoredRows != nil {
			count, here, missing = fmt.Sprint(*o.SalesforceRows), fmt.Sprint(*o.StoredRows), fmt.Sprint(o.Missing)
		}
		if b := o.LastBatch; b != nil {
			last = fmt.Sprintf("%s: %d rows, %d new, %d units", when(&b.AppliedAt), b.Rows, b.Created, b.Units)
		}
		fmt.Fprintf(w, "  %s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", o.Object, o.State, o.Comments, count, here, missing, o.Units, o.SetAside, o.Rechecks, when(o.CompleteTo), last)
	}
	if err := w.Flush(); err != nil {
		return fault.Wrap(fault.Internal, err, "write the table")
	}
	for _, o := range v.Objects {
		a.printTrouble(o.Object, o.Problem, o.Hint, nil)
		a.printTrouble(o.Object, o.Fault, o.FaultHint, o.RetryAt)
		a.printCompleteness(o)
		if o.SetAside > 0 {
			a.print("  %s: %d records are set aside, because they cannot become comments", o.Object, o.SetAside)
			a.print("    next: starter skipped %s/%s says why, of each", v.Project, v.Integration)
		}
	}
	for _, o := range v.Objects {
		if o.Cursor != "" {
			a.print("  %s", o.Cursor)
		}
		if o.Erasing > 0 {
			a.print("  %s: %d deleted records are being erased: copies of them are left", o.Object, o.Erasing)
		}
		for _, note := range o.Notes {
			a.print("  %s: %s", o.Object, note)
		}
	}
	return nil
}

// printCompleteness says what the counts of an object do not tell at a glance.
func (a *app) printCompleteness(o objectView) {
	for _, m := range o.Completeness {
		switch more := m.SalesforceRows - m.StoredRows; {
		case more > 0:
			a.print("  %s: %d of %s are missing, Salesforce has %d; counted %s, they are being looked for",
				o.Object, more, m.Month, m.SalesforceRows, when(&m.CheckedAt))
		case more < 0:
			a.print("  %s: %d of %s are no longer what Salesforce has; counted %s, what became of them is being looked for",
				o.Object, -more, m.Month, when(&m.CheckedAt))
		}
	}
	if o.Invisible > 0 {
		a.print("  %s: %d records are no longer visible and not known to be deleted; their comments stay", o.Object, o.Invisible)
		a.print("    next: give the integration user View All on %s, then it can be told; starter check says whether it has it", o.Object)
	}
	if o.Filtered > 0 {
		a.print("  %s: %d records have left the condition of the file; their comments stay", o.Object, o.Filtered)
	}
	if r := o.Resync; r != nil {
		line := "begins"
		if r.At != nil {
			line = "has come to " + when(r.At)
		}
		a.print("  %s: a resync %s (%s, asked for %s)", o.Object, line, r.Reason, when(&r.RequestedAt))
	}
}

func (a *app) printTrouble(object, problem, hint string, retry *time.Time) {
	if problem == "" {
		return
	}
	if retry != nil {
		problem += "; tried again at " + when(retry)
	}
	a.print("  %s: %s", object, problem)
	if hint != "" {
		a.print("    next: %s", hint)
	}
	if more := lookUp(problem); more != "" {
		a.print("    more: %s", more)
	}
}

// completeLine says up to when the integration is complete, or what must be done first.
func completeLine(v statusView) string {
	var loading []string
	for _, o := range v.Objects {
		if o.CompleteTo == nil && o.Backfill != nil && o.Backfill.First && (isOpen(o.Backfill) || o.Backfill.stopped) {
			loading = append(loading, o.Object)
		}
	}
	if len(loading) > 0 {
		return "not known before the first load of " + strings.Join(loading, ", ") + " is done"
	}
	return when(v.CompleteTo)
}

// searchLine says how far searches are behind the comments, when they are.
func searchLine(v statusView) string {
	if v.SearchLag < 1 {
		return ""
	}
	return fmt.Sprintf("finds what is older than %s: the index of words is filled behind the comments", time.Duration(v.SearchLag*float64(time.Second)).Round(time.Second))
}

func optional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(t)
}

// goesOnLine says when an integration that waits goes on by itself, and how not to wait once it is mended.
func goesOnLine(v statusView) string {
	line := optional(v.Until)
	if line != "" && (v.State == flow.StateConfigInvalid || v.State == flow.StateBackingOff) {
		line += "; at once: starter sync-now " + v.Project + "/" + v.Integration
	}
	return line
}

func connectionLine(v statusView) string {
	line := v.ConnectionState
	if v.Username != "" {
		line += " as " + v.Username
	}
	if v.OrgID != "" {
		line += ", org " + v.OrgID
	}
	for _, s := range []string{v.LostReason, v.LostHint} {
		if s != "" {
			line += "; " + s
		}
	}
	return line
}

func workflowLine(v statusView) string {
	var parts []string
	if w := v.Workflow; w != nil {
		switch {
		case !w.Running:
			parts = append(parts, "does not run: starter start "+v.Project+"/"+v.Integration)
		case w.Status != nil:
			parts = append(parts, "runs, says "+w.Status.State)
		default:
			parts = append(parts, "runs")
		}
	}
	if v.WorkflowNote != "" {
		parts = append(parts, v.WorkflowNote)
	}
	return strings.Join(parts, "; ")
}
