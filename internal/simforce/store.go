package simforce

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// record is one immutable version of a row. A change makes a new record, so a
// reader that holds an old one is never surprised.
type record struct {
	obj *Object
	v   []any
	// deletedWith is the parent whose deletion took this row along.
	deletedWith string
	// stock, when set, makes the values of row n; v is empty then.
	stock *stock
	n     uint32
}

// get returns the value at place i; fields added after the row was written are
// null, and so is a field that is not there.
func (r *record) get(i int) any {
	if r.stock != nil {
		return r.stock.value(r.n, i)
	}
	if i < 0 || i >= len(r.v) {
		return nil
	}
	if l, ok := r.v[i].(later); ok {
		return l.s.value(l.n, l.place)
	}
	return r.v[i]
}

func (r *record) id() string {
	if r.stock != nil {
		return r.stock.id(r.n)
	}
	return r.v[placeID].(string)
}

func (r *record) deleted() bool { return r.stock == nil && r.v[placeDeleted] == true }

// stamp is the date the index follows, SystemModstamp for most objects, in
// whole seconds; 0 where the object has none.
func (r *record) stamp() int64 {
	switch {
	case r.obj.clock < 0:
		return 0
	case r.stock != nil:
		return int64(r.stock.stamped[r.n])
	}
	t, _ := r.get(r.obj.clock).(time.Time)
	return t.Unix()
}

// born is CreatedDate in whole seconds; 0 where the object has none.
func (r *record) born() int64 {
	switch {
	case r.obj.created < 0:
		return 0
	case r.stock != nil:
		return int64(r.stock.created[r.n])
	}
	t, _ := r.get(r.obj.created).(time.Time)
	return t.Unix()
}

// archived tells an old activity, which only queryAll shows.
func (r *record) archived() bool { return r.obj.archived >= 0 && r.get(r.obj.archived) == true }

// text returns the string field name, "" when null.
func (r *record) text(name string) string {
	s, _ := r.get(r.obj.field(name)).(string)
	return s
}

// with returns a copy that has room for every field of the object.
func (r *record) with() *record {
	c := &record{obj: r.obj, v: make([]any, len(r.obj.Fields)), deletedWith: r.deletedWith}
	if r.stock == nil {
		copy(c.v, r.v)
		return c
	}
	for i := range c.v {
		c.v[i] = r.stock.keep(r.n, i)
	}
	return c
}

// row spreads the record by field name.
func (r *record) row() Row {
	out := make(Row, len(r.obj.Fields))
	for i, f := range r.obj.Fields {
		out[f.Name] = r.get(i)
	}
	return out
}

// table holds the rows of one object with the indexes queries need.
type table struct {
	obj    *Object
	rows   map[string]*record
	ids    index
	stamps index
	births index // by CreatedDate, unless stamps is
	// stock holds rows that are not kept in rows; nil for nearly every table.
	stock *stock
	// refs: place of a reference field → target id → ids of rows that name it.
	refs map[int]map[string]map[string]struct{}
	// graves and log are the delete log: by id, and by second of deletion.
	graves map[string]grave
	log    index
	// logFrom is the second before which the log was trimmed.
	logFrom int64
}

func newTable(o *Object) *table {
	return &table{obj: o, rows: map[string]*record{}, refs: map[int]map[string]map[string]struct{}{}, graves: map[string]grave{}}
}

// indexed tells which references have a lookup index; those that point to the
// same few users from every row are left out.
func indexed(f *Field) bool {
	return f.Type == TypeReference && !f.System && f.Name != "OwnerId"
}

func (t *table) put(r *record) {
	id := r.id()
	if old := t.rows[id]; old != nil {
		t.stamps.remove(key{old.stamp(), id})
		t.unlink(old)
		t.births.remove(key{old.born(), id})
	} else {
		t.ids.add(key{0, id})
		t.leave(id)
	}
	t.rows[id] = r
	t.stamps.add(key{r.stamp(), id})
	if t.obj.created >= 0 && t.obj.created != t.obj.clock {
		t.births.add(key{r.born(), id})
	}
	for i, f := range t.obj.Fields {
		target, ok := r.get(i).(string)
		if !ok || !indexed(f) {
			continue
		}
		byTarget := t.refs[i]
		if byTarget == nil {
			byTarget = map[string]map[string]struct{}{}
			t.refs[i] = byTarget
		}
		if byTarget[target] == nil {
			byTarget[target] = map[string]struct{}{}
		}
		byTarget[target][id] = struct{}{}
	}
}

func (t *table) unlink(r *record) {
	for i, byTarget := range t.refs {
		if target, ok := r.get(i).(string); ok {
			delete(byTarget[target], r.id())
			if len(byTarget[target]) == 0 {
				delete(byTarget, target)
			}
		}
	}
}

// leave takes a row out of the stock.
func (t *table) leave(id string) {
	if t.stock != nil {
		if n, ok := t.stock.number(id); ok {
			t.stock.take(n)
		}
	}
}

