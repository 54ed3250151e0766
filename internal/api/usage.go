package api

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
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
	month, err := bill.MonthOf(ctx, a.store, f)
	if err != nil {
		return nil, err
	}
	if f.From.IsZero() {
		f.From = month.Start
	}
	if f.To.IsZero() {
		f.To = month.End.AddDate(0, 0, -1)
	}
	if f.To.Before(f.From) {
		return nil, fault.New(fault.Invalid, "to is %s, before from, %s", f.To.Format(dayLayout), f.From.Format(dayLayout))
	}
	rows, err := a.store.Usage(ctx, f, groups...)
	if err != nil {
		return nil, err
	}
	caps, err := a.caps(c, f)
	if err != nil {
		return nil, err
	}
	out := wireUsage{From: f.From.Format(dayLayout), To: f.To.Format(dayLayout), GroupBy: groups, Rows: make([]wireUsageRow, len(rows)),
		Month: toWireMonthUsage(month), Caps: caps}
	for i, r := range rows {
		out.Units += r.Units
		out.Rows[i] = toWireUsageRow(r, groups)
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
	at := unitsContinuation{}
	if token := values.Get("after"); token == "" {
		// The list is of what there is now, however long it takes to read it.
		if at.Before, err = a.store.SettledUnits(ctx); err != nil {
			return nil, err
		}
	} else if at, err = readUnitsContinuation(token); err != nil {
		return nil, err
	}
	units, more, err := a.store.ListUnits(ctx, f, at.Before, at.After, limit)
	if err != nil {
		return nil, err
	}
	list := make([]wireUnit, len(units))
	for i, u := range units {
		list[i] = toWireUnit(u)
	}
	c.rows = int64(len(list))
	out := reply{"units": list}
	if more {
		key := units[len(units)-1].Key()
		at.After = &key
		out["continuation"] = at.String()
	}
	return out, nil
}

// ledgerFilter reads which units are asked for, and leaves out what the caller may not see.
func (a *API) ledgerFilter(c *call, values url.Values) (store.LedgerFilter, error) {
	f := store.LedgerFilter{Source: values.Get("source"), Reason: values.Get("reason")}
	for name, into := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(dayLayout, text)
		if err != nil {
			return f, fault.New(fault.Invalid, "%s is %.40q, want a day (UTC) such as 2026-11-30", name, text)
		}
		*into = day
	}
	for name, pattern := range map[string]*regexp.Regexp{"project": projectName, "source": sourceName, "integration": sourceName} {
		if text := values.Get(name); text != "" && !validName(pattern, text, maxProjectName) {
			return f, fault.New(fault.Invalid, "%s is %.40q, which cannot be a name", name, text)
		}
	}
	if f.Reason != "" && f.Reason != store.ReasonCreated && f.Reason != store.ReasonTextChanged {
		return f, fault.New(fault.Invalid, "reason is %.40q, want %s or %s", f.Reason, store.ReasonCreated, store.ReasonTextChanged)
	}
	if c.project != "" { // of one integration
		f.Projects, f.Project = []string{c.project}, c.project
		f.Integration = c.r.PathValue("integration")
		for _, name := range []string{"project", "integration"} {
			if values.Get(name) != "" {
				return f, fault.New(fault.Invalid, "%s is in the path already", name)
			}
		}
		// A name that was never billed and does not exist is no integration at all.
		return f, a.knowsIntegration(c, f)
	}
	f.Project, f.Integration = values.Get("project"), values.Get("integration")
	if c.who.CanGlobally(access.TenantQuotaRead) && c.who.CanEverywhere(access.SourcesRead) {
		return f, nil // what is left of projects that are gone is nobody else's
	}
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return f, err
	}
	f.Projects = []string{}
	for _, p := range projects {
		if c.who.Can(p.Name, access.SourcesRead) {
			f.Projects = append(f.Projects, p.Name)
		}
	}
	return f, nil
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

// caps are those of the integrations that a filter leaves in and the caller may see.
func (a *API) caps(c *call, f store.LedgerFilter) ([]wireCap, error) {
	all, err := a.store.UnitCaps(c.r.Context())
	if err != nil {
		return nil, err
	}
	list := []wireCap{}
	for _, u := range all {
		if c.who.Can(u.Project, access.IntegrationsRead) && u.Project == cmp.Or(f.Project, u.Project) && u.Integration == cmp.Or(f.Integration, u.Integration) {
			list = append(list, toWireCap(u))
		}
	}
	return list, nil
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

// unitsContinuation is a place in a list of units. It is no secret and no right: what is asked for, and
// whether the caller may see it, is read with every page.
type unitsContinuation struct {
	Before time.Time      `json:"b"`
	After  *store.UnitKey `json:"a"`
}

// String writes the token.
func (u unitsContinuation) String() string {
	raw, _ := json.Marshal(u) // times read from PostgreSQL always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

func readUnitsContinuation(token string) (unitsContinuation, error) {
	var u unitsContinuation
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(raw, &u) != nil || u.After == nil || !idText.MatchString(u.After.SourceID) ||
		strings.ContainsRune(u.After.CommentID, 0) || u.After.Revision < 0 || u.After.Revision > 1<<30 || u.Before.Year() > 9999 || u.After.At.Year() > 9999 {
		return u, fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
	}
	return u, nil
}
