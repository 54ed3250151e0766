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
	rows    []*record
	far     []any // the values of far columns, row by row
	width   int   // far columns
	size    int64 // bytes, about
}

// bulkColumn is a column of the result: a field of the row, or a far value, which
// a path or a formula takes from another row.
type bulkColumn struct {
	name  string
	field *Field
	place int
	far   int // place among the far columns, -1 for a field of the row
}

// sizeOfCell is what a value that is no text is reckoned to take.
const sizeOfCell = 28

// bulk runs the plan for a job. Without ORDER BY the rows come in Id order, as
// from chunks of the primary key.
func (p *plan) bulk(seed uint64, j *bulkJob) *bulkResult {
	out := &bulkResult{}
	if len(p.order) > 0 {
		out.rows = p.run(seed, j.query)
	} else {
		p.scan(false, !p.narrow(), false, func(k key) bool {
			if r := p.table.rows[k.id]; r != nil && p.where(r) {
				out.rows = append(out.rows, r)
			}
			return len(out.rows) != p.query.Limit
		})
		if p.query.Limit == 0 {
			out.rows = nil
		}
		slices.SortFunc(out.rows, func(a, b *record) int { return strings.Compare(a.id(), b.id()) })
	}
	var far []*boundPath
	for _, c := range p.columns {
		column := bulkColumn{c.full, c.field, c.place, -1}
		if len(c.steps) > 0 || c.field.Formula != "" {
			column.far = len(far)
			far = append(far, c)
		}
		out.columns = append(out.columns, column)
	}
	if versionNumber(j.version) < orderedVersion {
		slices.SortFunc(out.columns, func(a, b bulkColumn) int { return strings.Compare(a.name, b.name) })
	}
	out.width = len(far)
	out.far = make([]any, 0, len(far)*len(out.rows))
	for _, r := range out.rows {
		for _, c := range far {
			out.far = append(out.far, c.value(r))
		}
		if r.big != nil {
			out.size += bigBytes
			continue
		}
		for i := range out.columns {
			if text, ok := out.value(len(out.far)-out.width, r, i).(string); ok {
				out.size += int64(len(text)) + 3
			} else {
				out.size += sizeOfCell
			}
		}
	}
	return out
}

// value is the cell of column i in row r, whose far values begin at base.
func (b *bulkResult) value(base int, r *record, i int) any {
	if c := b.columns[i]; c.far >= 0 {
		return b.far[base+c.far]
	}
	return r.get(b.columns[i].place)
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
		r := b.rows[n]
		for i, c := range b.columns {
			if i > 0 {
				buf = append(buf, delimiter)
			}
			if r.big != nil && c.far < 0 {
				var done bool
				if buf, done = r.big.appendCSV(buf, r.n, c.place); done {
					continue
				}
			}
			buf = appendBulk(buf, c.field, b.value(n*b.width, r, i))
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
			ok = ok && from < len(j.result.rows)
		}
		if !ok {
			return failed(errParameter(name, values[0]))
		}
	}
	total := len(j.result.rows)
	to := min(from+page, total)
	h := http.Header{}
	h.Set("Content-Type", "text/csv;charset=UTF-8")
	h.Set("Sforce-NumberOfRecords", strconv.Itoa(to-from))
	h.Set("Sforce-Locator", "null")
	if to < total {
		h.Set("Sforce-Locator", locator(to))
	}
	rep := &reply{status: http.StatusOK, header: h}
	if total > 0 || j.knobs.Empty == "header" {
		pace := s.Knobs().Bulk.PaceKBps
		name := j.id + " " + c.query.Get("locator") + " " + c.query.Get("maxRecords")
		s.counters.page(name, false)
		rep.stream = func(w io.Writer) (err error) {
			defer func() {
				if err == nil {
					s.counters.page(name, true)
				}
			}()
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
			ok = ok && from < len(j.result.rows)
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
	for ; len(pages) < pagesAtOnce && (from < len(j.result.rows) || from == 0); from += j.knobs.PageRows {
		pages = append(pages, page{base + "/results?locator=" + locator(from)})
		if len(j.result.rows) == 0 {
			pages[0].URL = base + "/results"
		}
	}
	var next *string
	if from < len(j.result.rows) {
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
