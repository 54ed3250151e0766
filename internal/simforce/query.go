package simforce

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Page sizes: the default, what one long text field leaves, what two leave.
const (
	pageFull = 2000
	pageLong = 1000
	pageTiny = 200
)

// maxCursors is how many open cursors a user may have; the oldest goes first.
const maxCursors = 10

// cursor is the result of a query as it stood when it ran: the ids are fixed,
// the values are read page by page.
type cursor struct {
	id      string
	org     string
	user    string
	token   string // the session that opened it
	version string
	plan    *plan
	ids     []string
	page    int
	all     bool
	born    time.Time
}

// cursors keeps the open ones, oldest first.
type cursors struct {
	mu   sync.Mutex
	n    uint64
	open []*cursor
}

func (cs *cursors) add(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.n++
	c.id = makeID("0r8", "xx", 40_000_000_000+cs.n*7919)
	mine := 0
	for _, o := range cs.open {
		if o.org == c.org && o.user == c.user {
			mine++
		}
	}
	if mine >= maxCursors {
		i := slices.IndexFunc(cs.open, func(o *cursor) bool { return o.org == c.org && o.user == c.user })
		cs.open = slices.Delete(cs.open, i, i+1)
	}
	cs.open = append(cs.open, c)
}

// KillCursors makes every open query locator invalid and returns how many there
// were.
func (s *Server) KillCursors() int {
	s.cursors.mu.Lock()
	defer s.cursors.mu.Unlock()
	n := len(s.cursors.open)
	s.cursors.open = nil
	return n
}

func (cs *cursors) find(id string, now time.Time, life time.Duration) *cursor {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open = slices.DeleteFunc(cs.open, func(o *cursor) bool { return now.Sub(o.born) > life })
	i := slices.IndexFunc(cs.open, func(o *cursor) bool { return o.id == id })
	if i < 0 {
		return nil
	}
	return cs.open[i]
}

// query answers /query and /queryAll.
func (s *Server) query(c *call) *reply {
	text := c.query.Get("q")
	if text == "" {
		return failed(refuse(http.StatusBadRequest, "MALFORMED_QUERY", "SOQL statement is missing: the parameter q is required"))
	}
	for name := range c.query {
		if name != "q" {
			return failed(refuse(http.StatusBadRequest, "ILLEGAL_QUERY_PARAMETER_VALUE", "the simulator has no query parameter '%s'", name))
		}
	}
	page, e := batchSize(c.header.Get("Sforce-Query-Options"))
	if e != nil {
		return failed(e)
	}
	all := c.path[0] == "queryAll"
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, e := s.compileText(c.view, text, all)
	if e != nil {
		return failed(e)
	}
	if e := s.heavy(p); e != nil {
		return failed(e)
	}
	if p.query.Count {
		return ok([]byte(fmt.Sprintf(`{"totalSize":%d,"done":true,"records":[]}`, p.count())))
	}
	rows := p.run(s.opts.Seed, text)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.id()
	}
	switch {
	case p.long >= 2:
		page = min(page, pageTiny)
	case p.long == 1:
		page = min(page, pageLong)
	}
	if k := s.Knobs(); k.PageMax > 0 {
		page = min(page, k.PageMax)
	}
	cur := &cursor{
		org: c.view.id, user: c.view.user, token: c.session.id, version: c.version,
		plan: p, ids: ids, page: page, all: all, born: s.now(),
	}
	if len(ids) > page {
		s.cursors.add(cur)
	}
	return ok(cur.render(0))
}

// batchSize reads the hint of Sforce-Query-Options: batchSize=N.
func batchSize(header string) (int, *apiError) {
	if header == "" {
		return pageFull, nil
	}
	name, value, _ := strings.Cut(header, "=")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if !strings.EqualFold(strings.TrimSpace(name), "batchSize") || err != nil {
		return 0, refuse(http.StatusBadRequest, "ILLEGAL_QUERY_PARAMETER_VALUE", "Sforce-Query-Options cannot be read: %s", header)
	}
	return min(max(n, pageTiny), pageFull), nil
}

