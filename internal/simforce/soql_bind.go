package simforce

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxParents is how many relationships a path may climb.
const maxParents = 5

// nameFields are what a polymorphic relationship shows: the fields the targets
// have in common.
var nameFields = map[string]string{
	"id": "Id", "name": "Name", "type": "Type", "firstname": "FirstName", "lastname": "LastName",
	"email": "Email", "phone": "Phone", "title": "Title", "username": "Username", "alias": "Alias",
}

// boundPath is a path resolved against the schema a user sees.
type boundPath struct {
	view  view
	steps []int    // places of the reference fields to follow
	rels  []string // their relationship names in canonical case
	obj   *Object  // owner of the field; nil behind a polymorphic relationship
	field *Field
	place int
	name  string // canonical name of the field
	full  string // the path in canonical case
}

// parent is the row the reference at a place points to, nil when there is none,
// or when the user may not see it and hidden parents are hidden.
func (v view) parent(r *record, place int) *record {
	id, _ := r.get(place).(string)
	p := v.find(id)
	if p != nil && v.blind && !v.reads(p) {
		return nil
	}
	return p
}

// value follows the path from r; a missing parent gives nil.
func (p *boundPath) value(r *record) any {
	for _, step := range p.steps {
		if r = p.view.parent(r, step); r == nil {
			return nil
		}
	}
	if p.obj == nil {
		return nameValue(r, p.name)
	}
	return p.view.value(r, p.place)
}

// value is the field at place i, computed when it is a formula.
func (o *org) value(r *record, i int) any {
	f := r.obj.Fields[i]
	if f.Type == TypeAddress {
		return addressOf(r, f)
	}
	if f.Formula == "" {
		return r.get(i)
	}
	parts := strings.Split(f.Formula, ".")
	for _, rel := range parts[:len(parts)-1] {
		id, _ := r.get(r.obj.relation(rel)).(string)
		if r = o.find(id); r == nil {
			return nil
		}
	}
	return o.value(r, r.obj.field(parts[len(parts)-1]))
}

func nameValue(r *record, name string) any {
	switch name {
	case "Id":
		return r.id()
	case "Type":
		return r.obj.Name
	case "Name":
		if i := r.obj.nameField(); i >= 0 {
			return r.get(i)
		}
		return nil
	}
	if i := r.obj.field(name); i >= 0 {
		return r.get(i)
	}
	return nil
}

func noColumn(pos int, name, entity string) *soqlError {
	return &soqlError{"INVALID_FIELD", pos, "No such column '" + name + "' on entity '" + entity + "'. " + adviceField}
}

// bind resolves a path that starts at obj.
func (v view) bind(obj *Object, p Path) (*boundPath, *soqlError) {
	b := &boundPath{view: v, obj: obj}
	last := len(p.Parts) - 1
	if last > maxParents {
		return nil, &soqlError{"INVALID_FIELD", p.pos, "SOQL relationships can not go more than 5 levels up: " + p.String()}
	}
	for i, part := range p.Parts[:last] {
		place := -1
		if b.obj != nil {
			place = b.obj.relation(part)
		}
		if place < 0 || !v.sees(b.obj, b.obj.Fields[place]) {
			return nil, &soqlError{"INVALID_FIELD", p.pos,
				"Didn't understand relationship '" + part + "' in field path. " + adviceParent}
		}
		f := b.obj.Fields[place]
		b.steps = append(b.steps, place)
		b.rels = append(b.rels, f.Relationship)
		if !f.polymorphic() {
			target := v.object(f.ReferenceTo[0])
			if target == nil {
				return nil, &soqlError{"INVALID_FIELD", p.pos,
					"Didn't understand relationship '" + part + "' in field path. " + adviceParent}
			}
			b.obj = target.obj
			continue
		}
		name, ok := nameFields[strings.ToLower(p.Parts[last])]
		if i != last-1 || !ok {
			return nil, noColumn(p.pos, p.Parts[i+1], "Name")
		}
		b.obj, b.name = nil, name
		b.field = &Field{Name: name, Type: TypeString, Length: 255}
		if name == "Id" {
			b.field.Type = TypeID
		}
		b.full = strings.Join(append(slices.Clone(b.rels), name), ".")
		return b, nil
	}
	name := p.Parts[last]
	b.place = b.obj.field(name)
	if b.place < 0 || !v.sees(b.obj, b.obj.Fields[b.place]) {
		return nil, noColumn(p.pos, name, b.obj.Name)
	}
	b.field = b.obj.Fields[b.place]
	b.name = b.field.Name
	b.full = b.name
	if len(b.rels) > 0 {
		b.full = strings.Join(b.rels, ".") + "." + b.name
	}
	return b, nil
}

