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

// verify scans ids and stamps from where the stream is known to be complete up to now,
// and compares them with what is stored. Rows behind the cursor that the store does not
// have are noted to be read again; their number is returned. What was older than
// store.Tail when the scan began, and had no difference, is complete for good: that is
// the only thing that moves "complete up to". Now and then Salesforce is also asked for
// its number of rows, which is never worked out from what was read.
func (s *Service) verify(ctx context.Context, t *store.Target, o *store.TargetObject) (late int, err error) {
	plan, err := decodePlan(o)
	if err != nil {
		return 0, err
	}
	stamp := plan.Recipe.Stamp
	org := s.Orgs.Org(t.IntegrationID)
	at := store.Position{Stamp: o.VerifyFrom}
	result := store.Verified{}
	var complete time.Time
	pages := 0
	for more := true; more; pages++ {
		if err := s.Store.Gate(ctx, o.Stream, o.Epoch); err != nil {
			return late, err
		}
		q, err := plan.query([]string{transform.PathID, stamp}, after(stamp, at), byKeyset(stamp), pageRows)
		if err != nil {
			return late, fault.Wrap(fault.Internal, err, "build the scan of %s", plan.Object)
		}
		began := time.Now()
		page, err := org.Query(ctx, q, salesforce.QueryOptions{All: true})
		if err != nil {
			return late, err
		}
		if page.ServerTime.IsZero() {
			return late, fault.New(fault.Transient, "query %s: the answer has no Date", plan.Object)
		}
		if pages == 0 {
			complete = page.ServerTime.Add(-time.Since(began) - store.Tail)
		}
		seen := make([]store.Position, 0, len(page.Rows))
		for _, row := range page.Rows {
			if at, err = positionOf(row, stamp); err != nil {
				return late, err
			}
			seen = append(seen, at)
		}
		unseen, err := s.Store.Unseen(ctx, t.SourceID, o.Name, seen)
		if err != nil {
			return late, err
		}
		var behind []string
		for _, p := range unseen {
			if before := p.Stamp.Add(-time.Second); before.Before(complete) {
				complete = before
			}
			if !p.Stamp.After(o.Hi.Stamp) {
				behind = append(behind, p.ID) // the live read has passed it
			}
		}
		if len(behind) > 0 {
			if err := s.Store.AddRechecks(ctx, t.IntegrationID, o.Name, "late", behind); err != nil {
				return late, err
			}
			late += len(behind)
		}
		more = len(page.Rows) > 0 && (!page.Done || page.TotalSize >= pageRows)
	}
	if !complete.Before(o.VerifyFrom) {
		result.To = complete
	}
	result.After = max(verifyEvery, time.Duration(pages)*verifyEvery)
	if late > 0 {
		result.After = 0 // see soon whether they are there
	}
	if o.CountDue {
		if result.Rows, err = s.count(ctx, t, o, plan, org); err != nil {
			return late, err
		}
	}
	return late, s.Store.SaveVerified(ctx, o.Stream, o.Epoch, result)
}

func (s *Service) count(ctx context.Context, t *store.Target, o *store.TargetObject, plan *Plan, org Salesforce) (*int64, error) {
	if err := s.Store.Gate(ctx, o.Stream, o.Epoch); err != nil {
		return nil, err
	}
	q, err := plan.query([]string{soql.CountAll}, nil, nil, 0)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "build the count of %s", plan.Object)
	}
	page, err := org.Query(ctx, q, salesforce.QueryOptions{})
	if err != nil {
		return nil, err
	}
	rows := int64(page.TotalSize)
	return &rows, nil
}
