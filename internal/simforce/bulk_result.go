package simforce

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bulkResult is what a job found: versions of rows, which never change, and the
// values that stand in other rows. The text is made while it is sent, so that a
// result takes little memory however long its bodies are.
type bulkResult struct {
	columns []bulkColumn
	rows    rowList
	far     []*farGroup
	size    int64 // bytes, about
}

// bulkColumn is a column of the result: a field of the row, or a far value, which
// a path or a formula takes from another row.
type bulkColumn struct {
	name  string
	field *Field
	place int
	group *farGroup // nil for a field of the row
	far   int       // place among the columns of the group
}

// farGroup is the far columns that begin with the same step. They are the same for all
// rows that take it to the same row, so they are kept once for each of these.
type farGroup struct {
	step    int // place of the reference in the row, -1 for none
	columns []*boundPath
	found   map[string]uint32 // by id of the row stepped to, while rows are added
	of      []uint32          // by row of the result
	values  []any
}

func (g *farGroup) add(r *record) {
	var id string
	if g.step >= 0 {
		id, _ = r.get(g.step).(string)
	}
	at, found := g.found[id]
	if !found || g.step < 0 {
		at = uint32(len(g.values))
		g.found[id] = at
		for _, c := range g.columns {
			g.values = append(g.values, c.value(r))
		}
	}
	g.of = append(g.of, at)
}

// rowList is a list of records that takes four bytes for a row in stock.
type rowList struct {
	stock *stock
	kept  []*record
	// list has numbers of rows in stock, and behind the last of them places in kept.
	list []uint32
}

func (l *rowList) len() int { return len(l.list) }

func (l *rowList) add(r *record) {
	if r.stock != nil {
		l.stock = r.stock
		l.list = append(l.list, r.n)
		return
	}
	l.kept = append(l.kept, r)
	l.list = append(l.list, ^uint32(len(l.kept)-1))
}

func (l *rowList) at(i int) *record {
	n := l.list[i]
	if place := ^n; int(place) < len(l.kept) {
		return l.kept[place]
	}
	return l.stock.record(n)
}

// sortByID puts the rows in the order of their Ids.
func (l *rowList) sortByID() {
	type placed struct {
		id string
		n  uint32
	}
	all := make([]placed, len(l.list))
	for i, n := range l.list {
		all[i] = placed{l.at(i).id(), n}
	}
	slices.SortFunc(all, func(a, b placed) int { return strings.Compare(a.id, b.id) })
	for i, p := range all {
		l.list[i] = p.n
	}
}

// sizeOfCell is what a value that is no text is reckoned to take.
const sizeOfCell = 28

// sizeSample is of how many rows of a stock one is looked at for the size.
const sizeSample = 64

// bulk runs the plan for a job. Without ORDER BY the rows come in Id order, as
// from chunks of the primary key.
func (p *plan) bulk(seed uint64, j *bulkJob) *bulkResult {
	out := &bulkResult{}
	if len(p.order) > 0 {
		for _, r := range p.run(seed, j.query) {
			out.rows.add(r)
		}
	} else if p.query.Limit != 0 {
		byID := !p.narrow()
		p.scan(scanning{byID: byID, again: true}, func(r *record) bool {
			if p.where(r) {
				out.rows.add(r)
			}
			return out.rows.len() != p.query.Limit
		})
		if !byID || p.bounds.idsKnown {
			out.rows.sortByID()
		}
	}
	out.head(p, versionNumber(j.version))
	stocked := 0
	for i := range out.rows.len() {
		r := out.rows.at(i)
		for _, g := range out.far {
			g.add(r)
		}
		if r.stock != nil {
			if stocked++; stocked%sizeSample != 1 {
				continue
			}
		}
		size := out.sizeOf(i, r)
		if r.stock != nil {
			size *= sizeSample
		}
		out.size += size
	}
	for _, g := range out.far {
		g.found = nil
	}
	return out
}

