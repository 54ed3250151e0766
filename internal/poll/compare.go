package poll

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Bounds of one comparison.
const (
	manyMissing      = 500              // rows of one page: more are read again as a stretch
	monthsPerCompare = 3                // months of the ledger counted anew each time
	compareCalls     = 25               // calls spent on finding a difference; the rest waits for the next time
	differsAgain     = 30 * time.Second // when to see whether a difference is gone
)

// comparison is one comparison of an object with Salesforce, up to the moment up to
// which it is complete: what is newer is the live lane's and the tail scan's business.
// Three questions travel in one call: what the log of deletes says, how many rows there
// are, in all and in some months, and which ids and stamps the next page of a rolling
// sweep has. A count that differs is narrowed down until few enough rows are left to
// compare them Id by Id.
type comparison struct {
	service *Service
	target  *store.Target
	object  *store.TargetObject
	plan    *Plan
	upTo    time.Time

	calls  int
	found  int64 // differences that were not known yet
	whole  bool  // every row was compared Id by Id
	result store.Comparison
}

// compare compares the object with Salesforce and reports whether records are to be read
// again because of it.
func (s *Service) compare(ctx context.Context, t *store.Target, o *store.TargetObject) (bool, error) {
	plan, err := s.plan(o)
	if err != nil {
		return false, err
	}
	c := &comparison{service: s, target: t, object: o, plan: plan, upTo: o.VerifiedTo}
	if plan.followed() == "" {
		return c.unordered(ctx)
	}
	switch err := c.count(ctx); {
	case err == nil:
		c.result.Counted = true
		if err := c.explain(ctx); err != nil && !salesforce.TooBroad(err) {
			return false, err
		}
	case salesforce.TooBroad(err):
		// Counting is too much for Salesforce: then the rows are gone through in small steps.
		at, done, err := c.rows(ctx, o.SweepAt, c.upTo)
		if err != nil {
			return false, err
		}
		c.swept(at, done)
	default:
		return false, err
	}
	c.result.To, c.result.Repaired = c.upTo, c.found
	c.result.After = specOf(t).verifyInterval()
	if c.found > 0 || c.calls >= compareCalls {
		c.result.After = min(c.result.After, differsAgain)
	}
	return c.found > 0, s.Store.SaveComparison(ctx, o.Stream, o.Epoch, c.result)
}

// explain looks for what makes the counts differ, unless the sweep has found it, or
// records that are about to be read again may be the reason.
func (c *comparison) explain(ctx context.Context) error {
	waiting, err := c.service.Store.WaitingRechecks(ctx, c.target.IntegrationID, c.object.Name)
	if err != nil {
		return err
	}
	look := func(from, to time.Time, theirs, ours int64) error {
		if off := max(theirs-ours, ours-theirs); c.whole || off <= waiting {
			return nil
		}
		return c.narrow(ctx, from, to, theirs, ours)
	}
	if err := look(time.Time{}, c.upTo, c.result.Salesforce, c.result.Stored); err != nil {
		return err
	}
	for _, m := range c.result.Months {
		if err := look(m.Month, c.endOf(m.Month), m.Salesforce, m.Stored); err != nil {
			return err
		}
	}
	return nil
}

// count asks for the counts and the next page of the sweep, and compares them.
func (c *comparison) count(ctx context.Context) error {
	months, err := c.months(ctx)
	if err != nil {
		return err
	}
	stamp := c.plan.followed()
	total, err := c.countQuery(time.Time{}, c.upTo)
	if err != nil {
		return err
	}
	at := c.object.SweepAt
	sweep, err := c.plan.query(c.plan.scanFields(), soql.AllOf(after(stamp, at), soql.AtOrBefore(stamp, c.upTo)), byKeyset(stamp), pageRows)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "build the sweep of %s", c.plan.Object)
	}
	queries := []string{total, sweep}
	for _, m := range months {
		q, err := c.countQuery(m, c.endOf(m))
		if err != nil {
			return err
		}
		queries = append(queries, q)
	}
	log := c.deletions()
	pages, err := c.ask(ctx, log, queries...)
	if err != nil {
		return err
	}
	if log != nil {
		if err := log.save(ctx); err != nil {
			return err
		}
		c.found += log.asked
	}
	c.result.Salesforce = int64(pages[0].TotalSize)
	if c.result.Stored, err = c.stored(ctx, time.Time{}, c.upTo); err != nil {
		return err
	}
	for i, m := range months {
		stored, err := c.stored(ctx, m, c.endOf(m))
		if err != nil {
			return err
		}
		c.result.Months = append(c.result.Months, store.Month{Month: m, Salesforce: int64(pages[2+i].TotalSize), Stored: stored})
	}
	last, more := endOf(c.upTo), !pages[1].Done || pages[1].TotalSize >= pageRows
	if n := len(pages[1].Rows); more && n > 0 {
		seen, err := c.plan.seen(pages[1].Rows[n-1])
		if err != nil {
			return err
		}
		last = seen.Position
	}
	if err := c.page(ctx, at, last, pages[1].Rows); err != nil {
		return err
	}
	c.swept(last, !more)
	c.whole = c.whole || at.IsZero() && !more
	return nil
}

