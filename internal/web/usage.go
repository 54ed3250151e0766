package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// monthLayout is how a month is written in addresses, and monthWords how people read it.
const (
	monthLayout = "2006-01"
	monthWords  = "January 2006"
)

type usagePage struct {
	page
	usageChoice
	MaySee  bool // there is a project whose AI units may be seen
	Present bool // it is the month that is under way
	Units   int64
	Month   bill.Month // the present one
	PerDay  int64
	Rule    string
	Chart   chart
	Lines   []usageLine
	Days    []usageDay // with a unit, the newest first
	Caps    []capLine
	CSV     string // where the units of the month are to be had as a file
}

// usageChoice is what of the bill is looked at, and what else could be.
type usageChoice struct {
	Filter       store.LedgerFilter
	Start        time.Time // of the month
	Months       []monthChoice
	Projects     []string
	Sources      []string
	Integrations []string
}

type monthChoice struct {
	Value, Label string
	Chosen       bool
}

// usageLine is what a source has cost, by what fed it.
type usageLine struct {
	Project, Source, Integration string // no integration = the API
	Created, TextChanged, Units  int64
	Percent                      int
	Path                         string // of the units themselves
}

type usageDay struct {
	Day                         time.Time
	Created, TextChanged, Units int64
	Path                        string
}

type capLine struct {
	store.Cap
	Percent int
	Tone    string // of the bar: "" or waits
}

// usage shows what a month has cost: by day and source, with what it is heading for and the caps.
func (web *Web) usage(v *visit) error {
	data := usagePage{page: web.page(v, "AI units"), Rule: bill.ForecastRule}
	f, err := web.ledgerFilter(v)
	if err != nil {
		return err
	}
	data.MaySee = f.Projects == nil || len(f.Projects) > 0
	ctx := v.r.Context()
	if f.From, f.To, err = readMonth(v.r.URL.Query().Get("month")); err != nil {
		return err
	}
	report, err := bill.ReportOf(ctx, web.store, f, store.ByProject, store.BySource, store.ByIntegration, store.ByReason)
	if err != nil {
		return err
	}
	f.From, f.To = report.From, report.To
	data.Filter, data.Start, data.Present = f, report.From, report.From.Equal(report.Month.Start)
	data.Month, data.Units, data.PerDay = report.Month, report.Units, int64(report.Month.PerDay+.5)
	data.lines(report.Rows)
	if err := web.usageDays(ctx, &data); err != nil {
		return err
	}
	caps, err := bill.CapsOf(ctx, web.store, f, func(project string) bool { return v.who.Can(project, access.IntegrationsRead) })
	if err != nil {
		return err
	}
	for _, c := range caps {
		line := capLine{Cap: c, Percent: int(min(100, 100*c.Used/max(c.Limit, 1)))}
		if line.Percent >= 90 {
			line.Tone = "waits"
		}
		data.Caps = append(data.Caps, line)
	}
	if err := web.usageChoices(ctx, &data.usageChoice, f.Projects, report.Month); err != nil {
		return err
	}
	data.CSV = unitsCSV(f)
	return web.render(v, http.StatusOK, "usage", data)
}

// ledgerFilter reads which units are asked for, of those that the visitor may see: as the API does.
func (web *Web) ledgerFilter(v *visit) (store.LedgerFilter, error) {
	f, err := bill.ReadFilter(v.r.URL.Query())
	if err != nil {
		return f, err
	}
	projects, err := web.store.Projects(v.r.Context())
	if err == nil {
		f.Projects = v.who.BilledProjects(projects)
	}
	return f, err
}

// readMonth reads a month's first and last day; "" leaves both open, which is the present month.
func readMonth(text string) (from, to time.Time, err error) {
	if text == "" {
		return from, to, nil
	}
	if from, err = time.Parse(monthLayout, text); err != nil {
		return from, to, fault.New(fault.Invalid, "month is %.40q, want a month such as 2026-11", text)
	}
	return from, from.AddDate(0, 1, -1), nil
}

// lines adds sums up by source and what fed it, the dearest first.
func (p *usagePage) lines(rows []store.UsageRow) {
	sums := map[[3]string]*usageLine{}
	for _, r := range rows {
		key := [3]string{r.Project, r.Source, r.Integration}
		line := sums[key]
		if line == nil {
			line = &usageLine{Project: r.Project, Source: r.Source, Integration: r.Integration}
			sums[key] = line
		}
		addUnits(r, &line.Created, &line.TextChanged, &line.Units)
	}
	for _, line := range sums {
		line.Percent = int(100 * line.Units / max(p.Units, 1))
		f := p.Filter
		f.Project, f.Source, f.Integration = line.Project, line.Source, cmp.Or(line.Integration, f.Integration)
		line.Path = unitsPath(f)
		p.Lines = append(p.Lines, *line)
	}
	slices.SortFunc(p.Lines, func(a, b usageLine) int {
		return cmp.Or(cmp.Compare(b.Units, a.Units), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Integration, b.Integration))
	})
}

func addUnits(r store.UsageRow, created, changed, units *int64) {
	*units += r.Units
	if r.Reason == store.ReasonCreated {
		*created += r.Units
	} else {
		*changed += r.Units
	}
}

