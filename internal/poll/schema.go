package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

const (
	// wholeEvery is how often all of a description is read, whether Salesforce says that it
	// changed or not: nothing promises that a change of rights moves its mark.
	wholeEvery = 6 * time.Hour
	// lookAgain is when describe is asked again after a fault that passes: the faults of
	// describe must not stop records from being read.
	lookAgain = time.Minute
)

// schema is what describe says to a check, each object asked for once and several in
// one call, and what it said before.
type schema struct {
	service *Service
	target  *store.Target
	org     Salesforce
	before  map[string]described // by lower-case name
	now     map[string]described
}

// described is what describe says of one object.
type described struct {
	name   string // Salesforce's spelling where it is known
	object salesforce.Object
	err    error // fault.Config: there is no such object for this user; fault.Permission
}

// openSchema reads what describe said before and asks anew for all of it at once.
func (s *Service) openSchema(ctx context.Context, t *store.Target, org Salesforce) (*schema, error) {
	c := &schema{service: s, target: t, org: org, before: map[string]described{}, now: map[string]described{}}
	list, err := s.Store.Descriptions(ctx, t.IntegrationID)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range list {
		had := described{name: d.Object}
		if err := json.Unmarshal(d.Description, &had.object); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read the stored description of %s", d.Object)
		}
		if !d.Visible {
			had.err = notVisible(d.Object, nil)
		}
		c.before[strings.ToLower(d.Object)] = had
		names = append(names, d.Object)
	}
	for _, o := range t.Objects {
		names = append(names, o.Name)
	}
	return c, c.fetch(ctx, names)
}

// forget makes everything be asked for again.
func (c *schema) forget() { c.now = map[string]described{} }

// describe is for what resolves paths.
func (c *schema) describe(ctx context.Context) salesforce.DescribeFunc {
	return func(name string) (salesforce.Object, error) {
		if err := c.fetch(ctx, []string{name}); err != nil {
			return salesforce.Object{}, err
		}
		d := c.now[strings.ToLower(name)]
		return d.object, d.err
	}
}

// fetch asks for the objects that were not asked for yet.
func (c *schema) fetch(ctx context.Context, names []string) error {
	var asks []salesforce.Ask
	var asked []string
	for _, name := range names {
		key := strings.ToLower(name)
		if _, known := c.now[key]; known || slices.Contains(asked, key) {
			continue
		}
		asks, asked = append(asks, salesforce.AskDescribe{Object: name}), append(asked, key)
	}
	if len(asks) == 0 {
		return nil
	}
	if err := c.service.mayAsk(ctx, c.target); err != nil {
		return err
	}
	answers, err := c.org.Together(ctx, asks)
	if err != nil {
		return err
	}
	for i, a := range answers {
		name := asks[i].(salesforce.AskDescribe).Object
		d := described{name: name, object: a.Object, err: a.Err}
		switch {
		case a.Err == nil:
			d.name = a.Object.Name
		case fault.Is(a.Err, fault.NotFound, fault.Config):
			d.err = notVisible(name, a.Err)
		case !fault.Is(a.Err, fault.Permission):
			return a.Err
		}
		c.now[asked[i]] = d
	}
	return nil
}

// mayAsk is read before each call: a pause acts within seconds.
func (s *Service) mayAsk(ctx context.Context, t *store.Target) error {
	now, err := s.Store.LoadTarget(ctx, t.Project, t.Integration)
	if err != nil {
		return err
	}
	if now.Desired != store.DesiredRunning {
		return fault.New(fault.Stopped, "the integration is %s", now.Desired)
	}
	return nil
}

// notVisible is describe's word that there is no such object for the integration user.
func notVisible(object string, cause error) error {
	e := fault.New(fault.Config, "object %s does not exist or is not visible to the integration user", object).
		WithHint("check the spelling of the API name; if it is right, %s", giveObject(object, object))
	var told *fault.Error
	if errors.As(cause, &told) {
		e.Op, e.Code, e.RequestID = told.Op, told.Code, told.RequestID
	}
	return e
}

// giveObject and giveField are what an administrator ticks.
func giveObject(object, label string) string {
	return fmt.Sprintf("give the integration user Read and View All Records on %s in a permission set (Object Settings → %s → Object Permissions)", object, label)
}

func giveField(object, label, field, fieldLabel string) string {
	return fmt.Sprintf("give the integration user Read Access to %s.%s in a permission set (Object Settings → %s → Field Permissions → %s)", object, field, label, fieldLabel)
}

