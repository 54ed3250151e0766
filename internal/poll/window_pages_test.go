package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
)

// touchy is an org of one object that refuses queries which are too much for it.
type touchy struct {
	rows []store.Position // in order
	now  time.Time
	page int // rows of a page at most, whatever LIMIT says

	mostRows  int           // a query that matches more times out, whatever LIMIT says
	mostTime  time.Duration // a query with a longer window times out
	mostLimit int           // an answer of more rows is too large
	noOr      bool

	more    soql.Expr
	limit   int
	asks    int
	refused int
}

func (o *touchy) query(more soql.Expr, _ []soql.Order, limit int) (string, error) {
	o.more, o.limit = more, limit
	return fmt.Sprint(more), nil
}

func matches(e soql.Expr, p store.Position) bool {
	switch e := e.(type) {
	case nil:
		return true
	case soql.And:
		return !slices.ContainsFunc(e.Terms, func(t soql.Expr) bool { return !matches(t, p) })
	case soql.Or:
		return slices.ContainsFunc(e.Terms, func(t soql.Expr) bool { return matches(t, p) })
	case soql.Comparison:
		c := strings.Compare(p.ID, e.Value.Text)
		if e.Path == "SystemModstamp" {
			t, err := time.Parse(time.RFC3339, e.Value.String())
			if err != nil {
				panic(err)
			}
			c = p.Stamp.Compare(t)
		}
		switch e.Op {
		case soql.Equal:
			return c == 0
		case soql.Less:
			return c < 0
		case soql.LessOrEqual:
			return c <= 0
		case soql.Greater:
			return c > 0
		case soql.GreaterOrEqual:
			return c >= 0
		}
	}
	panic(fmt.Sprintf("%T %v", e, e))
}

func (o *touchy) ask(_ context.Context, q string) (salesforce.Page, error) {
	o.asks++
	refuse := func(code string) (salesforce.Page, error) {
		o.refused++
		return salesforce.Page{}, &fault.Error{Kind: fault.Transient, Op: "query Mail", Message: "too much", Code: code, RequestID: "r1"}
	}
	if o.noOr && strings.Contains(q, " OR ") {
		return refuse("QUERY_TIMEOUT")
	}
	var found []store.Position
	for _, p := range o.rows {
		if matches(o.more, p) {
			found = append(found, p)
		}
	}
	if o.mostRows > 0 && len(found) > o.mostRows {
		return refuse("OPERATION_TOO_LARGE")
	}
	if n := len(found); o.mostTime > 0 && n > 0 && found[n-1].Stamp.Sub(found[0].Stamp) > o.mostTime {
		return refuse("QUERY_TIMEOUT")
	}
	if o.mostLimit > 0 && min(o.limit, len(found)) > o.mostLimit {
		return refuse(salesforce.CodeResponseTooLarge)
	}
	total := min(len(found), o.limit)
	found = found[:total]
	page := salesforce.Page{TotalSize: total, Done: true, ServerTime: o.now}
	if o.page > 0 && total > o.page {
		found, page.Done = found[:o.page], false
	}
	for _, p := range found {
		page.Rows = append(page.Rows, json.RawMessage(fmt.Sprintf(`{"Id":%q,"SystemModstamp":%q}`, p.ID, p.Stamp.Format("2006-01-02T15:04:05.000-0700"))))
	}
	return page, nil
}

func (o *touchy) pages(at store.Position) *pages {
	return &pages{object: "Mail", stamp: "SystemModstamp", query: o.query, ask: o.ask, at: at, near: at.ID, rows: 50}
}

