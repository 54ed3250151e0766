package simforce

import (
	"net/http"
	"time"
)

// binLife is how long the recycle bin keeps a row and the delete log its entry.
const binLife = deletedDays * 24 * time.Hour

// grave is one entry of the delete log that getDeleted reads. It outlives the
// row when the row is purged.
type grave struct {
	at   int64   // second of the deletion
	last *record // the row as it was then; nil after a restart
}

// dig enters a deletion into the log of the table.
func (t *table) dig(id string, g grave) {
	t.fill(id)
	t.graves[id] = g
	t.log.add(key{g.at, id})
}

// fill takes a deletion out of the log: the row is back.
func (t *table) fill(id string) {
	if old, found := t.graves[id]; found {
		t.log.remove(key{old.at, id})
		delete(t.graves, id)
	}
}

// deletion says how rows are removed.
type deletion struct {
	at time.Time
	// hard drops the rows at once instead of keeping them in the recycle bin;
	// logged enters those drops into the delete log.
	hard, logged bool
	// cascade is what becomes of children: "stamp", "keep" or "drop", as the
	// knob of that name.
	cascade string
}

// member is a row that goes, with the parent it goes along with.
type member struct {
	r    *record
	with string
}

// family lists what goes with a row, children before parents.
func (o *org) family(r *record, hard bool) []member {
	var out []member
	seen := map[string]bool{}
	var visit func(r *record, with string)
	visit = func(r *record, with string) {
		if seen[r.id()] {
			return
		}
		seen[r.id()] = true
		for child, f := range o.childrenOf(r.id()) {
			if f.Cascade && (hard || !child.deleted()) {
				visit(child, r.id())
			}
		}
		out = append(out, member{r, with})
	}
	visit(r, "")
	return out
}