// shorten keeps of a description what plans and comparisons need, in an order of its own.
func shorten(o salesforce.Object) salesforce.Object {
	o.ChildRelationships = nil
	o.Fields = slices.Clone(o.Fields)
	slices.SortFunc(o.Fields, func(a, b salesforce.Field) int { return strings.Compare(a.Name, b.Name) })
	return o
}

func encode(o salesforce.Object) ([]byte, error) {
	raw, err := json.Marshal(shorten(o))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the description of %s", o.Name)
	}
	return raw, nil
}

// lookAtSchema asks, when it is time, whether describe says anything new of the
// integration's objects and the parents on their paths: all in one call, and only
// whether it changed, but for what misses something and now and then for all of it.
// moved means that a check must find out what it is. A fault that passes is no reason to
// stop: it is asked again soon.
func (s *Service) lookAtSchema(ctx context.Context, t *store.Target) (moved bool, err error) {
	if !t.SchemaDue {
		return false, nil
	}
	list, err := s.Store.Descriptions(ctx, t.IntegrationID)
	if err != nil {
		return false, err
	}
	for _, o := range t.Objects { // planned by a release that kept no descriptions
		if o.State == "ok" && !slices.ContainsFunc(list, func(d store.Description) bool { return strings.EqualFold(d.Object, o.Name) }) {
			return true, nil
		}
	}
	if len(list) == 0 {
		return false, s.Store.SaveLook(ctx, t.IntegrationID, nil, 0)
	}
	asks := make([]salesforce.Ask, len(list))
	for i, d := range list {
		ask := salesforce.AskDescribe{Object: d.Object, Since: d.LastModified}
		if !d.Visible || d.Incomplete || t.ReadAt.Sub(d.WholeAt) >= wholeEvery {
			ask.Since = ""
		}
		asks[i] = ask
	}
	answers, err := s.Orgs.Org(t.IntegrationID).Together(ctx, asks)
	if fault.Is(err, fault.Reauthorize, fault.Quota, fault.Stopped) {
		return false, err
	}
	if err != nil {
		return false, s.Store.SaveLook(ctx, t.IntegrationID, nil, lookAgain)
	}
	var whole []store.Description
	retry := time.Duration(0)
	for i, a := range answers {
		d := list[i]
		hidden := fault.Is(a.Err, fault.NotFound, fault.Config)
		switch {
		case hidden && d.Visible, a.Err == nil && !d.Visible:
			return true, nil
		case a.Err != nil && !hidden:
			retry = lookAgain
		case a.Modified:
			same, err := sameDescription(d, a.Object)
			if err != nil || !same {
				return true, err
			}
			d.LastModified = a.Object.LastModified
			whole = append(whole, d)
		}
	}
	return false, s.Store.SaveLook(ctx, t.IntegrationID, whole, retry)
}

// sameDescription compares field by field: Salesforce's mark moves for much that is
// none of ours, and perhaps not for everything that is.
func sameDescription(d store.Description, now salesforce.Object) (bool, error) {
	var had salesforce.Object
	if err := json.Unmarshal(d.Description, &had); err != nil {
		return false, fault.Wrap(fault.Internal, err, "read the stored description of %s", d.Object)
	}
	a, err := encode(had)
	if err != nil {
		return false, err
	}
	b, err := encode(now)
	return bytes.Equal(a, b), err
}

// gap is what describe does not show of a path.
type gap struct {
	object string
	field  string // "" = the object itself
}

// gapOf finds what is missing of a path of object; ok is false when nothing is. Errors
// that are no word on the schema come back.
func (c *schema) gapOf(ctx context.Context, object, path string) (g gap, ok bool, err error) {
	describe := c.describe(ctx)
	names := strings.Split(path, ".")
	for i, name := range names {
		current, err := describe(object)
		if fault.Is(err, fault.Config, fault.Permission) {
			return gap{object: c.spelt(object)}, true, nil
		}
		if err != nil {
			return gap{}, false, err
		}
		if i == len(names)-1 {
			_, there := current.Field(name)
			return gap{current.Name, c.speltField(current.Name, name)}, !there, nil
		}
		lookup, there := current.Relation(name)
		if !there {
			if had, known := c.before[strings.ToLower(current.Name)].object.Relation(name); known {
				name = had.Name
			}
			return gap{current.Name, name}, true, nil
		}
		if len(lookup.ReferenceTo) != 1 || lookup.PolymorphicForeignKey {
			return gap{}, false, nil // what is behind it is the same for every user
		}
		object = lookup.ReferenceTo[0]
	}
	return gap{}, false, nil
}

// spelt gives an object's name as Salesforce spells it, when it was ever seen.
func (c *schema) spelt(object string) string {
	if d, ok := c.before[strings.ToLower(object)]; ok {
		return d.name
	}
	return object
}

