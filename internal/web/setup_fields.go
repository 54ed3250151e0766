package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
)

// part is a part of a comment that a field can fill.
type commentPart struct {
	Key, Label, About string
	Types             []salesforce.FieldType // that fit; nil = any text
	Chosen            string
	Options           []fieldOption
	Error             string
}

type fieldOption struct{ Path, Label string }

var (
	texts = []salesforce.FieldType{salesforce.TypeTextArea, salesforce.TypeString}
	times = []salesforce.FieldType{salesforce.TypeDateTime, salesforce.TypeDate}
	flags = []salesforce.FieldType{salesforce.TypeBoolean, salesforce.TypePicklist}
)

// commentParts are the parts that the page offers. A file can say more.
var commentParts = []commentPart{
	{Key: "timestamp", Label: "Timestamp", About: "When it was written. Needed.", Types: times},
	{Key: "body", Label: "Text", About: "The text that is analysed. Text or subject is needed.", Types: texts},
	{Key: "subject", Label: "Subject", Types: texts},
	{Key: "from", Label: "Sender"},
	{Key: "to", Label: "Recipient"},
	{Key: "thread", Label: "Thread", About: "What has the same value is one conversation.", Types: []salesforce.FieldType{salesforce.TypeReference, salesforce.TypeString, salesforce.TypeID}},
	{Key: "sent_at", Label: "Sent at", Types: times},
	{Key: "direction", Label: "Direction", About: "Whether it came in or went out.", Types: flags},
}

// fieldChoice is a field that can be ticked to be a property.
type fieldChoice struct {
	Name, Label, Type string
	Chosen            bool
}

type fieldsPage struct {
	setupFrame
	Object   string
	Label    string
	Ready    *ready // its preset; nil = none, and the parts must be said
	Preset   bool   // the preset is chosen
	Parts    []commentPart
	Fields   []fieldChoice
	Where    string
	Deleted  string
	Related  string // properties with paths or names of their own, a line each
	Version  int64
	Known    bool // it is chosen already
	Path     string
	Policies []policy
}

type policy struct{ Key, Label string }

var policies = []policy{
	{config.DeletedTombstone, "Take the comment out of lists and searches"},
	{config.DeletedKeep, "Keep the comment"},
	{config.DeletedErase, "Erase the comment's text for good"},
}

// setupFields lets the fields of one object be chosen.
func (web *Web) setupFields(v *visit) error {
	d, o, err := web.objectAt(v)
	if d == nil || err != nil {
		return err
	}
	p, err := web.fieldsPage(v, d, o)
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "setup-fields", p)
}

// objectAt reads the draft and what Salesforce says of the object that the path names. Without a draft the
// browser was sent elsewhere.
func (web *Web) objectAt(v *visit) (*draft, salesforce.Object, error) {
	var o salesforce.Object
	d, err := web.draftAt(v)
	if err != nil {
		return nil, o, err
	}
	if !web.turnTo(v, d, stepObjects) {
		return nil, o, nil
	}
	name := v.r.PathValue("object")
	if web.checks.Name(name) != nil {
		return nil, o, fault.New(fault.NotFound, "there is no object %.100q", name)
	}
	o, err = web.setup.Describe(v.r.Context(), d.ID, name)
	switch {
	case fault.Is(err, fault.Config, fault.NotFound):
		return nil, o, fault.New(fault.NotFound, "the integration user sees no object %.100s in Salesforce", name)
	case forPeople(err):
		wrong := fieldErrors{}
		wrong.addFault("", err)
		return nil, o, web.tell(v, d.Path+"/objects", "error", wrong[""])
	}
	return d, o, err
}

func (web *Web) fieldsPage(v *visit, d *draft, o salesforce.Object) (*fieldsPage, error) {
	frame, err := web.setupFrame(v, d, stepObjects, o.Label+" of "+d.Project+"/"+d.Name)
	if err != nil {
		return nil, err
	}
	p := &fieldsPage{setupFrame: frame, Object: o.Name, Label: o.Label, Version: d.Version, Path: d.objectPath(o.Name), Deleted: config.DeletedTombstone, Policies: policies}
	if i := slices.IndexFunc(readies, func(r ready) bool { return strings.EqualFold(r.Object, o.Name) }); i >= 0 {
		p.Ready, p.Preset = &readies[i], true
	}
	chosen, known := d.Spec.FindObject(o.Name)
	if known {
		p.Known, p.Preset, p.Where, p.Deleted = true, chosen.Preset != "", chosen.Where, chosen.Deleted
	}
	p.show(o, chosen)
	return p, nil
}

// show fills in the fields of the object and what is chosen of them.
func (p *fieldsPage) show(o salesforce.Object, chosen config.Object) {
	p.Parts, p.Fields = nil, nil
	for _, part := range commentParts {
		part.Chosen = chosen.Fields[part.Key]
		part.Error = p.Errors[part.Key]
		for _, f := range o.Fields {
			if fits(f, part.Types) {
				part.Options = append(part.Options, fieldOption{f.Name, f.Label + " (" + f.Name + ")"})
			}
			if part.Chosen == "" && !p.Known && part.Key == "timestamp" && f.Name == "CreatedDate" {
				part.Chosen = f.Name
			}
		}
		slices.SortFunc(part.Options, func(a, b fieldOption) int { return strings.Compare(a.Label, b.Label) })
		if part.Chosen != "" && !slices.ContainsFunc(part.Options, func(f fieldOption) bool { return f.Path == part.Chosen }) {
			part.Options = append(part.Options, fieldOption{part.Chosen, part.Chosen})
		}
		p.Parts = append(p.Parts, part)
	}
	for _, f := range o.Fields {
		if f.Type.Compound() || f.Type == salesforce.TypeBase64 {
			continue
		}
		p.Fields = append(p.Fields, fieldChoice{Name: f.Name, Label: f.Label, Type: string(f.Type)})
	}
	slices.SortFunc(p.Fields, func(a, b fieldChoice) int { return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)) })
	names := propertyNames(o)
	var related []string
	for _, property := range chosen.Properties {
		i := slices.IndexFunc(p.Fields, func(f fieldChoice) bool { return f.Name == property.Path && names[f.Name] == property.Name })
		if i >= 0 {
			p.Fields[i].Chosen = true
		} else {
			related = append(related, property.Name+": "+property.Path)
		}
	}
	p.Related = strings.Join(related, "\n")
}

