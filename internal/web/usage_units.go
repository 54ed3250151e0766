package web

import (
	"encoding/hex"
	"net/http"
	"time"

	"salesforcesync/internal/bill"
	"salesforcesync/internal/store"
)

// unitsAtATime is how many units a page lists.
const unitsAtATime = 100

type unitsPage struct {
	page
	Filter store.LedgerFilter
	Days   string // which ones, in words
	Back   string // path of the month's sums
	Units  []unitLine
	First  string // path of the first page; "" = this is it
	Next   string // "" = there are no more
	CSV    string
}

// unitLine is a unit with its trail: what it was for, and what wrote it.
type unitLine struct {
	store.Unit
	Comment string // path of the comment
	Before  string // hashes of the text, in hex; "" = it was created
	After   string
	ByAPI   bool
}

// units lists AI units one by one.
func (web *Web) units(v *visit) error {
	query := v.r.URL.Query()
	f, err := web.ledgerFilter(v)
	if err != nil {
		return err
	}
	units, next, err := bill.UnitsPage(v.r.Context(), web.store, f, query.Get("after"), unitsAtATime)
	if err != nil {
		return err
	}
	// As over the API, whoever reads the bill line by line leaves a trace.
	if err := web.store.AuditOften(v.r.Context(), store.AuditEvent{Type: store.EventUsageExported}, "", int64(len(units))); err != nil {
		return err
	}
	data := unitsPage{page: web.page(v, "AI units one by one"), Filter: f, Days: daysInWords(f.From, f.To), CSV: unitsCSV(f)}
	sums := filterQuery(store.LedgerFilter{Project: f.Project, Source: f.Source, Integration: f.Integration})
	if !f.From.IsZero() {
		sums.Set("month", f.From.Format(monthLayout))
	}
	data.Back = withQuery("/usage", sums)
	if query.Get("after") != "" {
		data.First = unitsPath(f)
	}
	if next != "" {
		q := filterQuery(f)
		q.Set("after", next)
		data.Next = withQuery("/usage/units", q)
	}
	for _, u := range units {
		data.Units = append(data.Units, unitLine{Unit: u, Before: hex.EncodeToString(u.BeforeHash), After: hex.EncodeToString(u.AfterHash), ByAPI: u.Stream == nil,
			Comment: commentPath(u.Project, u.Source, u.CommentID)})
	}
	return web.render(v, http.StatusOK, "units", data)
}

// daysInWords says which days (UTC) are meant; a zero one is open.
func daysInWords(from, to time.Time) string {
	const day = "2 January 2006"
	switch {
	case from.IsZero() && to.IsZero():
		return "all days"
	case to.IsZero():
		return "from " + from.Format(day)
	case from.IsZero():
		return "up to " + to.Format(day)
	case from.Equal(to):
		return from.Format(day)
	case from.Day() == 1 && to.Equal(from.AddDate(0, 1, -1)):
		return from.Format(monthWords)
	}
	return from.Format(day) + " to " + to.Format(day)
}
