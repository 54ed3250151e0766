package poll

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
)

// again reads the next rows of a resync: those of its window, behind the place it has
// come to. It compares each page with what is stored too, so that records which are no
// longer there are found on the way. What is newer than the window is the live lane's.
func (r *reading) again(ctx context.Context) error {
	stamp := r.plan.Recipe.Stamp
	at := r.lane.At
	if at.IsZero() {
		at.Stamp = r.lane.From
	}
	var bound soql.Expr
	end := store.Position{}
	if until := r.lane.Until; !until.IsZero() {
		bound = soql.AtOrBefore(stamp, until)
		end = store.Position{Stamp: until, ID: lastID}
	}
	for {
		q, err := r.plan.query(r.plan.Fields, soql.AllOf(after(stamp, at), bound), byKeyset(stamp), pageRows)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
		}
		page, err := r.ask(ctx, q)
		if err != nil {
			return err
		}
		more := !page.Done || page.TotalSize >= pageRows
		if more && len(page.Rows) == 0 {
			return fault.New(fault.Transient, "query %s: Salesforce says there is more and gives no row", r.plan.Object)
		}
		from := at
		seen := make([]store.Seen, 0, len(page.Rows))
		for _, row := range page.Rows {
			one, err := r.plan.seen(row)
			if err != nil {
				return err
			}
			if at, err = r.add(ctx, row); err != nil {
				return err
			}
			seen = append(seen, one)
		}
		upTo := end
		if more {
			upTo = at
		}
		difference, err := r.service.Store.CompareRows(ctx, r.target.SourceID, r.object.Name, from, upTo, seen)
		if err != nil {
			return err
		}
		if _, err := r.service.Store.AddRepairs(ctx, r.target.IntegrationID, r.object.Name, difference.Gone); err != nil {
			return err
		}
		if full := r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows; !more || full {
			r.seal.To, r.seal.Final = at, !more
			// The live lane comes first: when a look for news is due, the rest waits for it.
			r.seal.More = more && r.target.ReadAt.Sub(r.target.WatchedAt) < specOf(r.target).interval()
			return nil
		}
	}
}

// lastID is behind every Id in the order in which Salesforce compares them.
const lastID = "~"

func (s *Service) clock(integrationID string) (time.Time, bool) {
	ahead, ok := s.clocks.Load(integrationID)
	if !ok {
		return time.Time{}, false
	}
	return time.Now().Add(ahead.(time.Duration)), true
}