// fits reports whether a field can fill a part.
func fits(f salesforce.Field, types []salesforce.FieldType) bool {
	if types != nil {
		return slices.Contains(types, f.Type)
	}
	switch f.Type {
	case salesforce.TypeString, salesforce.TypeTextArea, salesforce.TypeEmail, salesforce.TypePhone, salesforce.TypeURL, salesforce.TypePicklist, salesforce.TypeReference:
		return true
	}
	return false
}

// propertyNames gives each field the name of its property: its label, or with a label that several have,
// its own name.
func propertyNames(o salesforce.Object) map[string]string {
	uses := map[string]int{}
	for _, f := range o.Fields {
		uses[strings.TrimSpace(f.Label)]++
	}
	names := map[string]string{}
	for _, f := range o.Fields {
		label := strings.TrimSpace(f.Label)
		if label == "" || uses[label] > 1 || slices.Contains(config.ReservedProperties, label) {
			label = f.Name
		}
		names[f.Name] = label
	}
	return names
}

// chooseFields applies what was chosen of an object, or takes the object out.
func (web *Web) chooseFields(v *visit) error {
	d, o, err := web.objectAt(v)
	if d == nil || err != nil {
		return err
	}
	form, err := readForm(v)
	if err != nil {
		return err
	}
	p, err := web.fieldsPage(v, d, o)
	if err != nil {
		return err
	}
	spec := d.Spec
	spec.Objects = slices.DeleteFunc(slices.Clone(d.Spec.Objects), func(have config.Object) bool { return strings.EqualFold(have.Object, o.Name) })
	object := config.Object{}
	if form.Get("action") != "remove" {
		if object, p.Errors, err = web.readObject(d, p, o, form); err != nil {
			return err
		}
		spec.Objects = append(spec.Objects, object)
	}
	if len(p.Errors) == 0 {
		version := versionOf(form)
		if p.Errors, err = web.applyDraft(v, d, spec, &version); err != nil {
			return err
		}
	}
	if len(p.Errors) > 0 {
		related := p.Related
		p.show(o, object)
		if p.Related == "" {
			p.Related = related
		}
		if text := form.Get("related"); p.Errors["related"] != "" {
			p.Related = text
		}
		return web.render(v, http.StatusUnprocessableEntity, "setup-fields", p)
	}
	http.Redirect(v.w, v.r, d.Path+"/objects", http.StatusSeeOther)
	return nil
}

// readObject reads an object from the form, by the rules of the file.
func (web *Web) readObject(d *draft, p *fieldsPage, o salesforce.Object, form url.Values) (config.Object, fieldErrors, error) {
	p.Where, p.Deleted = strings.TrimSpace(form.Get("where")), form.Get("deleted")
	p.Preset = p.Ready != nil && form.Get("preset") == p.Ready.Preset
	bare := d.Spec
	bare.Objects, bare.Destination = nil, nil
	text, err := config.WriteIntegration(bare)
	if err != nil {
		return config.Object{}, nil, err
	}
	var file formFile
	file.whole(text)
	file.line("", "objects:")
	file.value("", "  - object", o.Name, false)
	if p.Preset {
		file.value("preset", "    preset", p.Ready.Preset, false)
	}
	file.value("where", "    where", p.Where, true)
	file.value("deleted", "    deleted", p.Deleted, true)
	for _, part := range commentParts {
		if !p.Preset {
			file.value(part.Key, "    "+part.Key, form.Get(part.Key), true)
		}
	}
	file.properties(o, form)
	read, wrong, err := file.read(web.checks)
	if err != nil {
		return config.Object{}, nil, err
	}
	object := config.Object{Object: o.Name, Deleted: config.DeletedTombstone}
	if len(read.Objects) > 0 {
		object = read.Objects[0]
	}
	return object, wrong, nil
}

// properties writes the fields that are ticked, and the lines of the others.
func (f *formFile) properties(o salesforce.Object, form url.Values) {
	names := propertyNames(o)
	ticked := form["property"]
	var lines [][3]string // field of the form, name, path
	for _, field := range o.Fields {
		if slices.Contains(ticked, field.Name) {
			lines = append(lines, [3]string{"property", names[field.Name], field.Name})
		}
	}
	for line := range strings.Lines(form.Get("related")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, path, _ := strings.Cut(line, ": ")
		if i := strings.LastIndex(line, ": "); i >= 0 { // a path has no colon, a name may
			name, path = line[:i], line[i+2:]
		}
		lines = append(lines, [3]string{"related", name, path})
	}
	if len(lines) == 0 {
		return
	}
	f.line("", "    properties:")
	for _, l := range lines {
		f.value(l[0], "      "+strconv.Quote(l[1]), l[2], false)
	}
}
