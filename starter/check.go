package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check PROJECT/INTEGRATION",
		Short: "Find out what Salesforce lets the integration read, and what to change there",
		Long: `Asks for a fresh look at Salesforce and shows what it found: as whom and where the
integration reads; per object whether it can be queried, how its changes and deletes are
found, how many records there are, whether the user sees all of them (View All); per field
whether it can be read, filtered, sorted and selected by the Bulk API, and what it feeds;
and in sentences what the Salesforce administrator must or should change.

The same check runs by itself after a grant, after every apply, when Salesforce refuses a
field or an object, and when what describe says changes; this command waits up to a minute
for one more. When none comes, because the integration is paused, not connected or no
worker runs, it says so and shows the last report with its age.

Exit codes: 0 nothing must be changed, 1 something must be, or no fresh report came in
time, 2 the integration cannot be checked as it is, 3 PostgreSQL or Temporal cannot be reached.`,
		Example: `  starter check support/salesforce-prod
  starter check support/salesforce-prod --json | jq -r '.report.must[]'`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, check)
		},
	}
}

// checkResult is the answer of check in JSON: a contract with scripts.
type checkResult struct {
	Project     string              `json:"project"`
	Integration string              `json:"integration"`
	Fresh       bool                `json:"fresh"` // the report answers this request
	ReportedAt  *time.Time          `json:"reported_at"`
	Report      *poll.Report        `json:"report"` // null when there never was one
	Alerts      []store.SchemaEvent `json:"alerts"`
}

func check(ctx context.Context, s *steering) error {
	late := s.hand.Check(ctx, s.i, func(waited time.Duration) {
		if waited < time.Second {
			s.app.say("asking Salesforce…")
		} else {
			s.app.say("still waiting after %s", waited.Round(time.Second))
		}
	})
	result := checkResult{Project: s.i.Project, Integration: s.i.Name, Fresh: late == nil, Alerts: []store.SchemaEvent{}}
	report, stored, err := s.hand.LastReport(ctx, s.i.ID)
	if err != nil {
		return err
	}
	result.ReportedAt, result.Report = stored.At, report
	if alerts, err := s.db.Alerts(ctx, s.i.ID); err != nil {
		return err
	} else if len(alerts) > 0 {
		result.Alerts = alerts
	}
	if err := s.app.showCheck(result); err != nil {
		return err
	}
	switch {
	case late != nil:
		return late
	case result.Report != nil && len(result.Report.Must) > 0:
		return fault.New(fault.Permission, "%s: %s must be changed", s.name(), plural(len(result.Report.Must), "thing")).
			WithHint("do what the report says, then run `starter check %s` again", s.name())
	}
	return nil
}

func (a *app) showCheck(c checkResult) error {
	if a.json {
		return a.printJSON(c)
	}
	if c.Report == nil {
		a.say("%s/%s was never checked", c.Project, c.Integration)
		return nil
	}
	if !c.Fresh && c.ReportedAt != nil {
		a.say("this is the report of %s, %s ago", when(c.ReportedAt), time.Since(*c.ReportedAt).Round(time.Second))
	}
	return a.printReport(c)
}

func (a *app) printReport(c checkResult) error {
	r := c.Report
	a.print("%s/%s  checked %s", c.Project, c.Integration, when(&r.At))
	a.print("  %-12s %s (%s), org %s", "as", r.Username, r.UserID, r.OrgID)
	a.print("  %-12s %s, API version %s, API enabled: %s", "at", r.Instance, r.APIVersion, yes(r.APIEnabled))
	w := tabwriter.NewWriter(a.out, 2, 0, 2, ' ', 0)
	for _, o := range r.Objects {
		fmt.Fprintf(w, "\n%s", o.Object)
		if o.Label != "" && o.Label != o.Object {
			fmt.Fprintf(w, " (%s)", o.Label)
		}
		fmt.Fprintln(w)
		for _, line := range []struct{ label, text string }{
			{"synced", yes(o.OK)},
			{"queryable", yes(o.Queryable)},
			{"deletes", map[bool]string{true: "in Salesforce's log of deletes", false: "no log of deletes: found by comparing Ids"}[o.Replicateable]},
			{"view all", string(o.ViewAll) + dash(o.ViewAllNote)},
			{"bulk", yes(o.Bulk) + dash(o.BulkNote)},
			{"cursor", o.CursorNote},
			{"where", o.Where},
			{"records", rowsLine(o)},
		} {
			if line.text != "" {
				fmt.Fprintf(w, "  %s\t%s\n", line.label, line.text)
			}
		}
		if len(o.Fields) == 0 {
			continue
		}
		fmt.Fprintln(w, "  PATH\tTYPE\tFEEDS\tREADABLE\tFILTER\tSORT\tBULK\tSTATE")
		for _, f := range o.Fields {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Path, f.Type, strings.Join(f.Feeds, ", "),
				yes(f.Visible), yes(f.Filterable), yes(f.Sortable), yes(f.Bulk), strings.ReplaceAll(f.State, "_", " "))
		}
	}
	if err := w.Flush(); err != nil {
		return fault.Wrap(fault.Internal, err, "write the report")
	}
	for _, list := range []struct {
		title     string
		sentences []string
	}{{"must be changed", r.Must}, {"should be changed", r.Should}} {
		if len(list.sentences) == 0 {
			continue
		}
		a.print("\n%s:", list.title)
		for _, sentence := range list.sentences {
			a.print("  - %s", sentence)
		}
	}
	if len(r.Must) == 0 {
		a.print("\nnothing must be changed")
	}
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func dash(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}

func rowsLine(o poll.ObjectReport) string {
	if o.Rows == nil {
		return o.RowsNote
	}
	return fmt.Sprintf("%d in Salesforce", *o.Rows)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
