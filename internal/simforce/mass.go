package simforce

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CreateRecords writes n rows of the same fields and the same stamp, as a bulk
// load does, and returns their ids in order. "{n}" in a text value becomes the
// running number, from 1.
func (s *Server) CreateRecords(object string, n int, w Write) ([]string, error) {
	if n < 1 || n > 1_000_000 {
		return nil, fmt.Errorf("create %s: the count must be 1 to 1,000,000, not %d", object, n)
	}
	ids := make([]string, 0, n)
	err := s.writing(&w, func(o *org) error {
		c, err := s.changeOf(o, object, "", w)
		if err != nil {
			return err
		}
		for i := range n {
			numbered := maps.Clone(w.Fields)
			for name, v := range numbered {
				if text, ok := v.(string); ok && strings.Contains(text, "{n}") {
					numbered[name] = strings.ReplaceAll(text, "{n}", strconv.Itoa(i+1))
				}
			}
			c.fields = numbered
			r, e := o.apply(c)
			if e != nil {
				return e
			}
			ids = append(ids, r.id())
		}
		return nil
	})
	return ids, err
}

// Bump gives rows of an object a new SystemModstamp and changes nothing else,
// as jobs of the platform do. No ids means all rows that are not deleted. A zero
// stamp is now. It returns how many rows it touched; rows an open transaction
// has written are left out.
func (s *Server) Bump(orgName, object string, stamp time.Time, ids ...string) (int, error) {
	n := 0
	err := s.mutate(orgName, "", func(o *org) error {
		t := o.table(object)
		if t == nil {
			return fmt.Errorf("no object %q in org %s", object, o.name)
		}
		if t.obj.stamp < 0 {
			return fmt.Errorf("object %s has no SystemModstamp", t.obj.Name)
		}
		if stamp.IsZero() {
			stamp = s.now()
		}
		stamp = stamp.UTC().Truncate(time.Second)
		var rows []*record
		add := func(r *record) bool {
			if r != nil && !r.deleted() && o.unlocked(r.id()) == nil {
				rows = append(rows, r)
			}
			return true
		}
		if len(ids) == 0 {
			t.each(add)
		}
		for _, id := range ids {
			long, _ := ID18(id)
			if t.row(long) == nil {
				return fmt.Errorf("bump %s: no row %q", t.obj.Name, id)
			}
			add(t.row(long))
		}
		n = len(rows)
		for _, r := range t.restamp(rows, stamp) {
			o.journalPut(r)
		}
		return nil
	})
	return n, err
}

// restamp moves the stamp of rows and of nothing else. References keep their
// index; the stamp index is built anew when most of it moves.
func (t *table) restamp(rows []*record, stamp time.Time) []*record {
	out := make([]*record, 0, len(rows))
	rebuild := len(rows) > t.stamps.n/4
	for _, r := range rows {
		n := r.with()
		n.v[t.obj.stamp] = stamp
		if r.stock != nil {
			t.put(n)
			out = append(out, n)
			continue
		}
		if !rebuild {
			t.stamps.remove(key{r.stamp(), r.id()})
			t.stamps.add(key{n.stamp(), n.id()})
		}
		t.rows[n.id()] = n
		out = append(out, n)
	}
	if rebuild {
		keys := make([]key, 0, len(t.rows))
		for id, r := range t.rows {
			keys = append(keys, key{r.stamp(), id})
		}
		slices.SortFunc(keys, key.compare)
		t.stamps = indexOf(keys)
	}
	return out
}

