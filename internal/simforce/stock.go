package simforce

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// stock is a large number of rows of one table that are not kept but made when they
// are looked at: every value follows from the row's number. A row that is written
// leaves the stock and is kept like any other; so a stock costs some twenty bytes a
// row however long its texts are. Versions of its rows never change.
type stock struct {
	obj    *Object
	maker  maker
	pod    string
	places []int // of maker's cells by place in obj; -1 is null

	created, stamped []uint32 // Unix seconds by row number
	// Row numbers in the order of Id, of (SystemModstamp, Id), of (CreatedDate, Id).
	byID, byStamp, byCreated []uint32

	*taking
}

// taking says which rows have left a stock. Copies of the stock share it.
type taking struct {
	taken []uint64 // one bit a row
	left  int
}

// maker makes the values of a stock's rows.
type maker interface {
	// cells names the fields it makes, beyond the audit fields.
	cells() []string
	// value is a cell of row n, by place in cells.
	value(n uint32, cell int) any
	// appendCell appends a cell of row n as the bulk API spells it.
	appendCell(b []byte, n uint32, cell int) []byte
	// children calls visit with the rows whose reference of that name is id.
	children(field, id string, visit func(n uint32))
}

// Cells a stock makes by itself, below those of its maker.
const (
	cellNull    = -1
	cellID      = -2
	cellDeleted = -3
	cellCreated = -4
	cellStamped = -5
	cellUser    = -6
	cellLater   = -7 // LastModifiedDate
)

// Ids of a stock are out of reach of those handed out one by one.
const (
	stockBase = 3_000_000_000
	stockStep = 37
)

// makeStock lays out n rows born at created and last changed at stamped.
func makeStock(o *org, obj *Object, m maker, created, stamped []uint32) *stock {
	n := len(created)
	s := &stock{maker: m, pod: o.pod, created: created, stamped: stamped, taking: &taking{make([]uint64, (n+63)/64), n}}
	s.fit(obj)
	numbers := func() []uint32 {
		list := make([]uint32, n)
		for i := range list {
			list[i] = uint32(i)
		}
		return list
	}
	rank := make([]uint32, n)
	s.byID = numbers()
	slices.SortStableFunc(s.byID, func(a, b uint32) int { return strings.Compare(s.podOf(a), s.podOf(b)) })
	for i, row := range s.byID {
		rank[row] = uint32(i)
	}
	byDate := func(date []uint32) []uint32 {
		list := numbers()
		slices.SortFunc(list, func(a, b uint32) int {
			if date[a] != date[b] {
				return int(date[a]) - int(date[b])
			}
			return int(rank[a]) - int(rank[b])
		})
		return list
	}
	s.byStamp, s.byCreated = byDate(stamped), byDate(created)
	return s
}

// fit finds the places of the cells in a schema.
func (s *stock) fit(obj *Object) {
	s.obj = obj
	s.places = make([]int, len(obj.Fields))
	made := s.maker.cells()
	for i, f := range obj.Fields {
		s.places[i] = slices.Index(made, f.Name)
		switch { //nolint:staticcheck // the places are variables, and some are the same where an object lacks them
		case i == placeID:
			s.places[i] = cellID
		case i == placeDeleted:
			s.places[i] = cellDeleted
		case i == obj.created:
			s.places[i] = cellCreated
		case i == obj.stamp:
			s.places[i] = cellStamped
		case i == obj.modified:
			s.places[i] = cellLater
		}
	}
}

// fitted is the same stock under another schema. Readers of the old one go on.
func (s *stock) fitted(obj *Object) *stock {
	c := *s
	c.fit(obj)
	return &c
}

// podOf makes Id order differ from the order of creation, as newID does.
func (s *stock) podOf(n uint32) string {
	if n%5 == 0 {
		return "aK"
	}
	return s.pod
}

func (s *stock) id(n uint32) string {
	return makeID(s.obj.KeyPrefix, s.podOf(n), stockBase+uint64(n)*stockStep)
}

// number is the row an id names, whether it is still in the stock or not.
func (s *stock) number(id string) (uint32, bool) {
	if len(id) != 18 || id[:3] != s.obj.KeyPrefix {
		return 0, false
	}
	x := uint64(0)
	for i := 5; i < 15; i++ {
		d := strings.IndexByte(idAlphabet, id[i])
		if d < 0 {
			return 0, false
		}
		x = x*62 + uint64(d)
	}
	if x < stockBase || (x-stockBase)%stockStep != 0 || (x-stockBase)/stockStep >= uint64(len(s.created)) {
		return 0, false
	}
	n := uint32((x - stockBase) / stockStep)
	return n, s.id(n) == id
}

func (s *stock) has(n uint32) bool { return s.taken[n/64]&(1<<(n%64)) == 0 }

// take removes a row from the stock.
func (s *stock) take(n uint32) {
	if s.has(n) {
		s.taken[n/64] |= 1 << (n % 64)
		s.left--
	}
}

func (s *stock) record(n uint32) *record { return &record{obj: s.obj, stock: s, n: n} }

// gone visits the ids of the rows that have left the stock.
func (s *stock) gone(visit func(id string)) {
	if s == nil || s.left == len(s.created) {
		return
	}
	for n := range uint32(len(s.created)) {
		if !s.has(n) {
			visit(s.id(n))
		}
	}
}

// find is the row an id names, nil when it is not in the stock. A nil stock has none.
func (s *stock) find(id string) *record {
	if s == nil {
		return nil
	}
	if n, ok := s.number(id); ok && s.has(n) {
		return s.record(n)
	}
	return nil
}

