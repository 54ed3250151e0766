package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Report is what a check found, for people: stored as JSON with the integration and
// shown by `starter check`.
type Report struct {
	SpecVersion int64          `json:"spec_version"`
	At          time.Time      `json:"at"`
	OrgID       string         `json:"org_id"`
	Instance    string         `json:"instance_url"`
	UserID      string         `json:"user_id"`
	Username    string         `json:"username"`
	APIVersion  string         `json:"api_version"`
	APIEnabled  bool           `json:"api_enabled"` // Salesforce answered at all
	Objects     []ObjectReport `json:"objects"`
	// Must is what an administrator has to change before everything is synced, Should what
	// would make it better; sentences.
	Must   []string `json:"must"`
	Should []string `json:"should"`
}

// ObjectReport is a Report's part on one object.
type ObjectReport struct {
	Object        string        `json:"object"`
	Label         string        `json:"label"`
	OK            bool          `json:"ok"` // it is synced
	Problem       string        `json:"problem"`
	Hint          string        `json:"hint"`
	Visible       bool          `json:"visible"`
	Queryable     bool          `json:"queryable"`
	Replicateable bool          `json:"replicateable"` // Salesforce keeps a log of its deletes
	Bulk          bool          `json:"bulk"`
	BulkNote      string        `json:"bulk_note"`
	ViewAll       store.ViewAll `json:"view_all"`
	ViewAllNote   string        `json:"view_all_note"` // why it is so, or why it is not known
	Cursor        string        `json:"cursor"`        // the field by which changes are followed
	CursorNote    string        `json:"cursor_note"`
	Where         string        `json:"where"`
	Rows          *int64        `json:"rows"` // that match where; null when they were not counted
	RowsNote      string        `json:"rows_note"`
	Fields        []FieldReport `json:"fields"`
}

// The states of a FieldReport.
const (
	FieldOK      = "ok"
	FieldFrozen  = "frozen"   // was read and is hidden now: what it fed keeps its last value
	FieldLeftOut = "left_out" // of a preset, never visible
	FieldMissing = "missing"  // stops its object
)

// FieldReport is a Report's part on one path.
type FieldReport struct {
	Path       string     `json:"path"`
	Object     string     `json:"object"` // that has the field
	Field      string     `json:"field"`
	Type       string     `json:"type"`
	Feeds      []string   `json:"feeds"`
	Visible    bool       `json:"visible"` // it exists and the integration user may read it: Salesforce does not tell these apart
	Filterable bool       `json:"filterable"`
	Sortable   bool       `json:"sortable"`
	Bulk       bool       `json:"bulk"`
	State      string     `json:"state"`
	Since      *time.Time `json:"since"`
	Problem    string     `json:"problem"`
	Hint       string     `json:"hint"`
}

// countsHold is how long the numbers of rows of the last report are good enough for a
// check that nobody asked for: one that is repeated until a name is right.
const countsHold = time.Hour

