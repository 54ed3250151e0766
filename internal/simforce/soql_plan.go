package simforce

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"
)

// span is a closed range of stamp keys.
type span struct{ lo, hi key }

// Ends of the key space: ids are ASCII letters and digits.
var (
	firstID = ""
	lastID  = "\x7f"
)

const (
	minStamp = -1 << 62
	maxStamp = 1 << 62
)

// bounds says where the matches of a condition can be. Each part may be absent;
// the condition itself is always evaluated on what an index gives.
type bounds struct {
	known bool // stamps is a real restriction
	// stamps are disjoint ascending ranges of (SystemModstamp, Id).
	stamps []span
	// births, when bornKnown, are such ranges of (CreatedDate, Id).
	bornKnown bool
	births    []span
	// ids, when idsKnown, lists all rows that can match.
	idsKnown bool
	ids      []string
	via      int // place of the reference the ids belong to; 0 is Id itself
	// idLo and idHi bound Id; "" means open.
	idLo, idHi string
}

// boundsOf reads the restriction out of one comparison on the object itself.
func boundsOf(p *boundPath, op string, values []operand) bounds {
	var b bounds
	for _, v := range values {
		if v.null {
			return b
		}
	}
	switch {
	case p.place == placeID && p.field.Type == TypeID:
		switch op {
		case "=":
			b.idsKnown = true
			for _, v := range values {
				b.ids = append(b.ids, v.text)
			}
		case ">", ">=":
			b.idLo = values[0].text
		case "<", "<=":
			b.idHi = values[0].text
		}
	case p.field.Type == TypeReference && indexed(p.field) && op == "=":
		b.idsKnown, b.via = true, p.place
		for _, v := range values {
			b.ids = append(b.ids, v.text)
		}
	case p.obj != nil && (p.place == p.obj.clock || p.place == p.obj.created):
		var all []span
		for _, v := range values {
			s := span{key{minStamp, firstID}, key{maxStamp, lastID}}
			switch op {
			case "=":
				s = span{key{v.from, firstID}, key{v.to - 1, lastID}}
			case "<":
				s.hi = key{v.from - 1, lastID}
			case "<=":
				s.hi = key{v.to - 1, lastID}
			case ">":
				s.lo = key{v.to, firstID}
			case ">=":
				s.lo = key{v.from, firstID}
			default:
				return b
			}
			all = append(all, s)
		}
		if p.place == p.obj.clock {
			b.known, b.stamps = true, merge(all)
		} else {
			b.bornKnown, b.births = true, merge(all)
		}
	}
	return b
}

// allOf intersects.
func allOf(in []bounds) bounds {
	var out bounds
	for _, b := range in {
		if b.known {
			if out.known {
				out.stamps = intersect(out.stamps, b.stamps)
			} else {
				out.known, out.stamps = true, b.stamps
			}
		}
		if b.bornKnown {
			if out.bornKnown {
				out.births = intersect(out.births, b.births)
			} else {
				out.bornKnown, out.births = true, b.births
			}
		}
		if b.idsKnown && (!out.idsKnown || len(b.ids) < len(out.ids)) {
			out.idsKnown, out.ids, out.via = true, b.ids, b.via
		}
		out.idLo = max(out.idLo, b.idLo)
		if b.idHi != "" && (out.idHi == "" || b.idHi < out.idHi) {
			out.idHi = b.idHi
		}
	}
	// Inside one second the Id bound narrows the range: the keyset's tie.
	out.stamps = slices.Clone(out.stamps)
	for i, s := range out.stamps {
		if s.lo.stamp == s.hi.stamp {
			out.stamps[i].lo.id = max(s.lo.id, out.idLo)
			if out.idHi != "" {
				out.stamps[i].hi.id = min(s.hi.id, out.idHi)
			}
		}
	}
	return out
}

// anyOf unites; a part that one side does not restrict is unrestricted.
func anyOf(in []bounds) bounds {
	out := bounds{known: true, bornKnown: true, idsKnown: true}
	for i, b := range in {
		out.bornKnown = out.bornKnown && b.bornKnown
		out.births = append(out.births, b.births...)
		out.known = out.known && b.known
		out.stamps = append(out.stamps, b.stamps...)
		out.idsKnown = out.idsKnown && b.idsKnown && (i == 0 || b.via == out.via)
		if i == 0 {
			out.idLo, out.idHi, out.via = b.idLo, b.idHi, b.via
		} else {
			out.idLo = min(out.idLo, b.idLo)
			if b.idHi == "" || out.idHi == "" {
				out.idHi = ""
			} else {
				out.idHi = max(out.idHi, b.idHi)
			}
		}
		out.ids = append(out.ids, b.ids...)
	}
	if !out.known {
		out.stamps = nil
	} else {
		out.stamps = merge(out.stamps)
	}
	if out.bornKnown {
		out.births = merge(out.births)
	} else {
		out.births = nil
	}
	if !out.idsKnown {
		out.ids = nil
	}
	return out
}