// remove deletes a row and what cascades from it, as d says.
func (o *org) remove(id string, d deletion) *apiError {
	id, _ = ID18(id)
	r := o.current(id)
	switch {
	case r == nil:
		return errNotFound()
	case r.deleted() && !d.hard:
		return refuse(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
	}
	family := o.family(r, d.hard)
	for _, m := range family {
		if e := o.unlocked(m.r.id()); e != nil {
			return e
		}
		if e := o.childless(m.r.id()); e != nil {
			return e
		}
	}
	for _, m := range family {
		o.bury(m, d)
	}
	return nil
}

func (o *org) bury(m member, d deletion) {
	stamp := d.at.UTC().Truncate(time.Second)
	obj := m.r.obj
	child := m.with != ""
	switch {
	case d.hard, obj.NoUndelete, child && d.cascade == "drop":
		o.drop(m.r)
		if !m.r.deleted() && (!d.hard || d.logged) {
			o.dig(m.r, stamp.Unix())
		}
		return
	}
	gone := m.r.with()
	gone.v[placeDeleted] = true
	gone.deletedWith = m.with
	if !child || d.cascade != "keep" {
		gone.restamp(stamp)
	}
	o.put(gone)
	o.dig(gone, stamp.Unix())
}

// restamp moves the stamp of a record that nobody else has seen yet. An object
// without SystemModstamp shows the change in LastModifiedDate.
func (r *record) restamp(stamp time.Time) {
	switch {
	case r.obj.stamp >= 0:
		r.v[r.obj.stamp] = stamp
	case r.obj.modified >= 0:
		r.v[r.obj.modified] = stamp
	}
}

// undelete brings a soft-deleted row back with what was deleted along with it.
// A row that had lost a merge is a row of its own again.
func (o *org) undelete(id string, d deletion) *apiError {
	id, _ = ID18(id)
	r := o.current(id)
	if r == nil || !r.deleted() {
		return refuse(http.StatusBadRequest, "UNDELETE_FAILED", "Entity is not in the recycle bin")
	}
	back := []member{{r: r}}
	seen := map[string]bool{id: true}
	for i := 0; i < len(back); i++ {
		parent := back[i].r.id()
		if e := o.unlocked(parent); e != nil {
			return e
		}
		for child, f := range o.childrenOf(parent) {
			if f.Cascade && child.deleted() && child.deletedWith == parent && !seen[child.id()] {
				seen[child.id()] = true
				back = append(back, member{child, parent})
			}
		}
	}
	stamp := d.at.UTC().Truncate(time.Second)
	for _, m := range back {
		n := m.r.with()
		n.v[placeDeleted] = false
		n.deletedWith = ""
		if i := n.obj.field("MasterRecordId"); i >= 0 {
			n.v[i] = nil
		}
		if m.with == "" || d.cascade != "keep" {
			n.restamp(stamp)
		}
		o.put(n)
	}
	return nil
}

// merge folds losers into winner: they go to the recycle bin with
// MasterRecordId, and every row that points to one of them points to winner. The
// re-pointed rows get a new stamp unless quiet is set.
func (o *org) merge(winner string, losers []string, d deletion, quiet bool) *apiError {
	bad := func(format string, args ...any) *apiError {
		return refuse(http.StatusBadRequest, "MERGE_FAILED", format, args...)
	}
	winner, _ = ID18(winner)
	w := o.current(winner)
	switch {
	case w == nil || w.deleted():
		return bad("the master record is not there")
	case !w.obj.mergeable():
		return bad("entity type %s cannot be merged", w.obj.Name)
	case len(losers) == 0 || len(losers) > 2:
		return bad("a merge takes one or two records beside the master")
	}
	stamp := d.at.UTC().Truncate(time.Second)
	var moved, gone []*record
	seen := map[string]bool{winner: true}
	for _, id := range losers {
		id, _ = ID18(id)
		l := o.current(id)
		if l == nil || l.deleted() || l.obj != w.obj || seen[id] {
			return bad("cannot merge %s into %s", id, winner)
		}
		seen[id] = true
		gone = append(gone, l)
	}
	for id := range seen {
		if e := o.unlocked(id); e != nil {
			return e
		}
		if e := o.childless(id); e != nil && id != winner {
			return e
		}
	}
	children := map[string]*record{}
	for _, l := range gone {
		for child := range o.childrenOf(l.id()) {
			if child.deleted() || seen[child.id()] {
				continue
			}
			if e := o.unlocked(child.id()); e != nil {
				return e
			}
			n := children[child.id()]
			if n == nil {
				n = child.with()
				children[child.id()] = n
				moved = append(moved, n)
			}
			for i, f := range n.obj.Fields {
				if indexed(f) && f.Name != "MasterRecordId" && n.v[i] == l.id() {
					n.v[i] = winner
				}
			}
		}
	}
	for _, n := range moved {
		if !quiet {
			n.restamp(stamp)
		}
		o.put(n)
	}
	for _, l := range gone {
		n := l.with()
		n.v[n.obj.field("MasterRecordId")] = winner
		n.v[placeDeleted] = true
		n.restamp(stamp)
		o.put(n)
		o.dig(n, stamp.Unix())
	}
	n := w.with()
	for i, f := range n.obj.Fields {
		if id, _ := n.v[i].(string); indexed(f) && id != winner && seen[id] {
			n.v[i] = nil // the winner was a child of a loser
		}
	}
	n.restamp(stamp)
	n.v[n.obj.modified] = stamp
	o.put(n)
	return nil
}

// mergeable tells the objects that have a merge operation.
func (o *Object) mergeable() bool {
	return o.Name == "Account" || o.Name == "Contact" || o.Name == "Case"
}

// purge drops a row of the recycle bin with its children, wherever they are.
// The delete log has or gets all of them.
func (o *org) purge(r *record, now time.Time) {
	for _, m := range o.family(r, true) {
		o.drop(m.r)
		if !m.r.deleted() {
			o.dig(m.r, now.Unix())
		}
	}
}

// sweep purges what has lain in the bin for its time and forgets old entries of
// the delete log.
func (o *org) sweep(now time.Time) {
	before := now.Add(-binLife).Unix()
	for _, t := range o.tables {
		var old []string
		t.log.walk(key{minStamp, firstID}, key{before, lastID}, func(k key) bool {
			old = append(old, k.id)
			return true
		})
		for _, id := range old {
			t.fill(id)
			if r := t.row(id); r != nil && r.deleted() {
				o.purge(r, now)
			}
		}
	}
}

// childrenOf yields the rows that point to id with the field they do it by,
// from a copy that survives changes made while walking. Inside a transaction
// its own rows count as it has written them.
func (o *org) childrenOf(id string) map[*record]*Field {
	out := map[*record]*Field{}
	for _, t := range o.tables {
		for r, f := range t.stocked(id) {
			if !o.into.touches(r.id()) {
				out[r] = f
			}
		}
		for i, byTarget := range t.refs {
			for childID := range byTarget[id] {
				if o.into.touches(childID) {
					continue
				}
				child, f := t.rows[childID], t.obj.Fields[i]
				if out[child] == nil || f.Cascade {
					out[child] = f
				}
			}
		}
	}
	if o.into == nil || !o.into.targets[id] {
		return out
	}
	for _, r := range o.into.rows {
		if f := r.pointsTo(id); f != nil {
			out[r] = f
		}
	}
	return out
}

// stocked yields the rows in stock that point to id with the field they do it by.
func (t *table) stocked(id string) map[*record]*Field {
	if t.stock == nil {
		return nil
	}
	out, seen := map[*record]*Field{}, map[uint32]*record{}
	for i, f := range t.obj.Fields {
		if !indexed(f) {
			continue
		}
		t.stock.children(i, id, func(r *record) {
			if seen[r.n] == nil {
				seen[r.n] = r
			}
			if r = seen[r.n]; out[r] == nil || f.Cascade {
				out[r] = f
			}
		})
	}
	return out
}

// pointsTo finds the indexed reference by which r names id, a cascading one
// first; nil when there is none.
func (r *record) pointsTo(id string) *Field {
	if r == nil {
		return nil
	}
	var found *Field
	for i, f := range r.obj.Fields {
		if indexed(f) && r.get(i) == id && (found == nil || f.Cascade) {
			found = f
		}
	}
	return found
}