// head lays out the columns.
func (b *bulkResult) head(p *plan, version int) {
	for _, c := range p.columns {
		column := bulkColumn{name: c.full, field: c.field, place: c.place}
		if len(c.steps) > 0 || c.field.Formula != "" {
			step := -1
			if len(c.steps) > 0 {
				step = c.steps[0]
			} else if rel, _, found := strings.Cut(c.field.Formula, "."); found {
				step = p.table.obj.relation(rel)
			}
			i := slices.IndexFunc(b.far, func(g *farGroup) bool { return g.step == step })
			if i < 0 {
				i = len(b.far)
				b.far = append(b.far, &farGroup{step: step, found: map[string]uint32{}})
			}
			column.group, column.far = b.far[i], len(b.far[i].columns)
			b.far[i].columns = append(b.far[i].columns, c)
		}
		b.columns = append(b.columns, column)
	}
	if version < orderedVersion {
		slices.SortFunc(b.columns, func(a, b bulkColumn) int { return strings.Compare(a.name, b.name) })
	}
}

func (b *bulkResult) sizeOf(i int, r *record) int64 {
	size := int64(0)
	for c := range b.columns {
		if text, ok := b.value(i, r, c).(string); ok {
			size += int64(len(text)) + 3
		} else {
			size += sizeOfCell
		}
	}
	return size
}

// value is the cell of column c in row i of the result, which is r.
func (b *bulkResult) value(i int, r *record, c int) any {
	if g := b.columns[c].group; g != nil {
		return g.values[int(g.of[i])+b.columns[c].far]
	}
	return r.get(b.columns[c].place)
}

// flushAt is how much text is gathered before it is sent.
const flushAt = 64 << 10

// write sends the rows from and up to to as CSV with the header line before them:
// every cell in quotes, quotes doubled, line breaks as they are, null as "".
func (b *bulkResult) write(w io.Writer, from, to int, delimiter byte, ending string) error {
	buf := make([]byte, 0, flushAt+8<<10)
	for i, c := range b.columns {
		if i > 0 {
			buf = append(buf, delimiter)
		}
		buf = appendCell(buf, c.name)
	}
	buf = append(buf, ending...)
	for n := from; n < to; n++ {
		r := b.rows.at(n)
		for i, c := range b.columns {
			if i > 0 {
				buf = append(buf, delimiter)
			}
			if c.group == nil && r.stock != nil {
				buf = r.stock.appendBulk(buf, r.n, c.place)
			} else {
				buf = appendBulk(buf, c.field, b.value(n, r, i))
			}
		}
		buf = append(buf, ending...)
		if len(buf) >= flushAt {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}

func appendCell(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(append(b, s[:i]...), `""`...)
		s = s[i+1:]
	}
	return append(append(b, s...), '"')
}

// wireBulk is how Bulk API 2.0 spells datetimes: with Z, unlike REST.
const wireBulk = "2006-01-02T15:04:05.000Z"

func appendBulk(b []byte, f *Field, v any) []byte {
	switch x := v.(type) {
	case string:
		return appendCell(b, x)
	case time.Time:
		layout := wireBulk
		if f.Type == TypeDate {
			layout = wireDate
		}
		b = append(b, '"')
		b = x.UTC().AppendFormat(b, layout)
		return append(b, '"')
	case nil:
		return append(b, `""`...)
	}
	b = append(b, '"')
	b = appendValue(b, f, v)
	return append(b, '"')
}

// locator spells a row number so that nobody takes it for one.
func locator(row int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(row)))
}

func openLocator(text string) (int, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(raw))
	return n, err == nil && n >= 0
}

func errParameter(name, value string) *apiError {
	return refuse(http.StatusBadRequest, "ILLEGAL_QUERY_PARAMETER_VALUE", "Invalid parameter value '%s' for parameter '%s'", value, name)
}

// finished finds the job of a call for results; a reply is the refusal.
func (s *Server) finished(c *call) (*bulkJob, *reply) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	j, e := c.job()
	switch {
	case e != nil:
	case j.version != c.version:
		e = refuse(http.StatusConflict, "API_ERROR", "Results must be got with the API version the job was created with: %s", strings.TrimPrefix(j.version, "v"))
	case j.state == jobFailed || j.state == jobAborted:
		e = refuse(http.StatusBadRequest, "INVALIDJOBSTATE", "The job has no results: it is %s", j.state)
	case j.state != jobComplete && j.knobs.Early == http.StatusNoContent:
		return nil, &reply{status: http.StatusNoContent}
	case j.state != jobComplete:
		e = refuse(j.knobs.Early, "JOB_NOT_COMPLETE", "The job is not complete: it is %s", j.state)
	}
	if e != nil {
		return nil, failed(e)
	}
	return j, nil
}

