package poll

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// pages reads rows in the order (stamp, Id), one page a call, and survives queries that
// are too much for Salesforce. As long as nothing is refused each page is one query for
// all that lies behind the position. After QUERY_TIMEOUT, OPERATION_TOO_LARGE or an
// answer that is too large it asks for less, and for more again when that went well:
//
//	keyset      stamp = T AND Id > x OR stamp > T       all that is left, the usual query
//	  apart     stamp = T AND Id > x, then stamp > T    when the OR was too much
//	window      … AND stamp <= U                        half the time, down to one second
//	Ids         stamp = T AND Id > x AND Id <= y        an eighth of the Ids of one second, down to one
//	rows        LIMIT n                                 a quarter of the rows, when the answer was too large
//
// Nothing is skipped whatever is tried: the position moves behind rows that were read,
// or behind a window whose whole answer was read, and never otherwise.
type pages struct {
	object string // for messages
	stamp  string // the field
	query  func(more soql.Expr, order []soql.Order, limit int) (string, error)
	ask    func(ctx context.Context, q string) (salesforce.Page, error)

	at   store.Position // everything in front of it has been read
	end  time.Time      // the last second to read; zero: as far as there are rows
	rows int            // rows of a page; 0: as many as Salesforce gives
	done bool           // there is no more

	size   narrowing
	level  int    // step of a range of Ids inside the second of at; 0: no such range
	heavy  string // the end of the last range of Ids that was too much: none up to there is widened
	near   string // an Id of the object, whose neighbourhood is where its Ids are; "" when none is known
	shut   bool   // a query without an upper bound was refused where the position is
	now    time.Time
	narrow bool // something was refused
	keep   func(size narrowing, refused bool)
}

// narrowing is how much is asked for at a time. The zero value is everything.
type narrowing struct {
	width time.Duration // the longest window; 0: no bound
	apart bool          // the rest of a second and what lies behind it are asked for one after the other
	rows  int           // LIMIT; 0: a whole page

	// Growing again is tried after patience answers. A refusal right after it doubles the
	// patience, so that even where everything is equally heavy few queries are in vain.
	patience, good int
	grown          bool
}

// The bounds of narrowing.
const (
	shortest    = time.Second
	topLevel    = 30 // of ranges of Ids: 8 × 62^14, more than any object has
	nearLevel   = 9  // 62^4: what one load wrote in one second lies closer together
	mostPatient = 32
)

// Below firstStamp stand only rows with stamps from before Salesforce, which imports
// can set; below leastStamp nothing can stand.
var (
	firstStamp = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	leastStamp = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
)

// shape is the form of a query, which says what to try when it is too much.
type shape int

const (
	shapeAll    shape = iota // no lower bound
	shapeBefore              // stamp < firstStamp
	shapeKeyset              // the rest of a second OR what lies behind it
	shapeRest                // the rest of one second
	shapeSpan                // whole seconds
	shapeIDs                 // a range of Ids of one second
)

// window is one query to come.
type window struct {
	shape shape
	where soql.Expr
	last  time.Time      // the last second it covers; zero: no bound
	next  store.Position // where the position is when all of its answer was read
	final bool           // then there is nothing left to read
}

// next reads one page and moves the position behind its rows. A page may be empty
// although there is more: done says whether there is. An error other than those that
// ask for less is returned as it is, the position unmoved; when even the least is too
// much the error is a fault that says so and is not [salesforce.TooBroad] itself.
func (p *pages) next(ctx context.Context) ([]json.RawMessage, error) {
	for {
		if !p.end.IsZero() && p.at.Stamp.After(p.end) {
			p.done = true
		}
		if p.done {
			return nil, nil
		}
		w := p.window()
		limit := p.limit()
		order := byKeyset(p.stamp)
		if w.shape == shapeRest || w.shape == shapeIDs {
			order = []soql.Order{{Field: transform.PathID}}
		}
		q, err := p.query(w.where, order, limit)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "build a query of %s", p.object)
		}
		page, err := p.ask(ctx, q)
		switch {
		case salesforce.TooBroad(err):
			if !p.less(w, limit, err) {
				return nil, p.tooMuch(err)
			}
			p.save(true)
			continue
		case err != nil:
			return nil, err
		}
		return page.Rows, p.take(w, limit, page)
	}
}

func (p *pages) limit() int {
	if p.size.rows > 0 {
		return p.size.rows
	}
	return p.most()
}

func (p *pages) most() int {
	if p.rows > 0 {
		return p.rows
	}
	return pageRows
}

