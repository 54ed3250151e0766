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
}

func sortedPaths(t transform.Types) []string { return slices.Sorted(maps.Keys(t)) }

// path resolves a path of the object and selects it.
func (c *compiler) path(p string) (string, error) {
	found, err := salesforce.ResolvePath(c.plan.Object, p, c.describe)
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

// follow makes the parent objects of a path dependencies.
func (c *compiler) follow(relations []salesforce.Relation) error {
	var above []string
	for _, r := range relations {
		idPath := strings.Join(append(slices.Clone(above), r.IDField), ".")
		above = append(above, r.Name)
		for _, parent := range r.Objects {
			// One of the objects behind a polymorphic lookup may be hidden, or have no stamp to watch.
			if o, err := c.describe(parent); fault.Is(err, fault.Config) {
				continue
			} else if err != nil {
				return err
			} else if _, ok := o.Field(stampField); !ok {
				continue
			}
			d := Dependency{Path: strings.Join(above, "."), IDPath: idPath, Parent: parent}
			if !slices.Contains(c.plan.Dependencies, d) {
				c.plan.Dependencies = append(c.plan.Dependencies, d)
			}
		}
	}
	return nil
}

// optional is path for what a preset would like to have: "" when it is not visible.
func (c *compiler) optional(p string) (string, error) {
	text, err := c.path(p)
	if fault.Is(err, fault.Config) {
		c.plan.Left = append(c.plan.Left, p)
		return "", nil
	}
	return text, err
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

// email is the preset for EmailMessage (object reference, "EmailMessage"). Fields the
// file sets itself are not asked for. The two bodies must both be visible: with one
// hidden, half of the mails would seem empty.
func (c *compiler) email(m *transform.Mapping, own config.FieldMap) error {
	var err error
	need := func(part string, path string, into *string) {
		if _, set := own[part]; err == nil && !set {
			*into, err = c.path(path)
		}
	}
	like := func(part string, path string, into *string) {
		if _, set := own[part]; err == nil && !set {
			*into, err = c.optional(path)
		}
	}
	var text, html, sent, created, parent, threadID string
	need("subject", "Subject", &m.Subject)
	need("body", "TextBody", &text)
	need("body", "HtmlBody", &html)
	need("from", "FromAddress", &m.From)
	need("from", "FromName", &m.FromName)
	need("to", "ToAddress", &m.To)
	need("cc", "CcAddress", &m.Cc)
	like("bcc", "BccAddress", &m.Bcc)
	need("sent_at", "MessageDate", &m.SentAt)
	need("timestamp", "MessageDate", &sent)
	need("timestamp", "CreatedDate", &created)
	need("thread", "ParentId", &parent)
	like("thread", "ThreadIdentifier", &threadID)
	need("direction", "Incoming", &m.Direction)
	if err != nil {
		return err
	}
	if text != "" {
		m.Body = []transform.TextPath{{Path: text}, {Path: html, HTML: true}}
	}
	if sent != "" {
		m.Timestamp = []string{sent, created}
	}
	for _, p := range []string{parent, threadID} {
		if p != "" {
			m.Thread = append(m.Thread, p)
		}
	}
	for _, p := range []transform.PropertyPath{
		{Name: "Case Number", Path: "Parent.CaseNumber"},
		{Name: "Case Status", Path: "Parent.Status"},
		{Name: "Case Priority", Path: "Parent.Priority"},
		{Name: "Case Origin", Path: "Parent.Origin"},
	} {
		if p.Path, err = c.optional(p.Path); err != nil {
			return err
		}
		if p.Path != "" {
			m.Properties = append(m.Properties, p)
		}
	}
	return nil
}

// withoutDrafts leaves drafts out: Status 5 is Draft in EmailMessage's fixed list,
// and a private draft is visible to its author only.
func (c *compiler) withoutDrafts() []soql.Expr {
	var out []soql.Expr
	for _, e := range []soql.Expr{
		soql.Compare("Status", soql.NotEqual, soql.StringLiteral("5")),
		soql.Compare("IsPrivateDraft", soql.Equal, soql.BoolLiteral(false)),
	} {
		path := e.Paths()[0]
		if _, err := salesforce.ResolvePath(c.plan.Object, path, c.describe); err == nil {
			out = append(out, e)
		}
	}
	return out
}
