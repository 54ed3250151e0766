package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/salesforce"
)

// mostFound is how many objects a search shows.
const mostFound = 40

// ready is an object with a preset: it needs no fields to be chosen.
type ready struct{ Preset, Object, Label, About string }

var readies = []ready{
	{config.PresetEmail, "EmailMessage", "Emails", "Mails of cases, in and out, with their case."},
	{config.PresetCase, "Case", "Cases", "Subject and description of each case."},
	{config.PresetCaseComment, "CaseComment", "Case comments", "What agents and customers write on a case."},
	{config.PresetTask, "Task", "Tasks and calls", "Notes of calls and tasks. Copies of mails are left out."},
	{config.PresetFeed, "FeedItem", "Feed posts", "Chatter posts. What the platform writes by itself is left out."},
	{config.PresetFeed, "FeedComment", "Feed comments", "Answers to Chatter posts."},
	{config.PresetChat, "LiveChatTranscript", "Chats", "Transcripts, a message for each turn."},
}

// objectChoice is an object that can be ticked.
type objectChoice struct {
	ready
	Seen   bool // by the integration user
	Chosen bool
	Where  string
	More   int // properties beside the preset's
	Path   string
}

type objectsPage struct {
	setupFrame
	Ready   []objectChoice
	Chosen  []objectChoice // without a preset
	Query   string
	Found   []salesforce.ObjectSummary
	Hits    int   // of which Found are the first
	All     int64 // objects that the user sees
	Fields  map[string]string
	Version int64
	Trouble string // why Salesforce did not say what there is
	Next    string
}

// setupObjects lets objects be chosen: those with a preset, and any other that the user sees.
func (web *Web) setupObjects(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepObjects) {
		return nil
	}
	p, err := web.objectsPage(v, d)
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "setup-objects", p)
}

func (web *Web) objectsPage(v *visit, d *draft) (*objectsPage, error) {
	frame, err := web.setupFrame(v, d, stepObjects, "Objects of "+d.Project+"/"+d.Name)
	if err != nil {
		return nil, err
	}
	p := &objectsPage{setupFrame: frame, Version: d.Version, Query: strings.TrimSpace(v.r.URL.Query().Get("q")), Fields: map[string]string{}}
	p.Fields["poll_interval"] = d.Spec.PollInterval.String()
	if d.Spec.StartFrom != nil {
		p.Fields["start_from"] = d.Spec.StartFrom.UTC().Format(time.DateOnly)
	}
	if d.Spec.MonthlyUnitCap > 0 {
		p.Fields["monthly_unit_cap"] = strconv.FormatInt(d.Spec.MonthlyUnitCap, 10)
	}
	seen, err := web.setup.Objects(v.r.Context(), d.ID)
	switch {
	case forPeople(err):
		wrong := fieldErrors{}
		wrong.addFault("", err)
		p.Trouble, p.Next = wrong[""], d.Path
	case err != nil:
		return nil, err
	}
	queryable := func(name string) bool {
		return slices.ContainsFunc(seen, func(o salesforce.ObjectSummary) bool { return o.Queryable && strings.EqualFold(o.Name, name) })
	}
	for _, r := range readies {
		c := objectChoice{ready: r, Seen: queryable(r.Object), Path: d.objectPath(r.Object)}
		if o, chosen := d.Spec.FindObject(r.Object); chosen && o.Preset != "" {
			c.Chosen, c.Where, c.More = true, o.Where, len(o.Properties)
		}
		p.Ready = append(p.Ready, c)
	}
	for _, o := range d.Spec.Objects {
		if o.Preset == "" {
			p.Chosen = append(p.Chosen, objectChoice{ready: ready{Object: o.Object, Label: o.Object}, Seen: queryable(o.Object), Chosen: true,
				Where: o.Where, More: len(o.Properties), Path: d.objectPath(o.Object)})
		}
	}
	for _, o := range seen {
		if o.Queryable {
			p.All++
		}
	}
	if p.Query != "" {
		p.find(seen)
	}
	return p, nil
}

// find lists objects by a part of their name or label, those first that begin with it.
func (p *objectsPage) find(seen []salesforce.ObjectSummary) {
	q := strings.ToLower(p.Query)
	for _, o := range seen {
		if o.Queryable && (strings.Contains(strings.ToLower(o.Name), q) || strings.Contains(strings.ToLower(o.Label), q)) {
			p.Found = append(p.Found, o)
		}
	}
	first := func(o salesforce.ObjectSummary) int {
		if strings.HasPrefix(strings.ToLower(o.Name), q) || strings.HasPrefix(strings.ToLower(o.Label), q) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.Found, func(a, b salesforce.ObjectSummary) int {
		if by := first(a) - first(b); by != 0 {
			return by
		}
		return strings.Compare(a.Name, b.Name)
	})
	p.Hits = len(p.Found)
	p.Found = p.Found[:min(mostFound, len(p.Found))]
}

func (d *draft) objectPath(object string) string {
	return d.Path + "/objects/" + url.PathEscape(object)
}

