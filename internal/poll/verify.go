package poll

import (
	"context"
	"encoding/json"
	"time"

	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
)

// verifyEvery is how often the tail is scanned for rows that became visible behind the
// cursor. A tail of several pages is scanned less often: about one call a minute,
// and once per verify interval at least.
const verifyEvery = time.Minute

// tailScan compares ids and stamps from where something is known to be complete up to
// now with what was read. Its first page travels with the other questions of a tick,
// behind the question what has settled, which Salesforce answers first.
//
// What had settled when the scan began, and has no difference, is complete for good:
// that is the only thing that moves "complete up to".
type tailScan struct {
	*pages
	// compare looks at one page: all rows behind from and up to upTo (zero: the end). It
	// returns the oldest stamp that was missing, zero for none.
	compare func(ctx context.Context, from, upTo store.Position, rows []store.Seen) (time.Time, error)
	read    func(row json.RawMessage) (store.Seen, error)

	settled  time.Time // up to where everything had settled when it began
	complete time.Time
	calls    int
	newest   store.Position // of the rows seen
}

// beyond reports whether the scan saw a row behind the cursor hi.
func (t *tailScan) beyond(hi store.Position) bool {
	return hi.Before(t.newest)
}

// first is the query of the first page.
func (t *tailScan) first() (string, error) {
	return t.query(after(t.stamp, t.at), byKeyset(t.stamp), t.most())
}

// page compares the rows that were read between from and where the scan stands now.
func (t *tailScan) page(ctx context.Context, from store.Position, page []json.RawMessage) error {
	rows := make([]store.Seen, 0, len(page))
	for _, row := range page {
		seen, err := t.read(row)
		if err != nil {
			return err
		}
		if seen.IsZero() {
			continue // damaged: it counts as missing
		}
		t.newest = seen.Position
		rows = append(rows, seen)
	}
	upTo := t.at
	if t.done {
		upTo = store.Position{}
	}
	missing, err := t.compare(ctx, from, upTo, rows)
	if before := missing.Add(-time.Second); err == nil && !missing.IsZero() && before.Before(t.complete) {
		t.complete = before
	}
	t.calls++
	return err
}

// mark is what Salesforce says has settled: no transaction that began before at is open.
// open says that a later one is. The zero mark says nothing.
type mark struct {
	at   time.Time
	open bool
}

// completeAt is up to where everything had settled at now: by the mark, whose own second
// may still get rows, and else by how long transactions last.
func (m mark) completeAt(now time.Time) time.Time {
	usual := now.Add(-store.Tail)
	marked := m.at.Add(-time.Second)
	switch {
	case m.at.IsZero() || !m.open && marked.Before(usual):
		return usual
	case marked.After(now):
		return now
	}
	return marked
}

// finish reads the first page, which came with a tick, and those behind it. began is
// when the tick asked. If the first page was too much for Salesforce, smaller ones are read.
func (s *Service) finish(ctx context.Context, t *store.Target, o *store.TargetObject, scan *tailScan, first salesforce.Answer, began time.Time, settled mark) error {
	scan.size, scan.keep = s.narrowings.of(t.IntegrationID + " " + o.Name + " " + scan.object)
	scan.ask = func(ctx context.Context, q string) (salesforce.Page, error) {
		if err := s.Store.Gate(ctx, o.Stream, o.Epoch); err != nil {
			return salesforce.Page{}, err
		}
		return s.Orgs.Org(t.IntegrationID).Query(ctx, q, salesforce.QueryOptions{All: true})
	}
	// Salesforce dates the answer when it has run the query; the rows are from when it began.
	scan.settled = settled.completeAt(first.ServerTime.Add(-time.Since(began)))
	scan.complete = scan.settled
	from := scan.at
	var rows []json.RawMessage
	switch {
	case first.Err == nil:
		rows = first.Page.Rows
		if err := scan.take(window{shape: shapeKeyset, final: true}, scan.most(), first.Page); err != nil {
			return err
		}
		if err := scan.page(ctx, from, rows); err != nil {
			return err
		}
	case !salesforce.TooBroad(first.Err):
		return first.Err
	}
	for !scan.done {
		from = scan.at
		rows, err := scan.next(ctx)
		if err != nil {
			return err
		}
		if err := scan.page(ctx, from, rows); err != nil {
			return err
		}
	}
	return nil
}

// scanOf is the scan of the object's own tail. late is called with the number of records
// that are to be read again because of it.
func (s *Service) scanOf(t *store.Target, o *store.TargetObject, plan *Plan, late func(int)) *tailScan {
	return &tailScan{
		pages: &pages{object: plan.Object, stamp: plan.followed(), at: store.Position{Stamp: o.VerifyFrom},
			query: func(more soql.Expr, order []soql.Order, limit int) (string, error) {
				return plan.query(plan.scanFields(), more, order, limit)
			}},
		read: plan.seen,
		compare: func(ctx context.Context, from, upTo store.Position, rows []store.Seen) (missing time.Time, err error) {
			difference, err := s.Store.CompareRows(ctx, t.SourceID, o.Name, from, upTo, rows)
			if err != nil {
				return missing, err
			}
			var behind []string
			for _, p := range difference.Unseen {
				if missing.IsZero() || p.Stamp.Before(missing) {
					missing = p.Stamp
				}
				if !p.Stamp.After(o.Hi.Stamp) {
					behind = append(behind, p.ID) // the live read has passed it
				}
			}
			if len(behind) > 0 {
				if err := s.Store.AddRechecks(ctx, t.IntegrationID, o.Name, "late", behind); err != nil {
					return missing, err
				}
			}
			asked, err := s.Store.AddRepairs(ctx, t.IntegrationID, o.Name, difference.Gone)
			late(len(behind) + int(asked))
			return missing, err
		},
	}
}

// parentScanOf is the scan of the tail of a parent object: a parent's change may become
// visible behind the cursor over parents, too.
func (s *Service) parentScanOf(t *store.Target, o *store.TargetObject, d store.Dependency, planned Dependency, late func(int)) *tailScan {
	from := d.VerifiedTo
	if from.IsZero() {
		from = d.Hi.Stamp.Add(-store.Tail)
	}
	return &tailScan{
		pages: &pages{object: d.Parent, stamp: planned.Stamp, at: store.Position{Stamp: from}, query: planned.query},
		read: func(row json.RawMessage) (store.Seen, error) {
			at, err := positionOf(row, planned.Stamp)
			return store.Seen{Position: at}, err
		},
		compare: func(ctx context.Context, _, _ store.Position, rows []store.Seen) (time.Time, error) {
			var seen []store.Position
			for _, r := range rows {
				if !r.Stamp.After(d.Hi.Stamp) { // else the cursor comes to it
					seen = append(seen, r.Position)
				}
			}
			n, err := s.Store.NoteParents(ctx, t.IntegrationID, o.Name, d, seen)
			late(int(n))
			return time.Time{}, err // what was noted is followed, however long that takes
		},
	}
}
