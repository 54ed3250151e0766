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

// verifyEvery is how often the tail is scanned for rows that became visible behind the
// cursor. A tail of several pages is scanned less often: about one call a minute.
const verifyEvery = time.Minute

// tailScan compares ids and stamps from where something is known to be complete up to
// now with what was read. Its first page travels with the other questions of a tick,
// behind the question what has settled, which Salesforce answers first.
//
// What had settled when the scan began, and has no difference, is complete for good:
// that is the only thing that moves "complete up to".
type tailScan struct {
	object string // whose rows are scanned: the synced object, or a parent's
	stamp  string
	at     store.Position
	query  func(at store.Position) (string, error)
	// compare looks at one page: all rows behind from and up to upTo (zero: the end). It
	// returns the oldest stamp that was missing, zero for none.
	compare func(ctx context.Context, from, upTo store.Position, rows []store.Seen) (time.Time, error)
	read    func(row []byte) (store.Seen, error)

	complete time.Time
	pages    int
	rows     int
}

// beyond reports whether the scan saw a row behind the cursor hi.
func (t *tailScan) beyond(hi store.Position) bool {
	return t.rows > 0 && (t.at.Stamp.After(hi.Stamp) || t.at.Stamp.Equal(hi.Stamp) && salesforce.CompareIDs(t.at.ID, hi.ID) > 0)
}

// page reads one page of the scan and says whether there are more.
func (t *tailScan) page(ctx context.Context, page salesforce.Page) (more bool, err error) {
	from := t.at
	rows := make([]store.Seen, 0, len(page.Rows))
	for _, row := range page.Rows {
		seen, err := t.read(row)
		if err != nil {
			return false, err
		}
		t.at = seen.Position
		rows = append(rows, seen)
	}
	more = len(page.Rows) > 0 && (!page.Done || page.TotalSize >= pageRows)
	var upTo store.Position
	if more {
		upTo = t.at
	}
	missing, err := t.compare(ctx, from, upTo, rows)
	if err != nil {
		return false, err
	}
	if before := missing.Add(-time.Second); !missing.IsZero() && before.Before(t.complete) {
		t.complete = before
	}
	t.pages++
	t.rows += len(rows)
	return more, nil
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
// when the tick asked.
func (s *Service) finish(ctx context.Context, t *store.Target, o *store.TargetObject, scan *tailScan, first salesforce.Page, began time.Time, settled mark) error {
	// Salesforce dates the answer when it has run the query; the rows are from when it began.
	scan.complete = settled.completeAt(first.ServerTime.Add(-time.Since(began)))
	page := first
	for {
		more, err := scan.page(ctx, page)
		if err != nil || !more {
			return err
		}
		if err := s.Store.Gate(ctx, o.Stream, o.Epoch); err != nil {
			return err
		}
		q, err := scan.query(scan.at)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the scan of %s", scan.object)
		}
		if page, err = s.Orgs.Org(t.IntegrationID).Query(ctx, q, salesforce.QueryOptions{All: true}); err != nil {
			return err
		}
	}
}

// scanOf is the scan of the object's own tail. late is called with the number of records
// that are to be read again because of it.
func (s *Service) scanOf(t *store.Target, o *store.TargetObject, plan *Plan, late func(int)) *tailScan {
	stamp := plan.Recipe.Stamp
	return &tailScan{
		object: plan.Object, stamp: stamp, at: store.Position{Stamp: o.VerifyFrom}, read: func(row []byte) (store.Seen, error) { return plan.seen(row) },
		query: func(at store.Position) (string, error) {
			return plan.query(plan.scanFields(), after(stamp, at), byKeyset(stamp), pageRows)
		},
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
func (s *Service) parentScanOf(t *store.Target, o *store.TargetObject, d store.Dependency, late func(int)) *tailScan {
	from := d.VerifiedTo
	if from.IsZero() {
		from = d.Hi.Stamp.Add(-store.Tail)
	}
	return &tailScan{
		object: d.Parent, stamp: stampField, at: store.Position{Stamp: from},
		read: func(row []byte) (store.Seen, error) {
			at, err := positionOf(row, stampField)
			return store.Seen{Position: at}, err
		},
		query: func(at store.Position) (string, error) { return parentQuery(d, at, pageRows) },
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

// parentQuery asks for parents of the dependency behind at, by (stamp, Id).
func parentQuery(d store.Dependency, at store.Position, limit int) (string, error) {
	return soql.Select{Fields: []string{transform.PathID, stampField}, From: d.Parent,
		Where: after(stampField, at), OrderBy: byKeyset(stampField), Limit: limit}.Build()
}