func (c *schema) speltField(object, field string) string {
	if f, ok := c.before[strings.ToLower(object)].object.Field(field); ok {
		return f.Name
	}
	return field
}

// advice says what to tick for what is missing.
func (c *schema) advice(g gap) string {
	had := c.before[strings.ToLower(g.object)].object
	if now, ok := c.now[strings.ToLower(g.object)]; ok && now.err == nil {
		had.Label = now.object.Label
	}
	label := had.Label
	if label == "" {
		label = g.object
	}
	if g.field == "" {
		return giveObject(g.object, label)
	}
	fieldLabel := g.field
	if f, ok := had.Field(g.field); ok && f.Label != "" {
		fieldLabel = f.Label
	}
	return giveField(g.object, label, g.field, fieldLabel)
}

// changes compares what describe says with what it said before.
func (c *checking) changes(ctx context.Context) (*store.Schema, error) {
	out := &store.Schema{}
	used, needed, err := c.used(ctx)
	if err != nil {
		return nil, err
	}
	open, err := c.service.Store.Alerts(ctx, c.target.IntegrationID)
	if err != nil {
		return nil, err
	}
	alert := func(e store.SchemaEvent) {
		if !slices.ContainsFunc(out.Alerts, func(have store.SchemaEvent) bool {
			return have.Object == e.Object && have.Field == e.Field && have.Kind == e.Kind
		}) {
			out.Alerts = append(out.Alerts, e)
		}
	}
	for _, n := range needed {
		kind, what := store.FieldHidden, "field "+n.field+" of "+n.object
		if n.field == "" {
			kind, what = store.ObjectHidden, "object "+n.object
		}
		alert(store.SchemaEvent{Object: n.object, Field: n.field, Kind: kind, Message: what + " cannot be read any more: " + n.effect,
			Hint: c.schema.advice(n.gap) + "; if it was renamed or deleted, change the integration file"})
	}
	for _, key := range sortedKeys(c.schema.now) {
		now := c.schema.now[key]
		had, known := c.schema.before[key]
		if now.err != nil {
			if known && had.err == nil && !slices.ContainsFunc(out.Alerts, func(e store.SchemaEvent) bool { return strings.EqualFold(e.Object, had.name) }) {
				alert(store.SchemaEvent{Object: had.name, Kind: store.ObjectHidden,
					Message: "object " + had.name + " cannot be read any more: its changes no longer reach the comments of its children",
					Hint:    c.schema.advice(gap{object: had.name})})
			}
			continue
		}
		if known {
			out.News = append(out.News, differences(had.object, now.object, used)...)
		}
	}
	// An object that only polymorphic lookups lead to stays an alert until it is back.
	for _, e := range open {
		if now, asked := c.schema.now[strings.ToLower(e.Object)]; e.Kind == store.ObjectHidden && asked && now.err != nil {
			alert(e)
		}
	}
	for _, e := range open {
		if news, is := c.back(e, out.Alerts); is {
			out.News = append(out.News, news)
		}
	}
	return out, c.describedTo(ctx, out)
}

// back makes the news of an alert that is over because what was hidden is visible.
func (c *checking) back(e store.SchemaEvent, still []store.SchemaEvent) (store.SchemaEvent, bool) {
	if slices.ContainsFunc(still, func(s store.SchemaEvent) bool { return s.Object == e.Object && s.Field == e.Field && s.Kind == e.Kind }) {
		return store.SchemaEvent{}, false
	}
	now, asked := c.schema.now[strings.ToLower(e.Object)]
	if !asked || now.err != nil {
		return store.SchemaEvent{}, false
	}
	if e.Kind == store.ObjectHidden {
		return store.SchemaEvent{Object: e.Object, Kind: store.ObjectVisible, Message: "object " + e.Object + " can be read again"}, true
	}
	_, there := now.object.Field(e.Field)
	return store.SchemaEvent{Object: e.Object, Field: e.Field, Kind: store.FieldVisible,
		Message: fmt.Sprintf("field %s of %s can be read again: what it missed is read now", e.Field, e.Object)}, there
}

// need is something that was read before and cannot be now.
type need struct {
	gap
	effect string
}

