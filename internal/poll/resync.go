package poll

import (
	"context"
	"errors"
	"time"

	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
)

// again reads the next rows of a resync: those of its window, behind the place it has
// come to. It compares each page with what is stored too, so that records which are no
// longer there are found on the way. What is newer than the window is the live lane's.
func (r *reading) again(ctx context.Context) error {
	if r.plan.followed() == "" { // to read it again is to make a pass
		r.seal.Final = true
		return r.service.Store.MakePassDue(ctx, r.object.Stream, r.object.Epoch)
	}
	if r.lane.At.IsZero() {
		if reloaded, err := r.reload(ctx); reloaded || err != nil {
			r.seal.Final = reloaded
			return err
		}
	}
	p := r.pages(r.plan.Object, r.plan.followed(), r.lane.At, func(more soql.Expr, order []soql.Order, limit int) (string, error) {
		return r.plan.query(r.plan.Fields, more, order, limit)
	})
	if p.at.IsZero() {
		p.at.Stamp = r.lane.From
	}
	p.end = r.lane.Until
	for {
		from := p.at
		rows, err := p.next(ctx)
		if err != nil {
			if salesforce.TooBroad(errors.Unwrap(err)) && r.seal.Rows > 0 {
				return nil // what was read up to there is kept; the next batch begins with the trouble
			}
			return err
		}
		if rows, err = r.withRecipients(ctx, rows); err != nil {
			return err
		}
		seen := make([]store.Seen, 0, len(rows))
		for _, row := range rows {
			one, err := r.plan.seen(row)
			if err != nil {
				return err
			}
			if _, err := r.add(ctx, row); err != nil {
				return err
			}
			if one.IsZero() {
				continue // it has no place in the order
			}
			seen = append(seen, one)
		}
		upTo := p.at
		if p.done {
			upTo = endOf(p.end)
		}
		difference, err := r.service.Store.CompareRows(ctx, r.target.SourceID, r.object.Name, from, upTo, seen)
		if err != nil {
			return err
		}
		if _, err := r.service.Store.AddRepairs(ctx, r.target.IntegrationID, r.object.Name, difference.Gone); err != nil {
			return err
		}
		r.seal.To, r.seal.Final = p.at, p.done
		if full := r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows || r.calls >= maxAsks; p.done || full {
			// The live lane comes first: when a look for news is due, the rest waits for it.
			r.seal.More = !p.done && r.target.ReadAt.Sub(r.target.WatchedAt) < specOf(r.target).interval()
			return nil
		}
	}
}

// endOf is the place behind every row with a stamp up to last; zero is the end of all.
func endOf(last time.Time) store.Position {
	if last.IsZero() {
		return store.Position{}
	}
	return store.Position{Stamp: last, ID: lastID}
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