// fill makes rows: some spread over years, some in one second, some before Salesforce.
func (o *touchy) fill(r *rand.Rand, n int) {
	o.now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	add := func(at time.Time) {
		base := "02sdM0000"
		if r.IntN(5) == 0 {
			base = "02sAb0000"
		}
		for {
			id := salesforce.To18(fmt.Sprintf("%s%c%c%04d", base, idLetters[r.IntN(62)], idLetters[r.IntN(62)], r.IntN(10000)))
			if !seen[id] {
				seen[id] = true
				o.rows = append(o.rows, store.Position{Stamp: at, ID: id})
				return
			}
		}
	}
	for len(o.rows) < n {
		at := o.now.Add(-time.Duration(r.Int64N(int64(3 * 365 * 24 * time.Hour)))).Truncate(time.Second)
		switch r.IntN(12) {
		case 0: // a load
			for range r.IntN(n) {
				add(at)
			}
		case 1:
			add(time.Date(1700+r.IntN(299), 3, 1, 0, 0, 0, 0, time.UTC))
		case 2: // a busy minute
			for i := range 60 {
				add(at.Add(time.Duration(i) * time.Second))
			}
		default:
			add(at)
		}
	}
	slices.SortFunc(o.rows, func(a, b store.Position) int {
		if c := a.Stamp.Compare(b.Stamp); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func TestPagesReadEveryRowOnceWhateverIsRefused(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		o := &touchy{}
		o.fill(r, 1+r.IntN(600))
		if r.IntN(2) == 0 {
			o.mostRows = 1 + r.IntN(200)
		}
		if r.IntN(2) == 0 {
			o.mostTime = time.Duration(1+r.Int64N(1<<r.IntN(26))) * time.Second
		}
		if r.IntN(3) == 0 {
			o.mostLimit = 1 + r.IntN(60)
		}
		if r.IntN(3) == 0 {
			o.page = 1 + r.IntN(40)
		}
		o.noOr = r.IntN(3) == 0
		at, want := store.Position{}, o.rows
		if r.IntN(2) == 0 {
			from := r.IntN(len(want))
			at, want = want[from], want[from+1:]
		}
		p := o.pages(at)
		if r.IntN(3) == 0 && len(want) > 0 {
			p.end = want[r.IntN(len(want))].Stamp
			want = slices.DeleteFunc(slices.Clone(want), func(w store.Position) bool { return w.Stamp.After(p.end) })
		}
		var got []store.Position
		for !p.done {
			rows, err := p.next(t.Context())
			require.NoError(t, err, "seed %d: %+v", seed, o)
			for _, row := range rows {
				at, err := positionOf(row, "SystemModstamp")
				require.NoError(t, err)
				got = append(got, at)
			}
			// Whoever goes on from the position misses nothing.
			behind := len(want)
			if i := slices.IndexFunc(want, func(w store.Position) bool {
				return w.Stamp.After(p.at.Stamp) || w.Stamp.Equal(p.at.Stamp) && w.ID > p.at.ID
			}); i >= 0 {
				behind = i
			}
			require.Len(t, got, behind, "seed %d: the position %v", seed, p.at)
			require.Less(t, o.asks, 100_000, "seed %d: it does not end", seed)
		}
		require.Equal(t, len(want), len(got), "seed %d", seed)
		for i := range want {
			require.Equal(t, want[i].ID, got[i].ID, "seed %d: row %d", seed, i)
		}
	}
}

func TestPagesAskOnceWhenNothingIsRefused(t *testing.T) {
	t.Parallel()
	o := &touchy{}
	o.fill(rand.New(rand.NewPCG(1, 1)), 40)
	o.rows = o.rows[:40]
	p := o.pages(store.Position{})
	rows, err := p.next(t.Context())
	require.NoError(t, err)
	require.Len(t, rows, 40)
	require.True(t, p.done)
	require.False(t, p.narrow)
	require.Equal(t, 1, o.asks)
}

// Where everything is equally heavy, refusals must stay rare: each can take two minutes.
func TestPagesLearnWhatIsNotTooMuch(t *testing.T) {
	t.Parallel()
	o := &touchy{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), mostRows: 40}
	for i := range 20_000 {
		o.rows = append(o.rows, store.Position{Stamp: o.now.Add(time.Duration(i-20_000) * time.Hour),
			ID: salesforce.To18(fmt.Sprintf("02sdM0000%06d", i))})
	}
	var known narrowings
	p := o.pages(store.Position{})
	p.size, p.keep = known.of("x")
	n := 0
	for !p.done {
		rows, err := p.next(t.Context())
		require.NoError(t, err)
		n += len(rows)
	}
	require.Len(t, o.rows, n)
	require.Less(t, o.refused, o.asks/10, "%d of %d", o.refused, o.asks)
	t.Logf("%d queries, %d refused", o.asks, o.refused)

	// The next read of the process begins with what the last one learnt.
	o.asks, o.refused = 0, 0
	p = o.pages(o.rows[10_000])
	p.size, p.keep = known.of("x")
	_, err := p.next(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, o.refused, 1)
	size, _ := known.of("another object")
	require.Zero(t, size)
}

func TestPagesSayWhenEvenTheLeastIsTooMuch(t *testing.T) {
	t.Parallel()
	for code, hint := range map[string]string{
		"QUERY_TIMEOUT":                 "formula fields",
		"OPERATION_TOO_LARGE":           "View All on Mail",
		salesforce.CodeResponseTooLarge: "long fields",
	} {
		for name, at := range map[string]store.Position{"nothing was read": {}, "behind a row": {Stamp: firstStamp, ID: "02sdM0000000001QAA"}} {
			asks := 0
			p := (&touchy{}).pages(at)
			p.ask = func(context.Context, string) (salesforce.Page, error) {
				asks++
				return salesforce.Page{}, &fault.Error{Kind: fault.Permission, Op: "query Mail", Message: "too much", Code: code, RequestID: "r1"}
			}
			_, err := p.next(t.Context())
			require.Error(t, err, name)
			require.False(t, salesforce.TooBroad(err), "nobody is to try it with less")
			require.Equal(t, fault.Permission, fault.KindOf(err))
			require.ErrorContains(t, err, "Mail")
			require.ErrorContains(t, err, "request id r1")
			require.Contains(t, fault.HintOf(err), hint)
			require.Less(t, asks, 120, name)
		}
	}
}