func (c *comparison) swept(at store.Position, done bool) {
	if c.result.Swept = done; !done {
		c.result.SweepAt = at
	}
}

// months chooses the months of the ledger to count: those that differed, then those
// never counted, then those whose count is oldest.
func (c *comparison) months(ctx context.Context) ([]time.Time, error) {
	oldest, err := c.service.Store.OldestStamp(ctx, c.target.SourceID, c.object.Name)
	if err != nil {
		return nil, err
	}
	known, err := c.service.Store.Completeness(ctx, c.object.Stream)
	if err != nil {
		return nil, err
	}
	if !oldest.IsZero() {
		for m := monthOf(oldest); !m.After(c.upTo); m = m.AddDate(0, 1, 0) {
			if !slices.ContainsFunc(known, func(k store.Month) bool { return k.Month.Equal(m) }) {
				known = append(known, store.Month{Month: m})
			}
		}
	}
	slices.SortFunc(known, func(a, b store.Month) int {
		if a.Differs() != b.Differs() {
			if a.Differs() {
				return -1
			}
			return 1
		}
		return cmp.Or(a.CheckedAt.Compare(b.CheckedAt), b.Month.Compare(a.Month)) // newest first
	})
	var out []time.Time
	for _, m := range known[:min(len(known), monthsPerCompare)] {
		out = append(out, m.Month)
	}
	return out, nil
}

func monthOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}

// endOf is the last second of the month, or the moment the comparison goes up to.
func (c *comparison) endOf(month time.Time) time.Time {
	end := month.AddDate(0, 1, 0).Add(-time.Second)
	if end.After(c.upTo) {
		return c.upTo
	}
	return end
}