// used lists the fields that plans read, as "object.field" in lower case, and what is
// missing of those that were read before.
func (c *checking) used(ctx context.Context) (used map[string]bool, needed []need, err error) {
	used = map[string]bool{}
	for _, j := range c.judged {
		plan := j.plan
		if plan == nil {
			plan = j.before
		}
		if plan == nil {
			continue // never good: its problem says everything
		}
		paths := slices.Concat(plan.Fields, plan.Recipe.Mapping.Paths())
		if plan.Recipe.Stamp != "" {
			paths = append(paths, plan.Recipe.Stamp)
		}
		if e, err := plan.condition(); err == nil && e != nil {
			paths = append(paths, e.Paths()...)
		}
		slices.Sort(paths)
		for _, path := range slices.Compact(paths) {
			for _, f := range c.schema.fieldsOf(plan.Object, path) {
				used[f] = true
			}
			if slices.Contains(plan.Left, path) {
				continue
			}
			g, missing, err := c.schema.gapOf(ctx, plan.Object, path)
			if err != nil {
				return nil, nil, err
			}
			if !missing {
				continue
			}
			n := need{g, j.Name + " stops, because it needs it"}
			if j.plan != nil {
				n.effect = fmt.Sprintf("comments keep what it fed (%s)", strings.Join(plan.Recipe.Mapping.Feeds(path), ", "))
			}
			needed = append(needed, n)
		}
	}
	return used, needed, nil
}

// fieldsOf lists the fields that a path goes through, as "object.field" in lower case,
// as far as they are visible.
func (c *schema) fieldsOf(object, path string) []string {
	var out []string
	names := strings.Split(path, ".")
	for i, name := range names {
		o := c.now[strings.ToLower(object)].object
		if i == len(names)-1 {
			return append(out, strings.ToLower(object+"."+name))
		}
		lookup, ok := o.Relation(name)
		if !ok {
			return out
		}
		out = append(out, strings.ToLower(object+"."+lookup.Name))
		if len(lookup.ReferenceTo) != 1 {
			return out
		}
		object = lookup.ReferenceTo[0]
	}
	return out
}

// differences are the news of an object that was visible before and is now.
func differences(had, now salesforce.Object, used map[string]bool) []store.SchemaEvent {
	var out []store.SchemaEvent
	uses := func(field string) bool { return used[strings.ToLower(now.Name+"."+field)] }
	var added, removed []string
	for _, f := range now.Fields {
		before, known := had.Field(f.Name)
		switch {
		case !known && !uses(f.Name):
			added = append(added, f.Name)
		case known && before.Type != f.Type && uses(f.Name):
			out = append(out, store.SchemaEvent{Object: now.Name, Field: f.Name, Kind: store.TypeChanged,
				Message: fmt.Sprintf("field %s of %s was of type %s and is of type %s: what it feeds is read again", f.Name, now.Name, before.Type, f.Type)})
		}
	}
	for _, f := range had.Fields {
		if _, still := now.Field(f.Name); !still && !uses(f.Name) {
			removed = append(removed, f.Name)
		}
	}
	if len(added) > 0 {
		out = append(out, store.SchemaEvent{Object: now.Name, Field: some(added), Kind: store.FieldsAdded,
			Message: fmt.Sprintf("new on %s: %s", now.Name, some(added)), Hint: "name a field in the integration file to have it on the comments"})
	}
	if len(removed) > 0 {
		out = append(out, store.SchemaEvent{Object: now.Name, Field: some(removed), Kind: store.FieldsRemoved,
			Message: fmt.Sprintf("gone from %s, and not used: %s", now.Name, some(removed))})
	}
	return out
}

// some lists names, and how many more there are.
func some(names []string) string {
	const most = 20
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// describedTo notes what describe said. Objects that were never visible are not kept.
func (c *checking) describedTo(ctx context.Context, out *store.Schema) error {
	incomplete := map[string]bool{}
	for _, j := range c.judged {
		if j.plan == nil {
			incomplete[strings.ToLower(j.Name)] = true
			continue
		}
		for _, path := range slices.Concat(j.plan.Left, j.plan.frozenPaths()) {
			g, missing, err := c.schema.gapOf(ctx, j.plan.Object, path)
			if err != nil {
				return err
			}
			if missing {
				incomplete[strings.ToLower(g.object)] = true
			}
		}
	}
	for _, e := range out.Alerts {
		incomplete[strings.ToLower(e.Object)] = true
	}
	for _, key := range sortedKeys(c.schema.now) {
		now := c.schema.now[key]
		had, known := c.schema.before[key]
		d := store.Description{Object: now.name, Visible: now.err == nil, Incomplete: incomplete[key], LastModified: now.object.LastModified}
		object := now.object
		if now.err != nil {
			if !known {
				continue
			}
			d.Object, object = had.name, had.object
		}
		raw, err := encode(object)
		if err != nil {
			return err
		}
		d.Description = raw
		out.Described = append(out.Described, d)
	}
	return nil
}

func (p *Plan) frozenPaths() []string {
	out := make([]string, len(p.Frozen))
	for i, f := range p.Frozen {
		out[i] = f.Path
	}
	return out
}

func sortedKeys(m map[string]described) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