func merge(in []span) []span {
	in = slices.DeleteFunc(slices.Clone(in), func(s span) bool { return s.hi.less(s.lo) })
	sort.Slice(in, func(i, j int) bool { return in[i].lo.less(in[j].lo) })
	var out []span
	for _, s := range in {
		if n := len(out); n > 0 && !out[n-1].hi.less(s.lo) {
			if out[n-1].hi.less(s.hi) {
				out[n-1].hi = s.hi
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func intersect(a, b []span) []span {
	var out []span
	for _, x := range a {
		for _, y := range b {
			s := x
			if s.lo.less(y.lo) {
				s.lo = y.lo
			}
			if y.hi.less(s.hi) {
				s.hi = y.hi
			}
			if !s.hi.less(s.lo) {
				out = append(out, s)
			}
		}
	}
	return out
}

// mix folds text into a well-spread 64-bit number.
func mix(seed uint64, text string) uint64 {
	h := seed ^ 0x9E3779B97F4A7C15
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001B3
	}
	h ^= h >> 33
	h *= 0xFF51AFD7ED558CCD
	return h ^ h>>29
}

// hit is a matching row that has yet to find its place in the order.
type hit struct {
	r    *record
	tie  uint64
	keys []any
}

// want is how many matches are enough before OFFSET is taken off; -1 is all.
func (p *plan) want() int {
	if p.query.Limit < 0 {
		return -1
	}
	return p.query.Offset + p.query.Limit
}

// count is how many rows the result has, after OFFSET and LIMIT. The caller holds
// the data lock for reading.
func (p *plan) count() int {
	n, want := 0, p.want()
	if want != 0 {
		p.scan(scanning{again: true}, func(r *record) bool {
			if p.where(r) {
				n++
			}
			return n != want
		})
	}
	return max(n-p.query.Offset, 0)
}

// run executes the plan and returns the rows of the result in order, after
// OFFSET and LIMIT. The caller holds the data lock for reading.
func (p *plan) run(seed uint64, text string) []*record {
	byStamp, byID, desc := p.natural()
	if byID && p.narrow() {
		byID = false
	}
	var out []*record
	if byID || byStamp && len(p.order) == 2 {
		out = p.inOrder(byStamp, byID, desc)
	} else {
		out = p.sorted(byStamp, desc, seed, text)
	}
	return out[min(p.query.Offset, len(out)):]
}

// inOrder reads the rows off an index that has them in the order asked for, and
// no more of them than are wanted.
func (p *plan) inOrder(byStamp, byID, desc bool) []*record {
	out := []*record{}
	want := p.want()
	if want == 0 {
		return out
	}
	p.scan(scanning{byStamp: byStamp, byID: byID, desc: desc}, func(r *record) bool {
		if p.where(r) {
			out = append(out, r)
		}
		return len(out) != want
	})
	return out
}

// sorted reads every match and sorts; by stamp it stops behind the tie in which
// there are enough.
func (p *plan) sorted(byStamp, desc bool, seed uint64, text string) []*record {
	var hits []hit
	var last int64
	want := p.want()
	p.scan(scanning{byStamp: byStamp, desc: desc}, func(r *record) bool {
		if byStamp && want >= 0 && len(hits) >= want && r.stamp() != last {
			return false
		}
		if p.where(r) {
			last = r.stamp()
			hits = append(hits, p.hit(r))
		}
		return true
	})
	p.sort(hits, seed, text)
	if want >= 0 && want < len(hits) {
		hits = hits[:want]
	}
	out := make([]*record, len(hits))
	for i, h := range hits {
		out[i] = h.r
	}
	return out
}

// natural tells whether the requested order is that of an index.
func (p *plan) natural() (byStamp, byID, desc bool) {
	if len(p.order) == 0 || len(p.order) > 2 {
		return false, false, false
	}
	first := p.order[0]
	if len(first.path.steps) > 0 {
		return false, false, false
	}
	second := len(p.order) == 1 || len(p.order[1].path.steps) == 0 && p.order[1].path.name == "Id" && p.order[1].Desc == first.Desc
	switch first.path.place {
	case placeID:
		return false, true, first.Desc
	case p.table.obj.clock:
		return second, false, first.Desc
	}
	return false, false, false
}

// narrow tells that the ranges of dates hold so few rows that reading and sorting
// them beats walking the Id index.
func (p *plan) narrow() bool {
	_, spans := p.dated()
	if spans == nil {
		return false
	}
	n := 0
	for _, x := range spans {
		n += x.n
	}
	return n < p.table.size()/8
}

// ranged is a range with about how many rows it holds.
type ranged struct {
	span
	n int
}

// dated is the order by a date in which the condition leaves the fewest rows, and
// their ranges; nil when the condition leaves every date open.
func (p *plan) dated() (series, []ranged) {
	var best series
	var out []ranged
	fewest := -1
	look := func(known bool, x series, spans []span) {
		if !known {
			return
		}
		all, n := make([]ranged, 0, len(spans)), 0
		for _, s := range spans {
			c := ranged{s, x.count(s.lo, s.hi)}
			all, n = append(all, c), n+c.n
		}
		if fewest < 0 || n < fewest {
			best, out, fewest = x, all, n
		}
	}
	look(p.bounds.known, p.table.inStamps(), p.bounds.stamps)
	look(p.bounds.bornKnown, p.table.inCreated(), p.bounds.births)
	return best, out
}

// scanning says in which order rows are visited, if in any; again lets all rows of a
// stock come in one record, for visits that keep none.
type scanning struct{ byStamp, byID, desc, again bool }

// scan feeds visit from the narrowest index that covers the bounds.
func (p *plan) scan(how scanning, visit func(*record) bool) {
	t, b := p.table, p.bounds
	if b.idsKnown {
		p.lookup(how.desc, how.byStamp || how.byID, visit)
		return
	}
	x, ranges := p.dated()
	var spans []span
	for _, r := range ranges {
		spans = append(spans, r.span)
	}
	switch {
	case how.byStamp:
		x, spans = t.inStamps(), b.stamps
		if !b.known {
			spans = []span{{key{minStamp, firstID}, key{maxStamp, lastID}}}
		}
	case how.byID, ranges == nil:
		lo, hi := key{0, b.idLo}, key{0, lastID}
		if b.idHi != "" {
			hi.id = b.idHi
		}
		x, spans = t.inIDs(), []span{{lo, hi}}
	}
	x.again = how.again
	desc := how.desc && (how.byStamp || how.byID)
	stop := false
	through := func(r *record) bool {
		stop = !visit(r)
		return !stop
	}
	for i := range spans {
		if desc {
			s := spans[len(spans)-1-i]
			x.walkBack(s.lo, s.hi, through)
		} else {
			x.walk(spans[i].lo, spans[i].hi, through)
		}
		if stop {
			return
		}
	}
}

// lookup visits the rows named by id or by a reference, each once. In an index
// order run the ids go in that order, so that the early stop stays right.
func (p *plan) lookup(desc, ordered bool, visit func(*record) bool) {
	type found struct {
		key
		r *record
	}
	var rows []found
	add := func(r *record) {
		if r != nil {
			rows = append(rows, found{key{r.stamp(), r.id()}, r})
		}
	}
	for _, id := range p.bounds.ids {
		if p.bounds.via == placeID {
			add(p.table.row(id))
			continue
		}
		for child := range p.table.refs[p.bounds.via][id] {
			add(p.table.rows[child])
		}
		p.table.stock.children(p.bounds.via, id, add)
	}
	byID := len(p.order) > 0 && p.order[0].path.name == "Id"
	slices.SortFunc(rows, func(x, y found) int {
		if byID || !ordered {
			x.stamp, y.stamp = 0, 0
		}
		return x.compare(y.key)
	})
	rows = slices.CompactFunc(rows, func(x, y found) bool { return x.id == y.id })
	if desc && ordered {
		slices.Reverse(rows)
	}
	for _, f := range rows {
		if !visit(f.r) {
			return
		}
	}
}

func (p *plan) hit(r *record) hit {
	h := hit{r: r}
	if len(p.order) > 0 {
		h.keys = make([]any, len(p.order))
		for i, o := range p.order {
			v := o.path.value(r)
			if s, ok := v.(string); ok && o.path.field.Type != TypeID && o.path.field.Type != TypeReference {
				v = strings.ToLower(s)
			}
			h.keys[i] = v
		}
	}
	return h
}

// sort puts hits in the requested order. Inside a tie the order is arbitrary
// but repeatable for the same statement, unless Id is part of ORDER BY. Only a
// query with neither WHERE nor ORDER BY comes in Id order.
func (p *plan) sort(hits []hit, seed uint64, text string) {
	unique := slices.ContainsFunc(p.order, func(o orderKey) bool { return o.path.name == "Id" && len(o.path.steps) == 0 })
	if !unique && (len(p.order) > 0 || p.query.Where != nil) {
		statement := mix(seed, text)
		for i := range hits {
			hits[i].tie = mix(statement, hits[i].r.id())
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		for n, o := range p.order {
			if c := compareKeys(a.keys[n], b.keys[n], o.Order); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(a.tie, b.tie), strings.Compare(a.r.id(), b.r.id()))
	})
}

func compareKeys(a, b any, o Order) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case (a == nil) != o.NullsLast:
			return -1
		}
		return 1
	}
	c := 0
	switch x := a.(type) {
	case string:
		c = strings.Compare(x, b.(string))
	case int64:
		c = order(float64(x), float64(b.(int64)))
	case float64:
		c = order(x, b.(float64))
	case time.Time:
		c = x.Compare(b.(time.Time))
	case bool:
		c = order(boolNumber(x), boolNumber(b.(bool)))
	}
	if o.Desc {
		return -c
	}
	return c
}

func boolNumber(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