// chooseObjects applies what is ticked and lets it be checked.
func (web *Web) chooseObjects(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepObjects) {
		return nil
	}
	form, err := readForm(v)
	if err != nil {
		return err
	}
	spec := d.Spec
	spec.Objects = nil
	ticked := form["object"]
	has := func(name string) bool {
		return slices.ContainsFunc(ticked, func(t string) bool { return strings.EqualFold(t, name) })
	}
	for _, o := range d.Spec.Objects {
		if has(o.Object) {
			spec.Objects = append(spec.Objects, o)
		}
	}
	for _, r := range readies {
		if _, there := spec.FindObject(r.Object); !there && has(r.Object) {
			spec.Objects = append(spec.Objects, config.Object{Object: r.Object, Preset: r.Preset, Deleted: config.DeletedTombstone})
		}
	}
	wrong, err := web.readOptions(&spec, form)
	if err != nil {
		return err
	}
	// What is ticked is kept, too, by who goes on to look for an object or at its fields.
	next := onTheWay(d, form)
	if len(spec.Objects) == 0 && next == "" {
		wrong.add("object", "choose at least one object")
	}
	if len(wrong) == 0 {
		version := versionOf(form)
		if wrong, err = web.applyDraft(v, d, spec, &version); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		p, err := web.objectsPage(v, d)
		if err != nil {
			return err
		}
		p.Errors = wrong
		for _, field := range []string{"poll_interval", "start_from", "monthly_unit_cap"} {
			p.Fields[field] = form.Get(field)
		}
		for i := range p.Ready {
			p.Ready[i].Chosen = has(p.Ready[i].Object)
		}
		for i := range p.Chosen {
			p.Chosen[i].Chosen = has(p.Chosen[i].Object)
		}
		return web.render(v, http.StatusUnprocessableEntity, "setup-objects", p)
	}
	if next == "" {
		if err := web.setup.Examine(v.r.Context(), d.Integration); err != nil {
			return err
		}
		next = d.Path + "/check"
	}
	http.Redirect(v.w, v.r, next, http.StatusSeeOther)
	return nil
}

// onTheWay is where somebody goes who is not done with choosing; "" = to the check. Who presses Enter in the
// field of the search wants to search.
func onTheWay(d *draft, form url.Values) string {
	q, action := strings.TrimSpace(form.Get("q")), form.Get("action")
	switch {
	case form.Get("edit") != "":
		return d.objectPath(form.Get("edit"))
	case action == "search", action == "enter" && q != form.Get("shown"):
		return d.Path + "/objects?q=" + url.QueryEscape(q) + "#others"
	}
	return ""
}

// applyDraft applies a draft's file over the version that the form was made for; what is said in return is
// for the form as a whole.
func (web *Web) applyDraft(v *visit, d *draft, spec config.Integration, version *int64) (fieldErrors, error) {
	_, err := web.apply(v, spec, operate.ApplyOptions{NoStart: true, Over: version})
	switch {
	case fault.Is(err, fault.Conflict):
		return fieldErrors{"": sentence(err) + " Perhaps it was another tab. Look at what you chose, and send it again."}, nil
	case fault.Is(err, fault.Forbidden):
		wrong := fieldErrors{}
		wrong.addFault("", err)
		return wrong, nil
	}
	return nil, err
}

// readOptions reads what is chosen beside the objects.
func (web *Web) readOptions(spec *config.Integration, form url.Values) (fieldErrors, error) {
	file := formFile{}
	bare := *spec
	bare.Objects, bare.StartFrom, bare.MonthlyUnitCap, bare.Destination = nil, nil, 0, nil
	text, err := config.WriteIntegration(bare)
	if err != nil {
		return nil, err
	}
	file.whole([]byte(withoutKey(string(text), "poll_interval")))
	file.value("poll_interval", "poll_interval", form.Get("poll_interval"), true)
	if day := strings.TrimSpace(form.Get("start_from")); day != "" {
		file.value("start_from", "start_from", day+"T00:00:00Z", true)
	}
	if most := strings.NewReplacer(",", "", " ", "").Replace(strings.TrimSpace(form.Get("monthly_unit_cap"))); most != "" {
		if _, err := strconv.ParseInt(most, 10, 64); err == nil {
			file.line("monthly_unit_cap", "monthly_unit_cap: "+most)
		} else {
			file.value("monthly_unit_cap", "monthly_unit_cap", most, true)
		}
	}
	read, wrong, err := file.read(web.checks)
	if wrong == nil {
		wrong = fieldErrors{}
	}
	if before := spec.StartFrom; before == nil || read.StartFrom == nil || !sameDay(*before, *read.StartFrom) {
		spec.StartFrom = read.StartFrom // else its time of day stays
	}
	spec.PollInterval, spec.MonthlyUnitCap = read.PollInterval, read.MonthlyUnitCap
	return wrong, err
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

// withoutKey drops the line of a key at the top of a file.
func withoutKey(file, key string) string {
	var b strings.Builder
	for line := range strings.Lines(file) {
		if !strings.HasPrefix(line, key+":") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// versionOf is the version that a form was made for; 0 for none, which fits nothing that is there.
func versionOf(form url.Values) int64 {
	n, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