// window says what to ask for next.
func (p *pages) window() window {
	at := p.at.Stamp
	if p.level > 0 {
		return p.ids()
	}
	if p.at.IsZero() {
		if p.size.width > 0 && (p.end.IsZero() || p.end.After(firstStamp)) {
			return window{shape: shapeBefore, where: soql.Compare(p.stamp, soql.Less, soql.DateTimeLiteral(firstStamp)),
				last: firstStamp.Add(-time.Second), next: store.Position{Stamp: firstStamp}}
		}
		w := window{shape: shapeAll, last: p.end, final: true}
		if !p.end.IsZero() {
			w.where = soql.AtOrBefore(p.stamp, p.end)
		}
		return w
	}
	w := window{shape: shapeSpan, last: p.end}
	if bound := at.Add(p.size.width - time.Second); p.size.width > 0 && (p.shut || bound.Before(p.present())) &&
		(p.end.IsZero() || bound.Before(p.end)) {
		w.last = bound
	}
	if p.at.ID != "" && (p.size.apart || w.last.Equal(at)) {
		w.shape, w.last = shapeRest, at
	}
	w.next = store.Position{Stamp: w.last.Add(time.Second)}
	w.final = w.last.IsZero() || w.last.Equal(p.end)
	switch {
	case w.shape == shapeRest:
		w.where = p.second()
	case p.at.ID != "":
		w.shape, w.where = shapeKeyset, soql.Past(p.stamp, at, p.at.ID)
	case w.last.Equal(at):
		w.where = soql.Compare(p.stamp, soql.Equal, soql.DateTimeLiteral(at))
		return w
	default:
		w.where = soql.AtOrAfter(p.stamp, at)
	}
	if w.shape != shapeRest && !w.last.IsZero() {
		w.where = soql.AllOf(w.where, soql.AtOrBefore(p.stamp, w.last))
	}
	return w
}

// second is what is left of the position's second.
func (p *pages) second() soql.Expr {
	return soql.AllOf(soql.Compare(p.stamp, soql.Equal, soql.DateTimeLiteral(p.at.Stamp)),
		soql.Compare(transform.PathID, soql.Greater, soql.StringLiteral(p.at.ID)))
}

// ids is a range of Ids behind the position, in its second.
func (p *pages) ids() window {
	at := p.at.Stamp
	w := window{shape: shapeIDs, where: p.second(), last: at}
	to, bounded := p.step(p.level)
	if start := p.neighbourhood(); salesforce.CompareIDs(p.at.ID, start) < 0 {
		to, bounded = start, true
	}
	if !bounded {
		w.next, w.final = store.Position{Stamp: at.Add(time.Second)}, at.Equal(p.end)
		return w
	}
	w.where = soql.AllOf(w.where, soql.Compare(transform.PathID, soql.LessOrEqual, soql.StringLiteral(to)))
	w.next = store.Position{Stamp: at, ID: to}
	return w
}

// neighbourhood is the first Id with the prefix that the object's Ids are known to have.
func (p *pages) neighbourhood() string {
	if p.near == "" {
		return ""
	}
	return salesforce.To18(p.near[:3] + salesforce.FirstID[3:15])
}

// present is Salesforce's clock, or ours until it has answered. It only decides how
// wide a window is.
func (p *pages) present() time.Time {
	if p.now.IsZero() {
		return time.Now()
	}
	return p.now
}

// take moves the position behind a page.
func (p *pages) take(w window, limit int, page salesforce.Page) error {
	if !page.ServerTime.IsZero() {
		p.now = page.ServerTime
	}
	more := !page.Done || page.TotalSize >= limit
	if more && len(page.Rows) == 0 {
		return fault.New(fault.Transient, "query %s: Salesforce says there is more and gives no row", p.object)
	}
	last, err := lastPlaced(page.Rows, p.stamp)
	switch {
	case err != nil:
		return err
	case !last.IsZero():
		p.at, p.near = last, last.ID
	case more && p.at.IsZero():
		p.at = start // nothing but rows without a stamp, which come first: the others are behind
	case more:
		return fault.New(fault.Transient, "query %s: Salesforce says there is more and gives no row with a stamp", p.object)
	}
	if p.size.rows > 0 && p.size.succeeded(false) {
		if p.size.rows *= 2; p.size.rows >= p.most() {
			p.size.rows = 0
		}
	}
	switch {
	case more:
	case w.final:
		p.done = true
	default:
		p.at, p.shut = w.next, false
		p.more(w, len(page.Rows) == 0)
	}
	p.save(false)
	return nil
}

// lastPlaced is where the last row stands that has a stamp; zero for none.
func lastPlaced(rows []json.RawMessage, stamp string) (store.Position, error) {
	for i := len(rows) - 1; i >= 0; i-- {
		if at, err := positionOf(rows[i], stamp); err != nil || !at.IsZero() {
			return at, err
		}
	}
	return store.Position{}, nil
}

// more widens what is asked for after a window was read to its end.
func (p *pages) more(w window, empty bool) {
	switch {
	case w.shape == shapeIDs && p.at.Stamp.After(w.last):
		p.level, p.heavy = 0, ""
	case w.shape == shapeIDs && salesforce.CompareIDs(p.at.ID, p.heavy) < 0:
	case w.shape == shapeIDs:
		if p.size.succeeded(empty) && p.level < topLevel {
			p.level++
		}
	case w.shape == shapeBefore, p.size.width == 0, !p.size.succeeded(empty):
	case p.size.width > 100*365*24*time.Hour:
		p.size.width = 0
	default:
		p.size.width *= 2
	}
}