// narrow looks for differences among the rows with a stamp from from (zero: any) to to,
// of which Salesforce has theirs and the store has ours.
func (c *comparison) narrow(ctx context.Context, from, to time.Time, theirs, ours int64) error {
	if c.calls >= compareCalls {
		return nil
	}
	if theirs-ours > pageRows {
		return c.readAgain(ctx, from, to)
	}
	stretch := func() error {
		_, _, err := c.rows(ctx, store.Position{Stamp: from}, to)
		return err
	}
	if max(theirs, ours) <= pageRows || from.Equal(to) {
		return stretch()
	}
	middle, err := c.service.Store.MiddleStamp(ctx, c.target.SourceID, c.object.Name, from, to)
	if err != nil {
		return err
	}
	if middle.IsZero() || !middle.Before(to) || !from.IsZero() && middle.Before(from) {
		if from.IsZero() {
			return stretch()
		}
		middle = from.Add(to.Sub(from) / 2).Truncate(time.Second)
	}
	lower, err := c.countQuery(from, middle)
	if err != nil {
		return err
	}
	upper, err := c.countQuery(middle.Add(time.Second), to)
	if err != nil {
		return err
	}
	pages, err := c.ask(ctx, nil, lower, upper)
	if err != nil {
		return err
	}
	for i, half := range [][2]time.Time{{from, middle}, {middle.Add(time.Second), to}} {
		ours, err := c.stored(ctx, half[0], half[1])
		if err != nil {
			return err
		}
		if theirs := int64(pages[i].TotalSize); theirs != ours {
			if err := c.narrow(ctx, half[0], half[1], theirs, ours); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAgain has a stretch read again of which many rows are missing, revealed by a change
// of rights perhaps: that is cheaper than reading them one by one. Records that are gone are
// found on the way.
func (c *comparison) readAgain(ctx context.Context, from, to time.Time) error {
	c.found++
	c.whole = true // there is nothing else to look for
	return c.service.Store.RequestResync(ctx, c.target.IntegrationID, c.object.Name, from, to, "rows are missing")
}

// rows compares a stretch Id by Id, from from on.
func (c *comparison) rows(ctx context.Context, from store.Position, to time.Time) (at store.Position, done bool, err error) {
	p := &pages{object: c.plan.Object, stamp: c.plan.followed(), at: from, end: to,
		query: func(more soql.Expr, order []soql.Order, limit int) (string, error) {
			return c.plan.query(c.plan.scanFields(), more, order, limit)
		},
		ask: func(ctx context.Context, q string) (salesforce.Page, error) {
			pages, err := c.ask(ctx, nil, q)
			if err != nil {
				return salesforce.Page{}, err
			}
			return pages[0], nil
		}}
	p.size, p.keep = c.service.narrowings.of(c.target.IntegrationID + " " + c.object.Name + " " + c.plan.Object)
	for !p.done && c.calls < compareCalls {
		before := p.at
		rows, err := p.next(ctx)
		if err != nil {
			return before, false, err
		}
		upTo := p.at
		if p.done {
			upTo = endOf(to)
		}
		if err := c.page(ctx, before, upTo, rows); err != nil {
			return before, false, err
		}
	}
	return p.at, p.done, nil
}

// page compares one page of ids and stamps, all rows behind from and up to upTo, and asks
// for what differs to be read again.
func (c *comparison) page(ctx context.Context, from, upTo store.Position, page []json.RawMessage) error {
	rows := make([]store.Seen, 0, len(page))
	for _, row := range page {
		seen, err := c.plan.seen(row)
		if err != nil {
			return err
		}
		if seen.IsZero() {
			continue // damaged: it counts as missing
		}
		rows = append(rows, seen)
	}
	difference, err := c.service.Store.CompareRows(ctx, c.target.SourceID, c.object.Name, from, upTo, rows)
	if err != nil {
		return err
	}
	if len(difference.Unseen) > manyMissing {
		return c.readAgain(ctx, from.Stamp, upTo.Stamp)
	}
	ids := difference.Gone
	for _, p := range difference.Unseen {
		ids = append(ids, p.ID)
	}
	asked, err := c.service.Store.AddRepairs(ctx, c.target.IntegrationID, c.object.Name, ids)
	c.found += asked
	return err
}

// countQuery counts the rows that are not deleted with a stamp from from (zero: any) to to.
func (c *comparison) countQuery(from, to time.Time) (string, error) {
	stamp := c.plan.followed()
	var terms []soql.Expr
	if stamp != "" {
		terms = append(terms, soql.AtOrBefore(stamp, to))
	}
	if !from.IsZero() {
		terms = append(terms, soql.AtOrAfter(stamp, from))
	}
	// queryAll, because archived rows count, without what lies in the recycle bin.
	if _, ok := c.plan.Recipe.Types[transform.PathDeleted]; ok {
		terms = append(terms, soql.Compare(transform.PathDeleted, soql.Equal, soql.BoolLiteral(false)))
	}
	q, err := c.plan.query([]string{soql.CountAll}, soql.AllOf(terms...), nil, 0)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "build the count of %s", c.plan.Object)
	}
	return q, nil
}

func (c *comparison) stored(ctx context.Context, from, to time.Time) (int64, error) {
	return c.service.Store.CountRecords(ctx, c.target.SourceID, c.object.Name, from, to)
}

// ask runs queries in one call, and reads the log of deletes along with them if there is one.
func (c *comparison) ask(ctx context.Context, log *deleteLog, queries ...string) ([]salesforce.Page, error) {
	if err := c.service.Store.Gate(ctx, c.object.Stream, c.object.Epoch); err != nil {
		return nil, err
	}
	c.calls++
	asks := make([]salesforce.Ask, 0, 1+len(queries))
	for _, q := range queries {
		asks = append(asks, salesforce.Subquery{SOQL: q, QueryOptions: salesforce.QueryOptions{All: true}})
	}
	if log != nil {
		asks = append(asks, log.ask())
	}
	answers, err := c.service.Orgs.Org(c.target.IntegrationID).Together(ctx, asks)
	if err != nil {
		return nil, err
	}
	if log != nil {
		log.answer, answers = answers[len(queries)], answers[:len(queries)]
	}
	pages := make([]salesforce.Page, len(answers))
	for i, a := range answers {
		if a.Err != nil {
			return nil, a.Err
		}
		pages[i] = a.Page
	}
	return pages, nil
}

// deletions is the part of the log of deletes that is read along with the counts; nil
// when the object has none, or nobody knows yet what time it is in Salesforce.
func (c *comparison) deletions() *deleteLog {
	now, known := c.service.clock(c.target.IntegrationID)
	if !known || !c.plan.Replicateable {
		return nil
	}
	return c.service.deleteLog(c.target, c.object, c.plan, now)
}