// jobResults answers one page of results. From here on the data lock is not
// needed: versions of rows do not change.
func (s *Server) jobResults(c *call) *reply {
	j, refusal := s.finished(c)
	if refusal != nil {
		return refusal
	}
	page, from := j.knobs.PageRows, 0
	for name, values := range c.query {
		ok := false
		switch name {
		case "maxRecords":
			n, err := strconv.Atoi(values[0])
			page, ok = min(n, page), err == nil && n > 0
		case "locator":
			from, ok = openLocator(values[0])
			ok = ok && from < j.result.rows.len()
		}
		if !ok {
			return failed(errParameter(name, values[0]))
		}
	}
	total := j.result.rows.len()
	to := min(from+page, total)
	h := http.Header{}
	h.Set("Content-Type", "text/csv;charset=UTF-8")
	h.Set("Sforce-NumberOfRecords", strconv.Itoa(to-from))
	h.Set("Sforce-Locator", "null")
	if to < total {
		h.Set("Sforce-Locator", locator(to))
	}
	name := j.id + " " + c.query.Get("locator") + " " + c.query.Get("maxRecords")
	s.counters.page(name, false)
	rep := &reply{status: http.StatusOK, header: h, plain: s.Knobs().Bulk.Plain, sent: func() { s.counters.page(name, true) }}
	if total > 0 || j.knobs.Empty == "header" {
		pace := s.Knobs().Bulk.PaceKBps
		rep.stream = func(w io.Writer) error {
			return j.result.write(&paced{w: w, perSecond: pace * 1000}, from, to, delimiters[j.delimiter], endings[j.ending])
		}
	}
	return rep
}

// pagesAtOnce is how many result URLs one answer of resultPages has.
const pagesAtOnce = 5

// jobPages answers the addresses of up to five pages of results, to be read side
// by side.
func (s *Server) jobPages(c *call) *reply {
	j, refusal := s.finished(c)
	if refusal != nil {
		return refusal
	}
	from := 0
	for name, values := range c.query {
		ok := false
		if name == "locator" {
			from, ok = openLocator(values[0])
			ok = ok && from < j.result.rows.len()
		}
		if !ok {
			return failed(errParameter(name, values[0]))
		}
	}
	type page struct {
		URL string `json:"resultUrl"`
	}
	base := "/services/data/" + c.version + "/jobs/query/" + j.id
	pages := []page{}
	for ; len(pages) < pagesAtOnce && (from < j.result.rows.len() || from == 0); from += j.knobs.PageRows {
		pages = append(pages, page{base + "/results?locator=" + locator(from)})
		if j.result.rows.len() == 0 {
			pages[0].URL = base + "/results"
		}
	}
	var next *string
	if from < j.result.rows.len() {
		at := base + "/resultPages?locator=" + locator(from)
		next = &at
	}
	return okJSON(struct {
		Pages []page  `json:"resultPages"`
		Next  *string `json:"nextRecordsUrl"`
		Done  bool    `json:"done"`
	}{pages, next, next == nil})
}

// paced lets through so many bytes in a second of the wall clock.
type paced struct {
	w         io.Writer
	perSecond int
	began     time.Time
	sent      int
}

func (p *paced) Write(b []byte) (int, error) {
	if p.perSecond <= 0 {
		return p.w.Write(b)
	}
	if p.began.IsZero() {
		p.began = time.Now()
	}
	written := 0
	for step := max(p.perSecond/20, 1); written < len(b); {
		n, err := p.w.Write(b[written:min(written+step, len(b))])
		written += n
		p.sent += n
		if err != nil {
			return written, fmt.Errorf("send a result: %w", err)
		}
		time.Sleep(time.Until(p.began.Add(time.Duration(p.sent) * time.Second / time.Duration(p.perSecond))))
	}
	return written, nil
}