// less makes the next query smaller than w, which was too much. false when there is
// nothing smaller.
func (p *pages) less(w window, limit int, cause error) bool {
	p.narrow = true
	p.size.failed()
	if tooManyBytes(cause) {
		if limit == 1 {
			return false
		}
		p.size.rows = max(1, limit/4)
		return true
	}
	switch w.shape {
	case shapeAll:
		p.size.width = max(p.present().Sub(firstStamp)/2, shortest).Truncate(time.Second)
		if !p.end.IsZero() && !p.end.After(firstStamp) {
			p.at = store.Position{Stamp: leastStamp}
		}
	case shapeBefore:
		p.at = store.Position{Stamp: leastStamp}
	case shapeKeyset:
		p.size.apart = true
	case shapeSpan:
		p.size.apart = false // it was not to blame
		length := w.last.Sub(p.at.Stamp) + time.Second
		if w.last.IsZero() {
			length = max(p.present().Sub(p.at.Stamp), 2*shortest)
		}
		if length <= shortest {
			p.at.ID, p.level = salesforce.FirstID, topLevel
			return true
		}
		p.size.width, p.shut = max(length/2, shortest).Truncate(time.Second), true
	case shapeRest:
		p.level = nearLevel
	case shapeIDs:
		p.heavy = w.next.ID
		switch start := p.neighbourhood(); {
		case salesforce.CompareIDs(p.at.ID, start) < 0:
			p.near = "" // it is not as was thought
		case w.next.ID == "": // the range went to the end of the second
			p.level = p.widest()
			return p.level > 0
		case p.level > 1:
			p.level--
		default:
			return false
		}
	}
	return true
}

// widest is the longest range of Ids that ends before all Ids do; 0 when the position
// is the last one.
func (p *pages) widest() int {
	for level := topLevel; level > 0; level-- {
		if _, bounded := p.step(level); bounded {
			return level
		}
	}
	return 0
}

// step is the end of a range of 1, 8, 62, 8 × 62, 62² … Ids behind the position; false
// when there are no so many.
func (p *pages) step(level int) (string, bool) {
	return salesforce.AdvanceID(p.at.ID, (level-1)/2, 1+7*((level-1)%2))
}

func (p *pages) save(refused bool) {
	if p.keep != nil {
		p.keep(p.size, refused)
	}
}

// tooMuch is the fault when nothing smaller can be asked for.
func (p *pages) tooMuch(cause error) error {
	e := fault.Wrap(fault.KindOf(cause), cause, "even the least of %s that can be asked for at once is too much for Salesforce", p.object)
	if !p.at.IsZero() {
		e.Message += " (it stands at " + p.at.Stamp.UTC().Format(time.RFC3339) + ")"
	}
	e.RetryAfter = fault.RetryAfterOf(cause)
	var f *fault.Error
	switch errors.As(cause, &f); {
	case f != nil && f.Code == "OPERATION_TOO_LARGE":
		e.Hint = "give the integration user View All on " + p.object + " in a permission set: without it Salesforce looks at who shares each record"
	case tooManyBytes(cause):
		e.Hint = "select fewer long fields of " + p.object
	default:
		e.Hint = "select fewer formula fields and parent paths of " + p.object + ", or make its condition more selective"
	}
	return e
}

func tooManyBytes(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == salesforce.CodeResponseTooLarge
}

func (n *narrowing) failed() {
	if n.grown {
		n.patience = min(2*max(n.patience, 1), mostPatient)
	}
	n.good, n.grown = 0, false
}

// succeeded notes a good answer and reports whether to ask for more. Where there are no
// rows nothing suggests patience.
func (n *narrowing) succeeded(empty bool) bool {
	if n.grown || empty {
		n.patience /= 2
	}
	n.grown = false
	if n.good++; n.good < n.patience {
		return false
	}
	n.good, n.grown = 0, true
	return true
}

// inFewer asks about all of the items together, and about the halves of them when that is
// too much for Salesforce: for queries by a list, which have no window. ask may be asked
// again about items that it has answered.
func inFewer[T any](items []T, ask func([]T) error) error {
	err := ask(items)
	if len(items) < 2 || !salesforce.TooBroad(err) {
		return err
	}
	half := len(items) / 2
	if err := inFewer(items[:half], ask); err != nil {
		return err
	}
	return inFewer(items[half:], ask)
}

// narrowings remembers for an hour what each read of a process had to ask for, so that
// the next one does not wait for the same refusals again: each can take Salesforce two
// minutes. It is a hint only.
type narrowings struct {
	mu   sync.Mutex
	kept map[string]keptNarrowing
}

type keptNarrowing struct {
	size    narrowing
	refused time.Time // when something was, for the last time
}

const narrowingLife = time.Hour

// of returns what to begin a read with, and how to keep what it learns.
func (n *narrowings) of(key string) (narrowing, func(size narrowing, refused bool)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.kept[key].refused) > narrowingLife {
		delete(n.kept, key)
	}
	return n.kept[key].size, func(size narrowing, refused bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		k, known := n.kept[key]
		if !known && !refused {
			return
		}
		if k.size = size; refused {
			k.refused = time.Now()
		}
		if n.kept == nil {
			n.kept = map[string]keptNarrowing{}
		}
		n.kept[key] = k
	}
}