// plan is a query resolved against what one user sees, ready to run.
type plan struct {
	view    view
	table   *table
	query   *Query
	columns []*boundPath
	where   func(*record) bool
	bounds  bounds
	order   []orderKey
	now     time.Time
	// long counts the selected long text fields, which shrink the page.
	long int
}

type orderKey struct {
	path *boundPath
	Order
}

// maxOffset is the largest OFFSET the platform takes.
const maxOffset = 2000

// prepare checks a parsed query against the org. all includes deleted rows; now
// is what named dates go by.
func prepare(v view, q *Query, all bool, now time.Time) (*plan, *soqlError) {
	return compiler{view: v, now: now, all: all}.prepare(q)
}

// prepareInner is prepare for the query of a semi-join.
func prepareInner(c compiler, q *Query) (*plan, *soqlError) {
	c.inner = true
	return c.prepare(q)
}

func (c compiler) prepare(q *Query) (*plan, *soqlError) {
	v, all := c.view, c.all
	t := v.object(q.From)
	if t == nil {
		return nil, &soqlError{"INVALID_TYPE", q.fromPos, "sObject type '" + q.From + "' is not supported. " + adviceObject}
	}
	p := &plan{view: v, table: t, query: q, now: c.now}
	seen := map[string]bool{}
	for _, path := range q.Fields {
		b, err := v.bind(t.obj, path)
		if err != nil {
			return nil, err
		}
		if seen[b.full] {
			return nil, &soqlError{"INVALID_FIELD", -1, "duplicate field selected: " + b.full}
		}
		seen[b.full] = true
		if b.field.long() {
			p.long++
		}
		p.columns = append(p.columns, b)
	}
	c.obj = t.obj
	if q.Where != nil {
		match, where, err := c.expr(q.Where)
		if err != nil {
			return nil, err
		}
		p.where, p.bounds = match, where
	}
	for _, o := range q.OrderBy {
		b, err := v.bind(t.obj, o.Path)
		if err != nil {
			return nil, err
		}
		if !b.field.sortable() {
			return nil, &soqlError{"INVALID_FIELD", o.Path.pos, "field '" + b.name + "' can not be sorted in a query call"}
		}
		p.order = append(p.order, orderKey{b, o})
	}
	if q.Offset > maxOffset {
		return nil, &soqlError{"NUMBER_OUTSIDE_VALID_RANGE", q.offsetPos, "Maximum SOQL offset allowed is 2000"}
	}
	match := p.where
	switch {
	case !all:
		p.where = func(r *record) bool { return !r.deleted() && !r.archived() && (match == nil || match(r)) && v.reads(r) }
	case v.sharing.narrowed():
		p.where = func(r *record) bool { return (match == nil || match(r)) && v.reads(r) }
	}
	if p.where == nil {
		p.where = func(*record) bool { return true }
	}
	return p, nil
}

// compileText parses and prepares in one go, with errors as the API words them.
func (s *Server) compileText(v view, text string, all bool) (*plan, *apiError) {
	return s.compileAt(v, text, all, s.now())
}

// compileAt is compileText at another moment.
func (s *Server) compileAt(v view, text string, all bool, now time.Time) (*plan, *apiError) {
	q, err := parse(text)
	if err != nil {
		return nil, err.api(text)
	}
	p, err := prepare(v, q, all, now)
	if err != nil {
		e := err.api(text)
		e.status = http.StatusBadRequest
		return nil, e
	}
	if obj := p.table.obj; obj.NoWhole && v.user != "" && !v.viewsAll("") && !byID(q.Where) {
		return nil, refuse(http.StatusBadRequest, "MALFORMED_QUERY", "Implementation restriction: %s requires a filter by Id", obj.Name)
	}
	return p, nil
}

// byID reports whether a condition holds for rows of given ids only.
func byID(e Expr) bool {
	switch e := e.(type) {
	case *And:
		return slices.ContainsFunc(e.Terms, byID)
	case *Cond:
		return strings.EqualFold(e.Path.String(), "Id") && (e.Op == "=" || e.Op == "IN")
	}
	return false
}