// RenamePicklist replaces a picklist value in the schema and in every row, also
// deleted ones. With stamp the rows get a new SystemModstamp, as the platform's
// own rename gives them; without it they change unseen. It returns how many rows
// changed.
func (s *Server) RenamePicklist(orgName, object, field, from, to string, stamp bool) (int, error) {
	n := 0
	err := s.mutate(orgName, "", func(o *org) error {
		t := o.table(object)
		if t == nil {
			return fmt.Errorf("no object %q in org %s", object, o.name)
		}
		i := t.obj.field(field)
		if i < 0 || t.obj.Fields[i].Type != TypePicklist && t.obj.Fields[i].Type != TypeCombobox {
			return fmt.Errorf("no picklist %q on %s", field, t.obj.Name)
		}
		next := t.obj.clone()
		f := next.Fields[i]
		f.Values = slices.Clone(f.Values)
		at := slices.Index(f.Values, from)
		if at < 0 || to == "" {
			return fmt.Errorf("rename %s.%s: the list has no value %q, or the new one is empty", t.obj.Name, f.Name, from)
		}
		f.Values[at] = to
		if f.Default == from {
			f.Default = to
		}
		o.schemaMoved(s.now())
		o.setObject(next, o.schemaChanged)
		o.journal(stateLine{Org: o.id, Schema: next, Changed: o.schemaChanged})
		t = o.table(object)
		var rows []*record
		t.each(func(r *record) bool {
			if r.get(i) == from {
				rows = append(rows, r)
			}
			return true
		})
		for _, tx := range o.open {
			for id, r := range tx.rows {
				if r != nil && r.obj.Name == next.Name && r.get(i) == from {
					c := r.with()
					c.v[i] = to
					tx.rows[id] = c
				}
			}
		}
		for _, r := range rows {
			c := r.with()
			c.v[i] = to
			if stamp {
				c.restamp(s.now().Truncate(time.Second))
			}
			o.put(c)
		}
		n = len(rows)
		return nil
	})
	return n, err
}

// MergeRecords folds one or two losers into a winner: Case, Contact or Account.
// Losers go to the recycle bin with MasterRecordId; rows that point to them point
// to the winner and are stamped, unless Knobs.QuietMerge is set.
func (s *Server) MergeRecords(orgName, winner string, losers ...string) error {
	return s.mergeRows(orgName, "", winner, losers)
}

func (s *Server) mergeRows(orgName, tx, winner string, losers []string) error {
	return s.mutate(orgName, tx, func(o *org) error {
		return refused(o.merge(winner, losers, s.deletion(false), s.Knobs().QuietMerge))
	})
}

// PurgeRecord takes a row out of the recycle bin for good, with what lies there
// along with it. getDeleted still knows it.
func (s *Server) PurgeRecord(orgName, id string) error {
	return s.mutate(orgName, "", func(o *org) error {
		long, _ := ID18(id)
		r := o.find(long)
		if r == nil || !r.deleted() {
			return fmt.Errorf("purge %s: it is not in the recycle bin", id)
		}
		if e := o.unlocked(long); e != nil {
			return e
		}
		o.purge(r, s.now())
		return nil
	})
}

// EmptyRecycleBin purges every deleted row of an object, or of all objects when
// object is empty, and returns how many. What lies there longer than fifteen days
// goes by itself.
func (s *Server) EmptyRecycleBin(orgName, object string) (int, error) {
	n := 0
	err := s.mutate(orgName, "", func(o *org) error {
		if object != "" && o.table(object) == nil {
			return fmt.Errorf("no object %q in org %s", object, o.name)
		}
		for _, t := range o.tables {
			if object != "" && o.table(object) != t {
				continue
			}
			var gone []*record
			t.each(func(r *record) bool {
				if r.deleted() && o.unlocked(r.id()) == nil {
					gone = append(gone, r)
				}
				return true
			})
			for _, r := range gone {
				if o.find(r.id()) != nil {
					o.purge(r, s.now())
					n++
				}
			}
		}
		return nil
	})
	return n, err
}

// TrimDeleteLog forgets the deletions of an object before a moment, as the
// platform does with a log that has grown too large. earliestDateAvailable of
// getDeleted moves up to it; rows in the recycle bin stay there. A restart forgets
// it.
func (s *Server) TrimDeleteLog(orgName, object string, before time.Time) error {
	return s.mutate(orgName, "", func(o *org) error {
		t := o.table(object)
		if t == nil {
			return fmt.Errorf("no object %q in org %s", object, o.name)
		}
		t.logFrom = max(t.logFrom, before.UTC().Truncate(time.Minute).Unix())
		return nil
	})
}

// ArchiveRecord makes a Task or Event an archived activity: only queryAll shows
// it from now on. Its stamps stay.
func (s *Server) ArchiveRecord(orgName, id string) error {
	return s.mutate(orgName, "", func(o *org) error {
		long, _ := ID18(id)
		r := o.find(long)
		switch {
		case r == nil:
			return errNotFound()
		case r.obj.archived < 0:
			return fmt.Errorf("archive %s: only a Task or an Event can be archived", id)
		}
		if e := o.unlocked(long); e != nil {
			return e
		}
		c := r.with()
		c.v[c.obj.archived] = true
		o.put(c)
		return nil
	})
}
