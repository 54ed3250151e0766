package poll

import (
	"maps"
	"slices"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/transform"
)

// compiler gathers a plan: each path it resolves joins the query, and each parent
// object on the way becomes a dependency.
type compiler struct {
	plan     *Plan
	describe salesforce.DescribeFunc
	before   *Plan  // the last good plan of the same mapping; nil for none
	frozen   Frozen // what a path that is hidden now becomes, but for its path
	instance string // address of the org, with a slash
}

func sortedPaths(t transform.Types) []string { return slices.Sorted(maps.Keys(t)) }

// pace is how soon a changed parent is noticed.
type pace int

const (
	atOnce pace = iota
	rarely      // by scans of tails
	never       // with the record's own next change
)

// path resolves a path of the object, selects it, and follows the parents on it.
func (c *compiler) path(p string) (string, error) { return c.selects(p, atOnce) }

// selects is path with another pace for the last parent on it.
func (c *compiler) selects(p string, last pace) (string, error) {
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
	if found.Field.Calculated && last != never {
		c.plan.Cursor.Passes = true
		c.plan.note("%s is a formula, and no date moves when its value changes: that is found by reading all of %s again, now and then", found.Text, c.plan.Object)
	}
	return found.Text, c.follow(found.Relations, last)
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

// follow makes the parent objects of a path dependencies, the last one at its own pace.
func (c *compiler) follow(relations []salesforce.Relation, last pace) error {
	var above []string
	for i, r := range relations {
		if last == never && i == len(relations)-1 {
			break
		}
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
			d.Stamp, d.Rarely = stamp.Name, last == rarely && i == len(relations)-1
			same := func(have Dependency) bool { return have.Path == d.Path && have.Parent == d.Parent }
			if at := slices.IndexFunc(c.plan.Dependencies, same); at < 0 {
				c.plan.Dependencies = append(c.plan.Dependencies, d)
			} else if !d.Rarely {
				c.plan.Dependencies[at].Rarely = false // somebody wants it at once
			}
		}
	}
	return nil
}

func (c *compiler) leave(p string) {
	if !slices.Contains(c.plan.Left, p) {
		c.plan.Left = append(c.plan.Left, p)
	}
}

// mapping resolves what feeds what: the preset's paths, then the file's over them.
func (c *compiler) mapping(want config.Object) error {
	m := &c.plan.Recipe.Mapping
	p, err := findPreset(want)
	if err != nil {
		return err
	}
	if p != nil {
		if err := c.preset(m, p, want); err != nil {
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
			m.Thread, m.Case = []string{p}, ""
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
			m.From, m.FromName, m.Senders = p, "", nil
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
