package poll

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// createdDate is what backfills are divided by: no row moves from one of its ranges to
// another, whatever happens to it.
const createdDate = "CreatedDate"

// oldest is where the halving of time begins: older rows are imported ones, and few.
var oldest = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)

// condition is the plan's own, the stamps of the backfill, and a range of CreatedDate.
func (p *Plan) rangeCondition(l *store.Load, from, until time.Time) (soql.Expr, error) {
	own, err := p.condition()
	if err != nil {
		return nil, err
	}
	var more []soql.Expr
	if stamp := p.followed(); stamp != "" && !l.From.IsZero() {
		more = append(more, soql.AtOrAfter(stamp, l.From))
	}
	if stamp := p.followed(); stamp != "" && !l.Until.IsZero() {
		more = append(more, soql.AtOrBefore(stamp, l.Until))
	}
	if !from.IsZero() {
		more = append(more, soql.AtOrAfter(createdDate, from))
	}
	if !until.IsZero() {
		more = append(more, soql.Compare(createdDate, soql.Less, soql.DateTimeLiteral(until)))
	}
	return soql.AllOf(append([]soql.Expr{own}, more...)...), nil
}

// rangeQuery selects fields of the rows of a part.
func (p *Plan) rangeQuery(l *store.Load, part store.Part, fields []string, more soql.Expr, order []soql.Order, limit int) (string, error) {
	where, err := p.rangeCondition(l, part.From, part.Until)
	if err != nil {
		return "", err
	}
	q, err := soql.Select{Fields: fields, From: p.Object, Where: soql.AllOf(where, more), OrderBy: order, Limit: limit}.Build()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "build the query of a part of %s", p.Object)
	}
	return q, nil
}

// layOut divides the time in which rows were made into ranges of about as many rows, a
// few ranges at each step: what is known is begun with.
func (l *laying) layOut(ctx context.Context) error {
	if !l.load.Planned {
		if err := l.begin(ctx); err != nil {
			return err
		}
	}
	parts, err := l.service.Store.Parts(ctx, l.load.ID)
	if err != nil {
		return err
	}
	var split []store.Part
	var total int64
	known := 0
	for _, p := range parts {
		total += p.Rows
		if p.State == store.PartSplitting {
			split = append(split, p)
		} else {
			known++
		}
	}
	if len(split) == 0 {
		return nil
	}
	return l.divide(ctx, split[:min(len(split), salesforce.MaxSubqueries)], l.partRows(total), known+len(split) >= mostParts)
}

// partRows is how many rows a part is to have.
func (l *laying) partRows(total int64) int64 {
	if l.service.PartRows > 0 {
		return l.service.PartRows
	}
	return min(max(total/partsAimed, fewestPartRows), max(mostPartRows, total/(mostParts/2)))
}

// begin counts the rows and stores the one range that has them all. An object that cannot
// be divided, or whose rows Salesforce cannot count, is one part.
func (l *laying) begin(ctx context.Context) error {
	whole := store.Range{}
	where, err := l.plan.rangeCondition(l.load, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	answers, err := l.count(ctx, where)
	if err != nil {
		return err
	}
	divisible := l.plan.Divisible
	switch a := answers[0]; {
	case a.Err == nil:
		whole.Rows = int64(a.Page.TotalSize)
		whole.Split = divisible && whole.Rows > l.partRows(whole.Rows)*3/2
	case salesforce.TooBroad(a.Err):
		whole.Split = divisible
	default:
		return a.Err
	}
	if err := l.service.Store.PlanBackfill(ctx, l.load.ID, whole.Rows, []store.Range{whole}); err != nil {
		return err
	}
	l.load.Planned = true
	return nil
}

// count asks how many rows fulfil each condition. Deleted rows are not counted: they are
// few, and it is the size that matters.
func (l *laying) count(ctx context.Context, where ...soql.Expr) ([]salesforce.Answer, error) {
	asks := make([]salesforce.Ask, len(where))
	for i, w := range where {
		q, err := soql.Select{Fields: []string{soql.CountAll}, From: l.plan.Object, Where: w}.Build()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "build the count of %s", l.plan.Object)
		}
		asks[i] = salesforce.Subquery{SOQL: q}
	}
	answers, err := l.org.Together(ctx, asks)
	if err == nil && len(answers) > 0 && !answers[0].ServerTime.IsZero() {
		l.service.clocks.Store(l.target.IntegrationID, time.Until(answers[0].ServerTime))
	}
	return answers, err
}

// divide halves the ranges. last says that there are as many parts as there may be.
// Both halves are counted: what one has cannot be reckoned from the other, because the
// org goes on writing.
func (l *laying) divide(ctx context.Context, split []store.Part, aim int64, last bool) error {
	var halves []store.Range
	var where []soql.Expr
	for _, p := range split {
		from, until := p.From, p.Until
		if from.IsZero() {
			from = oldest
		}
		if until.IsZero() {
			now, err := l.now(ctx)
			if err != nil {
				return err
			}
			until = now
		}
		middle := from.Add(until.Sub(from) / 2).Truncate(time.Second)
		halves = append(halves, store.Range{From: middle, Until: p.Until}, store.Range{From: p.From, Until: middle})
		for _, h := range halves[len(halves)-2:] {
			one, err := l.plan.rangeCondition(l.load, h.From, h.Until)
			if err != nil {
				return err
			}
			where = append(where, one)
		}
	}
	answers, err := l.count(ctx, where...)
	if err != nil {
		return err
	}
	for i, p := range split {
		newer, older := halves[2*i], halves[2*i+1]
		divisible := !last && newer.From.After(p.From) && (p.Until.IsZero() || newer.From.Before(p.Until))
		if !divisible { // it is a second already, or there are parts enough
			if err := l.service.Store.SplitPart(ctx, p, []store.Range{{From: p.From, Until: p.Until, Rows: p.Rows}}); err != nil {
				return err
			}
			continue
		}
		var ranges []store.Range
		for j, h := range []store.Range{newer, older} {
			switch a := answers[2*i+j]; {
			case a.Err == nil && a.Page.TotalSize == 0:
				continue // nothing there; what is made with such a date from now on is the live lane's
			case a.Err == nil:
				h.Rows = int64(a.Page.TotalSize)
				h.Split = h.Rows > aim*3/2
			case salesforce.TooBroad(a.Err):
				h.Split = true
			default:
				return a.Err
			}
			ranges = append(ranges, h)
		}
		if err := l.service.Store.SplitPart(ctx, p, ranges); err != nil {
			return err
		}
	}
	return nil
}

// now is Salesforce's clock.
func (l *laying) now(ctx context.Context) (time.Time, error) {
	if now, ok := l.service.clock(l.target.IntegrationID); ok {
		return now.Truncate(time.Second), nil
	}
	q, err := l.plan.query([]string{transform.PathID}, l.plan.least(), nil, 1)
	if err != nil {
		return time.Time{}, fault.Wrap(fault.Internal, err, "build the query of %s", l.plan.Object)
	}
	page, err := l.org.Query(ctx, q, salesforce.QueryOptions{})
	if err != nil {
		return time.Time{}, err
	}
	if page.ServerTime.IsZero() {
		return time.Time{}, fault.New(fault.Transient, "query %s: the answer has no Date", l.plan.Object)
	}
	l.service.clocks.Store(l.target.IntegrationID, time.Until(page.ServerTime))
	return page.ServerTime, nil
}

// divisible reports whether an object's rows can be divided by when they were made.
func divisible(o salesforce.Object) bool {
	made, ok := o.Field(createdDate)
	return ok && made.Filterable && made.Type == salesforce.TypeDateTime
}