// usageDays reads the month day by day, and draws it by source.
func (web *Web) usageDays(ctx context.Context, p *usagePage) error {
	rows, err := web.store.Usage(ctx, p.Filter, store.ByDay, store.ByReason)
	if err != nil {
		return err
	}
	days := map[time.Time]*usageDay{}
	for _, r := range rows {
		at := r.Day.UTC()
		day := days[at]
		if day == nil {
			f := p.Filter
			f.From, f.To = at, at
			day = &usageDay{Day: at, Path: unitsPath(f)}
			days[at] = day
		}
		addUnits(r, &day.Created, &day.TextChanged, &day.Units)
	}
	for _, at := range slices.SortedFunc(maps.Keys(days), func(a, b time.Time) int { return b.Compare(a) }) {
		p.Days = append(p.Days, *days[at])
	}
	names, of := p.series()
	rows, err = web.store.Usage(ctx, p.Filter, store.ByDay, store.ByProject, store.BySource)
	if fault.Is(err, fault.Invalid) { // more sources than can be told apart: the days alone
		names, of = []string{"AI units"}, func(store.UsageRow) int { return 0 }
		rows, err = web.store.Usage(ctx, p.Filter, store.ByDay)
	}
	if err != nil {
		return err
	}
	var columns []column
	for day := p.Filter.From; !day.After(p.Filter.To); day = day.AddDate(0, 0, 1) {
		columns = append(columns, column{Label: day.Format("2 Jan"), At: day, Day: true, Values: make([]int64, len(names))})
	}
	for _, r := range rows {
		if at := int(r.Day.Sub(p.Filter.From).Hours() / 24); at >= 0 && at < len(columns) {
			columns[at].Values[of(r)] += r.Units
		}
	}
	p.Chart = newChart("AI units per day (UTC)", names, columns)
	return nil
}

// series are the dearest sources, and the others together when a chart has no colours for all.
func (p *usagePage) series() (names []string, of func(store.UsageRow) int) {
	type source struct{ project, name string }
	sums := map[source]int64{}
	for _, l := range p.Lines {
		sums[source{l.Project, l.Source}] += l.Units
	}
	list := slices.SortedFunc(maps.Keys(sums), func(a, b source) int {
		return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a.project, b.project), cmp.Compare(a.name, b.name))
	})
	shown := list[:min(len(list), mostSeries)]
	if len(list) > mostSeries {
		shown = list[:mostSeries-1]
	}
	place := map[source]int{}
	for i, s := range shown {
		names, place[s] = append(names, s.project+"/"+s.name), i
	}
	if len(shown) < len(list) {
		names = append(names, "other sources")
	}
	return names, func(r store.UsageRow) int {
		if i, shown := place[source{r.Project, r.Source}]; shown {
			return i
		}
		return len(names) - 1
	}
}

// usageChoices finds what can be chosen: of everything that has ever cost something and may be seen, and within
// the project that is chosen.
func (web *Web) usageChoices(ctx context.Context, c *usageChoice, projects []string, month bill.Month) error {
	rows, err := web.store.Usage(ctx, store.LedgerFilter{Projects: projects}, store.ByProject, store.BySource, store.ByIntegration)
	if err != nil && !fault.Is(err, fault.Invalid) { // there is more than anybody would choose from: what is chosen is left
		return err
	}
	rows = append(rows, store.UsageRow{Project: c.Filter.Project, Source: c.Filter.Source, Integration: c.Filter.Integration})
	choices := map[*[]string]map[string]bool{&c.Projects: {}, &c.Sources: {}, &c.Integrations: {}}
	for _, r := range rows {
		choices[&c.Projects][r.Project] = true
		if r.Project == cmp.Or(c.Filter.Project, r.Project) {
			choices[&c.Sources][r.Source], choices[&c.Integrations][r.Integration] = true, true
		}
	}
	for into, names := range choices {
		delete(names, "")
		*into = slices.Sorted(maps.Keys(names))
	}
	first := month.Start
	if !month.Began.IsZero() && month.Began.Before(first) {
		first = time.Date(month.Began.Year(), month.Began.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	for at := month.Start; !at.Before(first); at = at.AddDate(0, -1, 0) {
		c.Months = append(c.Months, monthChoice{at.Format(monthLayout), at.Format(monthWords), at.Equal(c.Start)})
	}
	if c.Start.Before(first) || c.Start.After(month.Start) {
		c.Months = append(c.Months, monthChoice{c.Start.Format(monthLayout), c.Start.Format(monthWords), true})
	}
	return nil
}

// filterQuery is the part of an address that chooses the same units.
func filterQuery(f store.LedgerFilter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"project": f.Project, "source": f.Source, "integration": f.Integration, "reason": f.Reason} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, day := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !day.IsZero() {
			q.Set(name, day.Format(time.DateOnly))
		}
	}
	return q
}

// unitsPath is the page with the units that a filter chooses.
func unitsPath(f store.LedgerFilter) string { return withQuery("/usage/units", filterQuery(f)) }

// unitsCSV is where the API has the units that a filter chooses as a file; it takes the browser's session.
func unitsCSV(f store.LedgerFilter) string {
	q := filterQuery(f)
	q.Set("format", "csv")
	return withQuery("/api/v1/usage/units", q)
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
