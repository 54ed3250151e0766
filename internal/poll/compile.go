package poll

import (
	"maps"
	"slices"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/transform"
)

// compiler gathers a plan: each path it resolves joins the query, and each parent
// object on the way becomes a dependency.
type compiler struct {
	plan     *Plan
	describe salesforce.DescribeFunc
	before   *Plan  // the last good plan of the same mapping; nil for none
	frozen   Frozen // what a path that is hidden now becomes, but for its path
}

func sortedPaths(t transform.Types) []string { return slices.Sorted(maps.Keys(t)) }

// path resolves a path of the object and selects it.
func (c *compiler) path(p string) (string, error) {
	found, err := salesforce.ResolvePath(c.plan.Object, p, c.describe)
	if text, ok := c.freeze(p, err); ok {
		return text, nil
	}
	if err != nil {
		return "", err
	}
	if found.Field.Type.Compound() || found.Field.Type == salesforce.TypeBase64 {
		return "", fault.New(fault.Config, "%s of %s is of type %s and has no text of its own", found.Text, c.plan.Object, found.Field.Type).
			WithHint("name one of its parts, such as BillingCity instead of BillingAddress")
	}
	c.plan.Recipe.Types[found.Text] = found.Field.Type
	return found.Text, c.follow(found.Relations)
}

// freeze keeps a path in the mapping that was visible when the last good plan was made
// and is hidden now: what it fed is frozen. Paths that never were visible are errors.
func (c *compiler) freeze(p string, err error) (text string, ok bool) {
	if c.before == nil || !fault.Is(err, fault.Config) {
		return "", false
	}
	f := c.frozen
	for _, had := range c.before.Fields {
		if strings.EqualFold(had, p) {
			f.Path = had
		}
	}
	for _, had := range c.before.Frozen {
		if strings.EqualFold(had.Path, p) {
			f = had
		}
	}
	if f.Path == "" {
		return "", false
	}
	if _, twice := c.plan.frozen(f.Path); !twice {
		c.plan.Frozen = append(c.plan.Frozen, f)
	}
	// Batches that were read before still carry it.
	c.plan.Recipe.Types[f.Path] = c.before.Recipe.Types[f.Path]
	return f.Path, true
}

// follow makes the parent objects of a path dependencies.
func (c *compiler) follow(relations []salesforce.Relation) error {
	var above []string
	for _, r := range relations {
		idPath := strings.Join(append(slices.Clone(above), r.IDField), ".")
		above = append(above, r.Name)
		for _, parent := range r.Objects {
			// One of the objects behind a polymorphic lookup may be hidden, or have no stamp to watch.
			o, err := c.describe(parent)
			if fault.Is(err, fault.Config) {
				continue
			}
			if err != nil {
				return err
			}
			d := Dependency{Path: strings.Join(above, "."), IDPath: idPath, Parent: parent}
			stamp, ok := chooseStamp(o, parentFields)
			if !ok {
				c.plan.note("%s: a change of %s reaches a comment when its own record changes, because %s has no date to follow", d.Path, o.Name, o.Name)
				continue
			}
			d.Stamp = stamp.Name
			if !slices.Contains(c.plan.Dependencies, d) {
				c.plan.Dependencies = append(c.plan.Dependencies, d)
			}
		}
	}
	return nil
}

// optional is path for what a preset would like to have. One that is not visible is not
// selected, but stays in the mapping: comments of an earlier mapping may have what it
// fed, and keep it.
func (c *compiler) optional(p string) (string, error) {
	text, err := c.path(p)
	if fault.Is(err, fault.Config) {
		c.leave(p)
		return p, nil
	}
	return text, err
}

func (c *compiler) leave(p string) {
	if !slices.Contains(c.plan.Left, p) {
		c.plan.Left = append(c.plan.Left, p)
	}
}

// mapping resolves what feeds what: the preset's paths, then the file's over them.
func (c *compiler) mapping(want config.Object) error {
	m := &c.plan.Recipe.Mapping
	if want.Preset == config.PresetEmail {
		if err := c.email(m, want.Fields); err != nil {
			return err
		}
	}
	if err := c.fields(m, want.Fields); err != nil {
		return err
	}
	if len(m.Timestamp) == 0 {
		return fault.New(fault.Config, "%s names no timestamp", want.Object).WithHint("add `timestamp:` with a datetime field, for example CreatedDate")
	}
	for _, p := range m.Timestamp {
		if t := c.plan.Recipe.Types[p]; t != salesforce.TypeDateTime && t != salesforce.TypeDate {
			return fault.New(fault.Config, "timestamp %s of %s is of type %s", p, want.Object, t).WithHint("name a datetime field")
		}
	}
	return c.properties(m, want.Properties)
}

// fields resolves what the file says, part by part.
func (c *compiler) fields(m *transform.Mapping, fields config.FieldMap) error {
	for _, part := range config.Parts {
		name, ok := fields[part]
		if !ok {
			continue
		}
		p, err := c.path(name)
		if err != nil {
			return err
		}
		switch part {
		case "id":
			if p != transform.PathID {
				return fault.New(fault.Config, "id: %s cannot identify a comment", p).
					WithHint("only Id is unique for certain; leave `id` out and keep %s as a property", p)
			}
		case "thread":
			m.Thread = []string{p}
		case "subject":
			m.Subject = p
		case "body":
			text, err := c.text(p)
			if err != nil {
				return err
			}
			m.Body = []transform.TextPath{text}
		case "signature":
			text, err := c.text(p)
			if err != nil {
				return err
			}
			m.Signature = &text
		case "from":
			m.From, m.FromName = p, ""
		case "to":
			m.To = p
		case "cc":
			m.Cc = p
		case "bcc":
			m.Bcc = p
		case "sent_at":
			m.SentAt = p
		case "timestamp":
			m.Timestamp = []string{p}
		case "direction":
			m.Direction = p
		}
	}
	return nil
}

