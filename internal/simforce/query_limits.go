package simforce

import (
	"net/http"
	"slices"
	"strings"
)

// QueryLimits make queries fail by their shape; 0 switches a limit off. Rows are
// those the condition matches, whatever LIMIT says; seconds are the window that
// the condition leaves open on SystemModstamp, LastModifiedDate or CreatedDate,
// whichever is narrowest. A query by a list of Ids or of parents never fails; one
// by a range of Ids alone has no window.
type QueryLimits struct {
	// TimeoutRows and TimeoutSeconds give QUERY_TIMEOUT, the others
	// OPERATION_TOO_LARGE.
	TimeoutRows     int `json:"timeout_rows"`
	TimeoutSeconds  int `json:"timeout_seconds"`
	TooLargeRows    int `json:"too_large_rows"`
	TooLargeSeconds int `json:"too_large_seconds"`
	// Objects names the objects concerned; none means all.
	Objects []string `json:"objects"`
}

func errTimeout() *apiError {
	return refuse(http.StatusBadRequest, "QUERY_TIMEOUT", "Your query request was running for too long.")
}

func errTooLarge() *apiError {
	return refuse(http.StatusBadRequest, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's")
}

// heavy refuses a query that the limits say the platform would not finish.
func (s *Server) heavy(p *plan) *apiError {
	l := s.Knobs().QueryLimits
	if l.TimeoutRows <= 0 && l.TimeoutSeconds <= 0 && l.TooLargeRows <= 0 && l.TooLargeSeconds <= 0 || p.bounds.idsKnown {
		return nil
	}
	named := func(o string) bool { return strings.EqualFold(o, p.table.obj.Name) }
	if len(l.Objects) > 0 && !slices.ContainsFunc(l.Objects, named) {
		return nil
	}
	if seconds, has := p.windowSeconds(s.now().Unix()); has {
		switch {
		case l.TooLargeSeconds > 0 && seconds > int64(l.TooLargeSeconds):
			return errTooLarge()
		case l.TimeoutSeconds > 0 && seconds > int64(l.TimeoutSeconds):
			return errTimeout()
		}
	}
	enough := max(l.TimeoutRows, l.TooLargeRows)
	if enough <= 0 {
		return nil
	}
	n := 0
	p.scan(scanning{again: true}, func(r *record) bool {
		if p.where(r) {
			n++
		}
		return n <= enough
	})
	switch {
	case l.TooLargeRows > 0 && n > l.TooLargeRows:
		return errTooLarge()
	case l.TimeoutRows > 0 && n > l.TimeoutRows:
		return errTimeout()
	}
	return nil
}

// dateSpan is what a condition leaves open of one date: seconds [lo, hi].
type dateSpan struct{ lo, hi int64 }

var openSpan = dateSpan{minStamp, maxStamp}

// windowSeconds is how much time the condition spans, within the rows there are
// and the present. A condition by a range of Ids alone has no window.
func (p *plan) windowSeconds(now int64) (int64, bool) {
	t := p.table
	oldest := t.inStamps().first()
	if oldest == nil {
		return 0, false
	}
	first := oldest.stamp()
	best, found := int64(0), false
	for _, place := range []int{t.obj.stamp, t.obj.modified, t.obj.created} {
		if place < 0 {
			continue
		}
		w := openSpan
		if p.query.Where != nil {
			w = p.dates(p.query.Where, t.obj.Fields[place])
		}
		if w == openSpan && (p.bounds.idLo != "" || p.bounds.idHi != "") {
			continue
		}
		lo, hi := max(w.lo, first), min(w.hi, max(now, first))
		if span := max(hi-lo, 0); !found || span < best {
			best, found = span, true
		}
	}
	return best, found
}

// dates reads the span of field f out of a condition: AND intersects, OR takes
// the hull, NOT says nothing.
func (p *plan) dates(e Expr, f *Field) dateSpan {
	switch e := e.(type) {
	case *And:
		out := openSpan
		for _, t := range e.Terms {
			s := p.dates(t, f)
			out.lo, out.hi = max(out.lo, s.lo), min(out.hi, s.hi)
		}
		return out
	case *Or:
		out := dateSpan{maxStamp, minStamp}
		for _, t := range e.Terms {
			s := p.dates(t, f)
			out.lo, out.hi = min(out.lo, s.lo), max(out.hi, s.hi)
		}
		return out
	case *Cond:
		if len(e.Path.Parts) != 1 || !strings.EqualFold(e.Path.Parts[0], f.Name) || len(e.Values) != 1 {
			return openSpan
		}
		c := compiler{view: p.view, obj: p.table.obj, now: p.now}
		v, err := c.operand(f, e, e.Op, e.Values[0])
		if err != nil || v.null {
			return openSpan
		}
		switch e.Op {
		case "=":
			return dateSpan{v.from, v.to - 1}
		case "<":
			return dateSpan{minStamp, v.from - 1}
		case "<=":
			return dateSpan{minStamp, v.to - 1}
		case ">":
			return dateSpan{v.to, maxStamp}
		case ">=":
			return dateSpan{v.from, maxStamp}
		}
	}
	return openSpan
}
