package api

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Pages of units.
const (
	defaultUnits = 256
	maxUnits     = 2048
)

const dayLayout = time.DateOnly

// getUsage sums AI units by day, source, integration and reason, and says what the month has cost and is
// heading for. Without an integration in its path it is of every source that the caller may
// read.
func (a *API) getUsage(c *call) (reply, error) {
	values := c.r.URL.Query()
	ctx := c.r.Context()
	f, err := a.ledgerFilter(c, values)
	if err != nil {
		return nil, err
	}
	groups, err := readGroups(values.Get("group_by"))
	if err != nil {
		return nil, err
	}
	report, err := bill.ReportOf(ctx, a.store, f, groups...)
	if err != nil {
		return nil, err
	}
	caps, err := bill.CapsOf(ctx, a.store, f, func(project string) bool { return c.who.Can(project, access.IntegrationsRead) })
	if err != nil {
		return nil, err
	}
	out := wireUsage{From: report.From.Format(dayLayout), To: report.To.Format(dayLayout), Units: report.Units, GroupBy: groups,
		Rows: make([]wireUsageRow, len(report.Rows)), Month: toWireMonthUsage(report.Month), Caps: make([]wireCap, len(caps))}
	for i, r := range report.Rows {
		out.Rows[i] = toWireUsageRow(r, groups)
	}
	for i, u := range caps {
		out.Caps[i] = toWireCap(u)
	}
	return reply{"usage": out}, nil
}

// listUnits gives the bill line by line: a page of it as JSON, or all of it as CSV.
func (a *API) listUnits(c *call) (reply, error) {
	values := c.r.URL.Query()
	ctx := c.r.Context()
	f, err := a.ledgerFilter(c, values)
	if err != nil {
		return nil, err
	}
	asCSV, err := wantsCSV(c.r, values.Get("format"))
	if err != nil {
		return nil, err
	}
	if asCSV {
		c.file = &file{contentType: "text/csv; charset=utf-8; header=present", name: "ai-units" + spanName(f) + ".csv", write: func(w io.Writer) error {
			return bill.WriteCSV(ctx, w, a.store, f, nil)
		}}
		return nil, nil
	}
	limit := defaultUnits
	if text := values.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxUnits {
			return nil, fault.New(fault.Invalid, "limit is %.20q, want 1 to %d", text, maxUnits)
		}
	}
	units, next, err := bill.UnitsPage(ctx, a.store, f, values.Get("after"), limit)
	if err != nil {
		return nil, err
	}
	list := make([]wireUnit, len(units))
	for i, u := range units {
		list[i] = toWireUnit(u)
	}
	c.rows = int64(len(list))
	out := reply{"units": list}
	if next != "" {
		out["continuation"] = next
	}
	return out, nil
}

// ledgerFilter reads which units are asked for, and leaves out what the caller may not see.
func (a *API) ledgerFilter(c *call, values url.Values) (store.LedgerFilter, error) {
	f, err := bill.ReadFilter(values)
	if err != nil {
		return f, err
	}
	if c.project != "" { // of one integration
		for _, name := range []string{"project", "integration"} {
			if values.Get(name) != "" {
				return f, fault.New(fault.Invalid, "%s is in the path already", name)
			}
		}
		f.Projects, f.Project = []string{c.project}, c.project
		f.Integration = c.r.PathValue("integration")
		// A name that was never billed and does not exist is no integration at all.
		return f, a.knowsIntegration(c, f)
	}
	projects, err := a.store.Projects(c.r.Context())
	if err == nil {
		f.Projects = c.who.BilledProjects(projects)
	}
	return f, err
}

// knowsIntegration refuses an integration that is not there and has never cost anything.
func (a *API) knowsIntegration(c *call, f store.LedgerFilter) error {
	missing := fault.New(fault.NotFound, "there is no integration %.200q", c.project+"/"+f.Integration)
	if !validName(sourceName, f.Integration, maxSourceName) {
		return missing
	}
	known, err := a.store.KnowsIntegration(c.r.Context(), f.Project, f.Integration)
	if err == nil && !known {
		err = missing
	}
	return err
}

func readGroups(text string) ([]string, error) {
	if text == "" {
		return []string{store.ByDay, store.ByProject, store.BySource, store.ByIntegration, store.ByReason}, nil
	}
	asked := strings.Split(text, ",")
	for _, g := range asked {
		if !slices.Contains(store.Groups, g) {
			return nil, fault.New(fault.Invalid, "group_by has %.40q, want some of %s, with commas between them", g, strings.Join(store.Groups, ", "))
		}
	}
	return asked, nil
}