// text says whether a field holds HTML, as describe flags rich text areas.
func (c *compiler) text(path string) (transform.TextPath, error) {
	if _, ok := c.plan.frozen(path); ok {
		for _, had := range c.before.Recipe.Mapping.Texts() {
			if had.Path == path {
				return had, nil
			}
		}
		return transform.TextPath{Path: path}, nil
	}
	found, err := salesforce.ResolvePath(c.plan.Object, path, c.describe)
	if err != nil {
		return transform.TextPath{}, err
	}
	rich := found.Field.HTMLFormatted || found.Field.ExtraTypeInfo == "richtextarea"
	return transform.TextPath{Path: path, HTML: rich}, nil
}

// properties resolves the file's properties; one of a preset's with the same name gives way.
func (c *compiler) properties(m *transform.Mapping, properties []config.Property) error {
	for _, want := range properties {
		p, err := c.path(want.Path)
		if err != nil {
			return err
		}
		m.Properties = slices.DeleteFunc(m.Properties, func(have transform.PropertyPath) bool { return have.Name == want.Name })
		m.Properties = append(m.Properties, transform.PropertyPath{Name: want.Name, Path: p})
	}
	return nil
}

// presetPath is one path of a preset and what it feeds.
type presetPath struct {
	part     string // of the integration file; "" for a property
	property string
	path     string
	optional bool // the preset goes on without it
}

// emailPreset is what EmailMessage gives (object reference, "EmailMessage"). The two
// bodies must both be visible: with one hidden, half of the mails would seem empty.
var emailPreset = []presetPath{
	{part: "subject", path: "Subject"},
	{part: "body", path: "TextBody"},
	{part: "body", path: "HtmlBody"},
	{part: "from", path: "FromAddress"},
	{part: "from", path: "FromName"},
	{part: "to", path: "ToAddress"},
	{part: "cc", path: "CcAddress"},
	{part: "bcc", path: "BccAddress", optional: true},
	{part: "sent_at", path: "MessageDate"},
	{part: "timestamp", path: "MessageDate"},
	{part: "timestamp", path: "CreatedDate"},
	{part: "thread", path: "ParentId"},
	{part: "thread", path: "ThreadIdentifier", optional: true},
	{part: "direction", path: "Incoming"},
	{property: "Case Number", path: "Parent.CaseNumber", optional: true},
	{property: "Case Status", path: "Parent.Status", optional: true},
	{property: "Case Priority", path: "Parent.Priority", optional: true},
	{property: "Case Origin", path: "Parent.Origin", optional: true},
}

// email maps the preset. Parts the file sets itself are not asked for.
func (c *compiler) email(m *transform.Mapping, own config.FieldMap) error {
	m.Mail = true
	for _, p := range emailPreset {
		if _, set := own[p.part]; set {
			continue
		}
		resolve := c.path
		if p.optional {
			resolve = c.optional
		}
		path, err := resolve(p.path)
		if err != nil {
			return err
		}
		switch p.part {
		case "subject":
			m.Subject = path
		case "body":
			m.Body = append(m.Body, transform.TextPath{Path: path, HTML: p.path == "HtmlBody"})
		case "from":
			if p.path == "FromName" {
				m.FromName = path
			} else {
				m.From = path
			}
		case "to":
			m.To = path
		case "cc":
			m.Cc = path
		case "bcc":
			m.Bcc = path
		case "sent_at":
			m.SentAt = path
		case "timestamp":
			m.Timestamp = append(m.Timestamp, path)
		case "thread":
			m.Thread = append(m.Thread, path)
		case "direction":
			m.Direction = path
		default:
			m.Properties = append(m.Properties, transform.PropertyPath{Name: p.property, Path: path})
		}
	}
	return c.recipients(m, own)
}

// Fields by which the preset tells drafts: Status 5 is Draft in EmailMessage's fixed
// list, and a private draft is visible to its author only.
const (
	draftStatus  = "Status"
	draftPrivate = "IsPrivateDraft"
)

// withoutDrafts leaves drafts out. Without Status they could not be told from mails,
// and a draft must never be billed: it is an error. The other field helps where it is
// visible; once it did, it is needed like every field of a condition.
func (c *compiler) withoutDrafts() ([]soql.Expr, error) {
	if _, err := salesforce.ResolvePath(c.plan.Object, draftStatus, c.describe); err != nil {
		return nil, err
	}
	out := []soql.Expr{soql.Compare(draftStatus, soql.NotEqual, soql.StringLiteral("5"))}
	_, err := salesforce.ResolvePath(c.plan.Object, draftPrivate, c.describe)
	switch {
	case fault.Is(err, fault.Config) && (c.before == nil || !strings.Contains(c.before.Where, draftPrivate)):
		c.leave(draftPrivate)
		return out, nil
	case err != nil:
		return nil, err
	}
	return append(out, soql.Compare(draftPrivate, soql.Equal, soql.BoolLiteral(false))), nil
}