// report writes down what the check found. What it asks besides is for people: that it
// cannot be asked is a finding, not a failure of the check.
func (c *checking) report(ctx context.Context) (*Report, error) {
	t := c.target
	r := &Report{SpecVersion: t.SpecVersion, At: t.ReadAt.UTC(), OrgID: t.OrgID, Instance: t.InstanceURL, UserID: t.UserID, Username: t.Username,
		APIVersion: salesforce.DefaultAPIVersion, APIEnabled: true, Objects: []ObjectReport{}, Must: []string{}, Should: []string{}}
	rights, err := c.rights(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := c.counts(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range c.judged {
		o, err := c.object(ctx, j)
		if err != nil {
			return nil, err
		}
		o.ViewAll, o.ViewAllNote = rights.viewAll(o.Object)
		j.ViewAll = o.ViewAll
		o.Rows, o.RowsNote = counts[j.Name].rows, counts[j.Name].note
		r.Objects = append(r.Objects, o)
		r.advise(o)
	}
	return r, nil
}

// advise adds what must and should be changed for an object.
func (r *Report) advise(o ObjectReport) {
	add := func(list *[]string, sentence string) {
		if sentence = sentenceOf(sentence); !slices.Contains(*list, sentence) {
			*list = append(*list, sentence)
		}
	}
	if !o.OK {
		add(&r.Must, o.Object+" is not synced: "+o.Problem+". Next: "+o.Hint)
	}
	for _, f := range o.Fields {
		switch {
		case f.State == FieldFrozen:
			add(&r.Must, fmt.Sprintf("%s of %s was read until now and is hidden (%s): %s", f.Path, o.Object, strings.Join(f.Feeds, ", "), f.Hint))
		case f.State == FieldMissing && f.Problem != o.Problem:
			add(&r.Must, f.Problem+". Next: "+f.Hint)
		case f.State == FieldLeftOut:
			add(&r.Should, fmt.Sprintf("%s of %s is left out (%s): %s", f.Path, o.Object, strings.Join(f.Feeds, ", "), f.Hint))
		}
	}
	if o.ViewAll == store.ViewAllNo {
		add(&r.Should, fmt.Sprintf("the integration user sees only those %s records that are shared with it: %s", o.Object, giveObject(o.Object, nonEmpty(o.Label, o.Object))))
	}
}

// sentenceOf begins with a capital and ends with a full stop.
func sentenceOf(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if c := s[0]; c >= 'a' && c <= 'z' && !strings.Contains(strings.Fields(s)[0], "__") {
		s = string(c-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func nonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// object reports on one object and every path that its file and preset name.
func (c *checking) object(ctx context.Context, j *judgement) (ObjectReport, error) {
	out := ObjectReport{Object: j.Name, OK: j.Problem == "", Problem: j.Problem, Hint: j.Hint, Fields: []FieldReport{}}
	described, err := c.schema.describe(ctx)(j.want.Object)
	if err != nil && !fault.Is(err, fault.Config, fault.Permission) {
		return out, err
	}
	if err == nil {
		out.Object, out.Label, out.Visible = described.Name, described.Label, true
		out.Queryable, out.Replicateable = described.Queryable, described.Replicateable
		out.Bulk, out.BulkNote = bulkObject(described.Name)
	}
	if j.plan != nil {
		out.Where = j.plan.Where
		out.Cursor = j.plan.Recipe.Stamp
		out.CursorNote = j.plan.Cursor.Says
	}
	if !out.Visible {
		return out, nil
	}
	for _, w := range wanted(j) {
		f, err := c.field(ctx, j, described, w)
		if err != nil {
			return out, err
		}
		if out.Bulk && f.Visible && !f.Bulk {
			out.Bulk, out.BulkNote = false, fmt.Sprintf("the Bulk API does not select %s, which is of type %s", f.Path, f.Type)
		}
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

// wish is one path that the file or a preset names.
type wish struct {
	path     string
	feeds    []string
	optional bool
	filtered bool // it stands in a condition
}

// wanted lists the object's paths, in the order of the file, each once.
func wanted(j *judgement) []wish {
	var out []wish
	add := func(path, feeds string, optional, filtered bool) {
		i := slices.IndexFunc(out, func(w wish) bool { return strings.EqualFold(w.path, path) })
		if i < 0 {
			out = append(out, wish{path: path, optional: true})
			i = len(out) - 1
		}
		w := &out[i]
		w.optional, w.filtered = w.optional && optional, w.filtered || filtered
		if !slices.Contains(w.feeds, feeds) {
			w.feeds = append(w.feeds, feeds)
		}
	}
	add(transform.PathID, "id", false, false)
	if p, err := findPreset(j.want); p != nil && err == nil {
		for _, one := range p.paths {
			if owns(j.want, one) {
				continue
			}
			feeds := one.part
			if one.property != "" {
				feeds = "property " + one.property
			}
			add(one.path, feeds, one.optional, false)
			if one.rich != "" {
				add(one.rich, feeds, false, false)
			}
		}
		for _, l := range p.leaves {
			add(l.field, l.why, l.optional, true)
		}
	}
	for _, part := range config.Parts {
		if path, ok := j.want.Fields[part]; ok {
			add(path, part, false, false)
		}
	}
	for _, p := range j.want.Properties {
		add(p.Path, "property "+p.Name, false, false)
	}
	if e, err := soql.Parse(j.want.Where); err == nil {
		for _, path := range e.Paths() {
			add(path, "where", false, true)
		}
	}
	return out
}

// field reports on one path.
func (c *checking) field(ctx context.Context, j *judgement, o salesforce.Object, w wish) (FieldReport, error) {
	out := FieldReport{Path: w.path, Object: o.Name, Feeds: w.feeds, State: FieldOK}
	found, err := salesforce.ResolvePath(o.Name, w.path, c.schema.describe(ctx))
	if err == nil {
		out.Path, out.Object, out.Field, out.Type = found.Text, found.Object, found.Field.Name, string(found.Field.Type)
		out.Visible, out.Filterable, out.Sortable = true, found.Field.Filterable, found.Field.Sortable
		out.Bulk = !found.Field.Type.Compound() && found.Field.Type != salesforce.TypeBase64
		if w.filtered && !out.Filterable {
			out.State = FieldMissing
			out.Problem = fmt.Sprintf("%s of %s cannot stand in a condition: Salesforce does not filter it", out.Path, o.Name)
			out.Hint = "take it out of the where of " + o.Name
		}
		return out, nil
	}
	if !fault.Is(err, fault.Config, fault.Permission) {
		return out, err
	}
	out.Problem, out.Hint, out.State = err.Error(), fault.HintOf(err), FieldMissing
	g, missing, err := c.schema.gapOf(ctx, o.Name, w.path)
	if err != nil {
		return out, err
	}
	if missing {
		out.Object, out.Field = g.object, g.field
	}
	if j.plan == nil {
		if w.optional {
			out.State = FieldLeftOut
		}
		return out, nil
	}
	if i := slices.IndexFunc(j.plan.Frozen, func(f Frozen) bool { return strings.EqualFold(f.Path, w.path) }); i >= 0 {
		out.State, out.Path, out.Since = FieldFrozen, j.plan.Frozen[i].Path, &j.plan.Frozen[i].Since
		out.Hint = c.schema.advice(g)
		return out, nil
	}
	out.State = FieldLeftOut
	if missing {
		out.Hint = c.schema.advice(g)
	}
	return out, nil
}

// noBulk are objects that the Bulk API is known to refuse (Bulk API 2.0 guide, and what
// other connectors met).
var noBulk = []string{"AcceptedEventRelation", "CaseStatus", "ContractStatus", "DeclinedEventRelation", "KnowledgeArticleViewStat",
	"KnowledgeArticleVoteStat", "OrderStatus", "PartnerRole", "RecentlyViewed", "SolutionStatus", "TaskPriority", "TaskStatus",
	"UndecidedEventRelation", "UserRecordAccess"}

func bulkObject(name string) (ok bool, note string) {
	if slices.Contains(noBulk, name) {
		return false, "the Bulk API refuses this object: it is read over REST"
	}
	return true, ""
}

// counted is a number of rows, or why there is none.
type counted struct {
	rows *int64
	note string
}

// counts asks Salesforce how many rows each good object has, several in one call. A
// count may take Salesforce minutes on a large object: it is no reason to fail.
func (c *checking) counts(ctx context.Context) (map[string]counted, error) {
	out := map[string]counted{}
	if had := c.lastCounts(ctx); had != nil {
		return had, nil
	}
	var asks []salesforce.Ask
	var names []string
	for _, j := range c.judged {
		if j.plan == nil {
			out[j.Name] = counted{note: "not counted: the object is not synced"}
			continue
		}
		q, err := j.plan.query([]string{soql.CountAll}, nil, nil, 0)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "build the count of %s", j.Name)
		}
		asks, names = append(asks, salesforce.Subquery{SOQL: q}), append(names, j.Name)
	}
	if len(asks) == 0 {
		return out, nil
	}
	if err := c.service.mayAsk(ctx, c.target); err != nil {
		return nil, err
	}
	answers, err := c.org.Together(ctx, asks)
	for i, name := range names {
		e := err
		if e == nil {
			e = answers[i].Err
		}
		if e != nil {
			out[name] = counted{note: "not counted: " + e.Error()}
			continue
		}
		n := int64(answers[i].Page.TotalSize)
		out[name] = counted{rows: &n}
	}
	return out, nil
}

// lastCounts are those of the last report, when they are good enough; else nil.
func (c *checking) lastCounts(ctx context.Context) map[string]counted {
	t := c.target
	if t.CheckRequests > t.ChecksAnswered || t.CheckedVersion != t.SpecVersion || t.CheckedAt.Before(t.GrantedAt) {
		return nil
	}
	stored, err := c.service.Store.CheckReport(ctx, t.IntegrationID)
	var last Report
	if err != nil || json.Unmarshal(stored.Report, &last) != nil || t.ReadAt.Sub(last.At) > countsHold {
		return nil
	}
	out := map[string]counted{}
	for _, j := range c.judged {
		i := slices.IndexFunc(last.Objects, func(o ObjectReport) bool { return strings.EqualFold(o.Object, j.Name) })
		if i < 0 || last.Objects[i].OK != (j.plan != nil) {
			return nil
		}
		out[j.Name] = counted{last.Objects[i].Rows, last.Objects[i].RowsNote}
	}
	return out
}

// rights is what the org's permission sets say of the integration user.
type rights struct {
	unknown string          // why nothing is known; "" when it is
	all     bool            // View All Data
	objects map[string]bool // by lower-case name: View All Records; absent = no permission set names the object
}

// byParent are objects without permissions of their own, and the object whose View All
// shows them.
var byParent = map[string]string{"casecomment": "Case", "casehistory": "Case", "casefeed": "Case", "accounthistory": "Account", "contacthistory": "Contact"}

// viewAll says whether the user sees every record of the object, and why.
func (r rights) viewAll(object string) (store.ViewAll, string) {
	if r.unknown != "" {
		return store.ViewAllUnknown, r.unknown
	}
	if r.all {
		return store.ViewAllYes, "the user has View All Data"
	}
	key := strings.ToLower(object)
	if key == "emailmessage" {
		// Yes for the mails of cases only.
		note := "mails follow their case, or without one their activity; only View All Data shows all of them for certain"
		if r.objects["case"] {
			note = "mails of cases are all seen, by View All Records on Case; mails without a case follow their activity"
		}
		return store.ViewAllUnknown, note
	}
	if parent, ok := byParent[key]; ok {
		all, note := r.viewAll(parent)
		return all, object + " follows " + parent + ": " + note
	}
	all, named := r.objects[key]
	switch {
	case all:
		return store.ViewAllYes, "a permission set or the profile gives View All Records on " + object
	case named:
		return store.ViewAllNo, "no permission set of the user, nor its profile, gives View All Records on " + object
	}
	return store.ViewAllUnknown, "no permission set of the user names " + object
}

// rights asks the org's permission sets about the user. Not every user may read them.
func (c *checking) rights(ctx context.Context) (rights, error) {
	names := []string{"Case", "Account", "Contact"} // those of byParent
	for _, j := range c.judged {
		if !slices.Contains(names, j.Name) {
			names = append(names, j.Name)
		}
	}
	r := rights{objects: map[string]bool{}}
	if c.target.UserID == "" {
		r.unknown = "not known: the grant names no user"
		return r, nil
	}
	type row struct {
		PermissionSetID string `json:"PermissionSetId"`
		ViewAllData     bool   `json:"PermissionsViewAllData"`
		SobjectType     string `json:"SobjectType"`
		ViewAllRecords  bool   `json:"PermissionsViewAllRecords"`
	}
	ask := func(s soql.Select) ([]row, error) {
		q, err := s.Build()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "build the question about rights")
		}
		if err := c.service.mayAsk(ctx, c.target); err != nil {
			return nil, err
		}
		page, err := c.org.Query(ctx, q, salesforce.QueryOptions{})
		if err != nil {
			return nil, err
		}
		out := make([]row, len(page.Rows))
		for i, raw := range page.Rows {
			if err := json.Unmarshal(raw, &out[i]); err != nil {
				return nil, fault.Wrap(fault.Transient, err, "read the user's rights")
			}
		}
		return out, nil
	}
	assigned, err := ask(soql.Select{Fields: []string{"PermissionSetId"}, From: "PermissionSetAssignment",
		Where: soql.Compare("AssigneeId", soql.Equal, soql.StringLiteral(c.target.UserID))})
	var sets []string
	for _, a := range assigned {
		if salesforce.ValidID(a.PermissionSetID) {
			sets = append(sets, a.PermissionSetID)
		}
	}
	var given, data []row
	if err == nil && len(sets) > 0 {
		data, err = ask(soql.Select{Fields: []string{"PermissionsViewAllData"}, From: "PermissionSet", Where: soql.OneOf("Id", sets...)})
	}
	if err == nil && len(sets) > 0 {
		given, err = ask(soql.Select{Fields: []string{"SobjectType", "PermissionsViewAllRecords"}, From: "ObjectPermissions",
			Where: soql.AllOf(soql.OneOf("SobjectType", names...), soql.OneOf("ParentId", sets...))})
	}
	switch {
	case fault.Is(err, fault.Stopped), errors.Is(err, context.Canceled):
		return r, err
	case fault.Is(err, fault.Config, fault.Permission):
		r.unknown = "not known: the user may not read permission sets (View Setup and Configuration)"
	case err != nil:
		r.unknown = "not known: " + err.Error()
	case len(sets) == 0:
		r.unknown = "not known: Salesforce shows no permission set of the user"
	}
	for _, d := range data {
		r.all = r.all || d.ViewAllData
	}
	for _, g := range given {
		key := strings.ToLower(g.SobjectType)
		r.objects[key] = r.objects[key] || g.ViewAllRecords
	}
	return r, nil
}