// queryMore answers /query/{locator}.
func (s *Server) queryMore(c *call) *reply {
	bad := refuse(http.StatusBadRequest, "INVALID_QUERY_LOCATOR", "invalid query locator")
	id, offset, _ := strings.Cut(c.path[1], "-")
	from, err := strconv.Atoi(offset)
	cur := s.cursors.find(id, s.now(), time.Duration(s.Knobs().LocatorTTLSeconds)*time.Second)
	if err != nil || from < 0 || cur == nil || from >= len(cur.ids) || cur.org != c.view.id || cur.user != c.view.user || cur.version != c.version {
		return failed(bad)
	}
	if cur.token != c.session.id {
		if s.Knobs().ForeignLocator == "session" {
			return failed(errSession())
		}
		return failed(bad)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ok(cur.render(from))
}

// render writes the page that starts at row from.
func (c *cursor) render(from int) []byte {
	to := min(from+c.page, len(c.ids))
	b := make([]byte, 0, 512*(to-from)+128)
	b = fmt.Appendf(b, `{"totalSize":%d,"done":%t`, len(c.ids), to == len(c.ids))
	if to < len(c.ids) {
		b = fmt.Appendf(b, `,"nextRecordsUrl":"/services/data/%s/query/%s-%d"`, c.version, c.id, to)
	}
	b = append(b, `,"records":[`...)
	tree := newTree(c.plan.columns)
	first := true
	for _, id := range c.ids[from:to] {
		r := c.plan.view.find(id)
		// A row that was deleted or hidden since the query ran is missing from
		// its page.
		if r == nil || (r.deleted() || r.archived()) && !c.all || !c.plan.view.reads(r) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = tree.append(b, c.plan.view, r, c.version)
	}
	return append(b, "]}"...)
}

// tree is the shape of a record in a response: fields in SELECT order, with
// the fields of one relationship together where the first of them stood.
type tree struct {
	leaf  *boundPath // set on fields
	rel   string     // set on relationships
	place int
	kids  []*tree
}

func newTree(paths []*boundPath) *tree {
	root := &tree{}
	for _, p := range paths {
		at := root
		for i, rel := range p.rels {
			j := slices.IndexFunc(at.kids, func(t *tree) bool { return t.leaf == nil && t.rel == rel })
			if j < 0 {
				at.kids = append(at.kids, &tree{rel: rel, place: p.steps[i]})
				j = len(at.kids) - 1
			}
			at = at.kids[j]
		}
		at.kids = append(at.kids, &tree{leaf: p})
	}
	return root
}

func appendAttributes(b []byte, r *record, version string) []byte {
	b = append(append(b, `"attributes":{"type":"`...), r.obj.Name...)
	b = append(append(b, `","url":"/services/data/`...), version...)
	b = append(append(b, `/sobjects/`...), r.obj.Name...)
	b = append(append(append(b, '/'), r.id()...), `"}`...)
	return b
}

func (t *tree) append(b []byte, v view, r *record, version string) []byte {
	b = append(b, '{')
	b = appendAttributes(b, r, version)
	for _, kid := range t.kids {
		b = append(b, ',')
		if kid.leaf != nil {
			b = appendString(b, kid.leaf.name)
			b = append(b, ':')
			var value any
			if kid.leaf.obj == nil {
				value = nameValue(r, kid.leaf.name)
			} else {
				value = v.value(r, kid.leaf.place)
			}
			if kid.leaf.field.Type == TypeBase64 && value != nil {
				value = "/services/data/" + version + "/sobjects/" + r.obj.Name + "/" + r.id() + "/" + kid.leaf.name
			}
			b = appendValue(b, kid.leaf.field, value)
			continue
		}
		b = appendString(b, kid.rel)
		b = append(b, ':')
		parent := v.parent(r, kid.place)
		if parent == nil {
			b = append(b, "null"...)
			continue
		}
		b = kid.append(b, v, parent, version)
	}
	return append(b, '}')
}