// wantsCSV reads what form the answer is wanted in.
func wantsCSV(r *http.Request, format string) (bool, error) {
	switch format {
	case "csv":
		return true, nil
	case "json":
		return false, nil
	case "":
		first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
		kind, _, _ := strings.Cut(first, ";")
		return strings.EqualFold(strings.TrimSpace(kind), "text/csv"), nil
	}
	return false, fault.New(fault.Invalid, "format is %.20q, want json or csv", format)
}

// spanName is the part of a file's name that says which days are in it.
func spanName(f store.LedgerFilter) string {
	name := ""
	if !f.From.IsZero() {
		name += "-from-" + f.From.Format(dayLayout)
	}
	if !f.To.IsZero() {
		name += "-to-" + f.To.Format(dayLayout)
	}
	return name
}

type wireUsage struct {
	From    string         `json:"from"` // the first day, UTC
	To      string         `json:"to"`   // the last one
	Units   int64          `json:"units"`
	GroupBy []string       `json:"group_by"`
	Rows    []wireUsageRow `json:"rows"`
	Month   wireMonthUsage `json:"month"` // the present one, whatever days were asked for
	Caps    []wireCap      `json:"caps"`
}

// wireUsageRow has only what was grouped by.
type wireUsageRow struct {
	Day         string  `json:"day,omitempty"`
	Project     string  `json:"project,omitempty"`
	Source      string  `json:"source,omitempty"`
	SourceID    string  `json:"source_id,omitempty"`
	Integration *string `json:"integration,omitempty"` // "" = written through the API
	Object      *string `json:"object,omitempty"`
	Lane        *string `json:"lane,omitempty"`
	Reason      string  `json:"reason,omitempty"`
	Units       int64   `json:"units"`
}

func toWireUsageRow(r store.UsageRow, groups []string) wireUsageRow {
	w := wireUsageRow{Project: r.Project, Source: r.Source, SourceID: r.SourceID, Reason: r.Reason, Units: r.Units}
	if !r.Day.IsZero() {
		w.Day = r.Day.UTC().Format(dayLayout)
	}
	for group, set := range map[string]func(){
		store.ByIntegration: func() { w.Integration = &r.Integration },
		store.ByObject:      func() { w.Object = &r.Object },
		store.ByLane:        func() { w.Lane = &r.Lane },
	} {
		if slices.Contains(groups, group) {
			set()
		}
	}
	return w
}

type wireMonthUsage struct {
	Month    string  `json:"month"` // "2026-11"
	Units    int64   `json:"units"` // so far
	PerDay   float64 `json:"per_day"`
	Days     int     `json:"per_day_of_days"` // full days that the pace is taken from
	Forecast *int64  `json:"forecast"`        // of the whole month; null without a full day to go by
	Rule     string  `json:"forecast_rule"`
}

func toWireMonthUsage(m bill.Month) wireMonthUsage {
	return wireMonthUsage{m.Start.Format("2006-01"), m.Units, m.PerDay, m.Days, m.Forecast, bill.ForecastRule}
}

type wireCap struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Month       string `json:"month"`
	Cap         int64  `json:"cap"`
	Used        int64  `json:"used"`
	Left        int64  `json:"left"`
}

func toWireCap(u store.Cap) wireCap {
	return wireCap{u.Project, u.Integration, u.Month.Format("2006-01"), u.Limit, u.Used, u.Left()}
}

type wireUnit struct {
	At         timestamp `json:"at"`
	Project    string    `json:"project"`
	Source     string    `json:"source"`
	SourceID   string    `json:"source_id"`
	CommentID  string    `json:"comment_id"`
	Revision   int       `json:"revision"`
	Reason     string    `json:"reason"`
	Units      int       `json:"units"`
	BeforeHash *string   `json:"before_hash"` // null for a creation
	AfterHash  string    `json:"after_hash"`
	Run        wireRun   `json:"run"`
}

// wireRun is what wrote a unit. Lane "api" has no more than that.
type wireRun struct {
	Integration string `json:"integration,omitempty"`
	Object      string `json:"object,omitempty"`
	Lane        string `json:"lane"`
	Part        string `json:"part,omitempty"`
	Stream      *int64 `json:"stream,omitempty"`
	Epoch       *int64 `json:"epoch,omitempty"`
	Seq         *int64 `json:"seq,omitempty"`
}

func toWireUnit(u store.Unit) wireUnit {
	w := wireUnit{At: timestamp(u.At), Project: u.Project, Source: u.Source, SourceID: u.SourceID, CommentID: u.CommentID, Revision: u.Revision,
		Reason: u.Reason, Units: u.Units, AfterHash: hex.EncodeToString(u.AfterHash),
		Run: wireRun{u.Integration, u.Object, u.Lane, u.Part, u.Stream, u.Epoch, u.Seq}}
	if u.BeforeHash != nil {
		before := hex.EncodeToString(u.BeforeHash)
		w.BeforeHash = &before
	}
	return w
}