func (s *stock) value(n uint32, place int) any {
	if place < 0 || place >= len(s.places) {
		return nil
	}
	switch cell := s.places[place]; cell {
	case cellNull:
		return nil
	case cellID:
		return s.id(n)
	case cellDeleted:
		return false
	case cellCreated:
		return time.Unix(int64(s.created[n]), 0).UTC()
	case cellStamped, cellLater:
		return time.Unix(int64(s.stamped[n]), 0).UTC()
	default:
		return s.maker.value(n, cell)
	}
}

// appendBulk appends a value as the bulk API spells it.
func (s *stock) appendBulk(b []byte, n uint32, place int) []byte {
	switch cell := s.places[place]; cell {
	case cellNull:
		return append(b, `""`...)
	case cellID:
		return append(append(append(b, '"'), s.id(n)...), '"')
	case cellDeleted:
		return append(b, `"false"`...)
	case cellCreated, cellStamped, cellLater:
		return appendBulk(b, s.obj.Fields[place], s.value(n, place))
	default:
		return s.maker.appendCell(b, n, cell)
	}
}

// later is a text of a row that has left the stock and kept it: it is still made when
// it is looked at.
type later struct {
	s     *stock
	n     uint32
	place int
}

// keep is the value a row takes along when it leaves the stock.
func (s *stock) keep(n uint32, place int) any {
	if f := s.obj.Fields[place]; f.long() && s.places[place] >= 0 {
		return later{s, n, place}
	}
	return s.value(n, place)
}

// children visits the rows in stock whose reference at a place is id.
func (s *stock) children(place int, id string, visit func(*record)) {
	if s == nil || place >= len(s.places) || s.places[place] < 0 {
		return
	}
	s.maker.children(s.obj.Fields[place].Name, id, func(n uint32) {
		if s.has(n) {
			visit(s.record(n))
		}
	})
}

// series is one order of a table's rows: those that are kept, by an index, and those in
// stock.
type series struct {
	t     *table
	kept  *index
	stock *stock
	list  []uint32
	date  []uint32 // by row number; nil for the order of Id
	// again hands out one record for all rows in stock: for visits that keep none.
	again bool
}

func (t *table) series(kept *index, list, date func(*stock) []uint32) series {
	x := series{t: t, kept: kept, stock: t.stock}
	if t.stock != nil {
		x.list, x.date = list(t.stock), date(t.stock)
	}
	return x
}

func (t *table) inIDs() series {
	return t.series(&t.ids, func(s *stock) []uint32 { return s.byID }, func(*stock) []uint32 { return nil })
}

func (t *table) inStamps() series {
	return t.series(&t.stamps, func(s *stock) []uint32 { return s.byStamp }, func(s *stock) []uint32 { return s.stamped })
}

func (t *table) inCreated() series {
	if t.obj.created == t.obj.clock {
		return t.inStamps()
	}
	return t.series(&t.births, func(s *stock) []uint32 { return s.byCreated }, func(s *stock) []uint32 { return s.created })
}

// before says whether row n in stock stands before k.
func (x series) before(n uint32, k key) bool {
	if x.date != nil {
		if at := int64(x.date[n]); at != k.stamp {
			return at < k.stamp
		}
	}
	return x.stock.id(n) < k.id
}

// from is the place of the first row in stock that does not stand before k.
func (x series) from(k key) int {
	return sort.Search(len(x.list), func(i int) bool { return !x.before(x.list[i], k) })
}

// behind is the place of the first row in stock that stands behind k.
func (x series) behind(k key) int {
	k.id += "\x00"
	return x.from(k)
}

func (x series) run(i, end, step int, visit func(*record) bool) bool {
	var one record
	for ; i != end; i += step {
		n := x.list[i]
		if !x.stock.has(n) {
			continue
		}
		r := &one
		if x.again {
			one = record{obj: x.stock.obj, stock: x.stock, n: n}
		} else {
			r = x.stock.record(n)
		}
		if !visit(r) {
			return false
		}
	}
	return true
}

// walk calls visit for every row in lo <= key <= hi in order until it returns false.
func (x series) walk(lo, hi key, visit func(*record) bool) {
	at, end, going := 0, 0, true
	if x.stock != nil {
		at = x.from(lo)
		end = max(at, x.behind(hi))
	}
	x.kept.walk(lo, hi, func(k key) bool {
		if at < end {
			to := min(max(at, x.from(k)), end)
			going = x.run(at, to, 1, visit)
			at = to
		}
		going = going && visit(x.t.rows[k.id])
		return going
	})
	if going {
		x.run(at, end, 1, visit)
	}
}

// walkBack is walk from hi down to lo.
func (x series) walkBack(lo, hi key, visit func(*record) bool) {
	at, end, going := 0, 0, true // rows in stock that are left: [at, end)
	if x.stock != nil {
		at = x.from(lo)
		end = max(at, x.behind(hi))
	}
	x.kept.walkBack(lo, hi, func(k key) bool {
		if at < end {
			to := max(min(end, x.behind(k)), at)
			going = x.run(end-1, to-1, -1, visit)
			end = to
		}
		going = going && visit(x.t.rows[k.id])
		return going
	})
	if going {
		x.run(end-1, at-1, -1, visit)
	}
}

// count says about how many rows lie in lo <= key <= hi: rows that have left the stock
// are counted twice.
func (x series) count(lo, hi key) int {
	n := x.kept.count(lo, hi)
	if x.stock != nil {
		n += max(x.behind(hi)-x.from(lo), 0)
	}
	return n
}

// first is the first row; nil when there is none.
func (x series) first() *record {
	var out *record
	x.walk(key{minStamp, firstID}, key{maxStamp, lastID}, func(r *record) bool {
		out = r
		return false
	})
	return out
}
