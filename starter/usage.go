package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) usageCommand() *cobra.Command {
	var month string
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "usage [PROJECT/INTEGRATION] [--month 2026-11] [--csv]",
		Short: "Say what a month has cost in AI units, and what it is heading for",
		Long: `Sums the AI units of a month (UTC) by source and integration: one for each new comment and for
each text that changed. Of the present month it also says what it will come to if it goes on as the
last 7 full days did, large loads left out, and how much of monthly_unit_cap is left.

--csv writes the bill line by line instead: each unit with its comment, revision, the hashes of
the text before and after, and the batch that wrote it. Cells that a spreadsheet would take for
a formula have an apostrophe before them.
--json has the sums of each day.`,
		Example: `  starter usage
  starter usage support/salesforce-prod --month 2026-10
  starter usage support/salesforce-prod --csv >units.csv
  starter usage --json | jq .forecast`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && a.json {
				return fault.New(fault.Invalid, "--csv and --json are two forms of one thing").WithHint("leave one out")
			}
			return a.usage(cmd.Context(), strings.Join(args, ""), month, asCSV)
		},
	}
	cmd.Flags().StringVar(&month, "month", "", "the month, as 2026-11 (default: the present one)")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write every unit as a line of CSV")
	return cmd
}

// usageView is a month's bill in JSON: a contract with scripts.
type usageView struct {
	Month       string         `json:"month"`
	Units       int64          `json:"units"`
	Created     int64          `json:"created"`
	TextChanged int64          `json:"text_changed"`
	PerDay      float64        `json:"per_day"`         // this and the next two are of the present month only
	Days        int            `json:"per_day_of_days"` // full days that the pace is taken from
	Forecast    *int64         `json:"forecast"`        // of the whole month; null when nobody can tell
	Rule        string         `json:"forecast_rule"`
	Caps        []capView      `json:"caps"`
	Rows        []usageRowView `json:"rows"`
}

type usageRowView struct {
	Day         string `json:"day"`
	Project     string `json:"project"`
	Source      string `json:"source"`
	Integration string `json:"integration"` // "" = written through the API
	Created     int64  `json:"created"`
	TextChanged int64  `json:"text_changed"`
	Units       int64  `json:"units"`
}

// capView is an integration's cap of a month in JSON.
type capView struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Month       string `json:"month"`
	Cap         int64  `json:"cap"` // 0 = none
	Used        int64  `json:"used"`
	Left        int64  `json:"left"`
}

const monthLayout = "2006-01"

func viewCap(c store.Cap) capView {
	v := capView{Project: c.Project, Integration: c.Integration, Month: c.Month.Format(monthLayout), Cap: c.Limit, Used: c.Used}
	if c.Limit > 0 {
		v.Left = c.Left()
	}
	return v
}

// line says in words what a month has cost, and what the cap leaves.
func (v capView) line() string {
	if v.Cap == 0 {
		return fmt.Sprintf("%s in %s, no cap", grouped(v.Used), v.Month)
	}
	return fmt.Sprintf("%s of %s in %s, %s left", grouped(v.Used), grouped(v.Cap), v.Month, grouped(v.Left))
}

func (a *app) usage(ctx context.Context, name, month string, asCSV bool) error {
	var f store.LedgerFilter
	if name != "" {
		var err error
		if f.Project, f.Integration, err = splitName(name); err != nil {
			return err
		}
	}
	if month != "" {
		var err error
		if f.From, err = time.Parse(monthLayout, month); err != nil {
			return fault.New(fault.Invalid, "--month: %q is not a month", month).WithHint("write it as 2026-11")
		}
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
	if name != "" {
		known, err := db.KnowsIntegration(ctx, f.Project, f.Integration)
		if err != nil {
			return err
		}
		if !known {
			_, err := db.IntegrationByName(ctx, f.Project, f.Integration) // says which there are
			return err
		}
	}
	now, err := bill.MonthOf(ctx, db, f)
	if err != nil {
		return err
	}
	if f.From.IsZero() {
		f.From = now.Start
	}
	f.To = f.From.AddDate(0, 1, -1)
	if asCSV {
		return bill.WriteCSV(ctx, a.out, db, f, nil)
	}
	v, err := readUsage(ctx, db, f, now)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(v)
	}
	return a.printUsage(v)
}

func readUsage(ctx context.Context, db *store.Store, f store.LedgerFilter, now bill.Month) (usageView, error) {
	v := usageView{Month: f.From.Format(monthLayout), Rule: bill.ForecastRule, Rows: []usageRowView{}, Caps: []capView{}}
	sums, err := db.Usage(ctx, f, store.ByDay, store.ByProject, store.BySource, store.ByIntegration, store.ByReason)
	if err != nil {
		return v, err
	}
	for _, s := range sums {
		row := usageRowView{Day: s.Day.UTC().Format(time.DateOnly), Project: s.Project, Source: s.Source, Integration: s.Integration}
		if last := len(v.Rows) - 1; last >= 0 && v.Rows[last].same(row) {
			row, v.Rows = v.Rows[last], v.Rows[:last]
		}
		row.add(s.Reason, s.Units)
		v.Rows = append(v.Rows, row)
		if s.Reason == store.ReasonCreated {
			v.Created += s.Units
		} else {
			v.TextChanged += s.Units
		}
	}
	v.Units = v.Created + v.TextChanged
	if !f.From.Equal(now.Start) {
		return v, nil
	}
	v.PerDay, v.Days, v.Forecast = math.Round(now.PerDay*10)/10, now.Days, now.Forecast
	caps, err := db.UnitCaps(ctx)
	for _, c := range caps {
		if c.Project == cmp.Or(f.Project, c.Project) && c.Integration == cmp.Or(f.Integration, c.Integration) {
			v.Caps = append(v.Caps, viewCap(c))
		}
	}
	return v, err
}

func (r *usageRowView) same(o usageRowView) bool {
	return r.Day == o.Day && r.Project == o.Project && r.Source == o.Source && r.Integration == o.Integration
}

func (r *usageRowView) add(reason string, units int64) {
	if r.Units += units; reason == store.ReasonCreated {
		r.Created += units
	} else {
		r.TextChanged += units
	}
}

func (a *app) printUsage(v usageView) error {
	w := tabwriter.NewWriter(a.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SOURCE\tFED BY\tNEW COMMENTS\tCHANGED TEXTS\tAI UNITS")
	var sums []usageRowView // of the days together
	for _, r := range v.Rows {
		r.Day = ""
		at := slices.IndexFunc(sums, r.same)
		if at < 0 {
			sums = append(sums, r)
			continue
		}
		sums[at].add(store.ReasonCreated, r.Created)
		sums[at].add(store.ReasonTextChanged, r.TextChanged)
	}
	for _, r := range sums {
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\t%s\n", r.Project, r.Source, cmp.Or(r.Integration, "the API"), grouped(r.Created), grouped(r.TextChanged), grouped(r.Units))
	}
	fmt.Fprintf(w, "%s\t\t%s\t%s\t%s\n", v.Month, grouped(v.Created), grouped(v.TextChanged), grouped(v.Units))
	if err := w.Flush(); err != nil {
		return fault.Wrap(fault.Internal, err, "write the table")
	}
	if v.Forecast != nil {
		a.print("forecast: %s for the month, at %s a day (%s)", grouped(*v.Forecast), grouped(int64(math.Round(v.PerDay))), v.Rule)
	}
	for _, c := range v.Caps {
		a.print("cap of %s/%s: %s", c.Project, c.Integration, c.line())
	}
	return nil
}