// drop removes the row for good, without a trace.
func (t *table) drop(r *record) {
	if t.leave(r.id()); r.stock != nil {
		return
	}
	t.unlink(r)
	t.births.remove(key{r.born(), r.id()})
	t.stamps.remove(key{r.stamp(), r.id()})
	t.ids.remove(key{0, r.id()})
	delete(t.rows, r.id())
}

// each visits all rows in Id order.
func (t *table) each(visit func(*record) bool) { t.inIDs().walk(key{}, key{0, lastID}, visit) }

// row is the row with an id, nil when there is none.
func (t *table) row(id string) *record {
	if r := t.rows[id]; r != nil {
		return r
	}
	return t.stock.find(id)
}

// size is how many rows there are.
func (t *table) size() int {
	if t.stock == nil {
		return len(t.rows)
	}
	return len(t.rows) + t.stock.left
}

// picks is how many numbers pick takes.
func (t *table) picks() int {
	if t.stock == nil {
		return t.ids.n
	}
	return t.ids.n + len(t.stock.created)
}

// pick returns some row by number; nil when it has left the stock.
func (t *table) pick(i int) *record {
	if i < t.ids.n {
		return t.rows[t.ids.at(i).id]
	}
	if n := uint32(i - t.ids.n); t.stock.has(n) {
		return t.stock.record(n)
	}
	return nil
}

// org is one Salesforce organisation: schema, rows and what each user may see.
type org struct {
	id, name, pod string
	tables        map[string]*table // by lower-case object name
	byPrefix      map[string]*table
	seq           map[string]uint64 // running numbers of ids and auto-numbers
	hidden        map[string]map[string]bool
	schemaChanged time.Time
	journal       func(line any)
	sharing       sharing
	permitted     bool // permission sets are kept in step from now on
	sim           *Server
	stock         *stockLine // nil when there is none
	jobs          []*bulkJob // oldest first

	// open transactions, the rows they have written, and the one whose write is
	// running under the data lock.
	open  []*transaction
	locks map[string]*transaction
	into  *transaction
	// due is the moment (Unix nanoseconds) at which catchUp has something to do.
	due atomic.Int64
}

func newOrg(id, name, pod string, changed time.Time) *org {
	o := &org{
		id: id, name: name, pod: pod,
		tables: map[string]*table{}, byPrefix: map[string]*table{}, seq: map[string]uint64{},
		hidden: map[string]map[string]bool{}, schemaChanged: changed,
		journal: func(any) {}, locks: map[string]*transaction{},
	}
	o.due.Store(math.MaxInt64)
	for _, obj := range standardObjects() {
		o.addObject(obj)
	}
	return o
}

func (o *org) addObject(obj *Object) {
	t := newTable(obj)
	o.tables[strings.ToLower(obj.Name)] = t
	o.byPrefix[obj.KeyPrefix] = t
}

func (o *org) table(name string) *table { return o.tables[strings.ToLower(name)] }

// find returns the row an id points to, whatever its object, or nil.
func (o *org) find(id string) *record {
	if len(id) < 3 {
		return nil
	}
	if t := o.byPrefix[id[:3]]; t != nil {
		return t.row(id)
	}
	return nil
}

// objects lists the schema by name.
func (o *org) objects() []*Object {
	out := make([]*Object, 0, len(o.tables))
	for _, t := range o.tables {
		out = append(out, t.obj)
	}
	slices.SortFunc(out, func(a, b *Object) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (o *org) next(name string) uint64 {
	o.seq[name]++
	return o.seq[name]
}

// newID hands out the next id of an object. Every fifth comes from another pod,
// so Id order is not the order of creation, as after an org split or import.
func (o *org) newID(obj *Object) string {
	n := o.next(obj.Name)
	pod := o.pod
	if n%5 == 0 {
		pod = "aK"
	}
	return makeID(obj.KeyPrefix, pod, 7_000_000+n*37)
}

// view is what one user may see of an org.
type view struct {
	*org
	user string
	// blind hides the fields of parents the user may not see.
	blind bool
}

func (s *Server) view(o *org, user string) view {
	return view{org: o, user: user, blind: s.Knobs().HiddenParents == "null"}
}

// visible reports whether the user sees the object ("Case") or field
// ("Case.Subject").
func (v view) visible(what string) bool {
	what = strings.ToLower(what)
	if setupObjects[what] && v.lacks(ViewSetup) {
		return false
	}
	return !v.hidden["*"][what] && !v.hidden[v.user][what]
}

func (v view) sees(obj *Object, f *Field) bool {
	return !f.Absent && (f.System || v.visible(obj.Name+"."+f.Name))
}

// object returns the table of an object the user may read.
func (v view) object(name string) *table {
	t := v.table(name)
	if t == nil || !v.visible(t.obj.Name) {
		return nil
	}
	return t
}
