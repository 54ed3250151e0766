package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

const (
	// passPages is how many pages of a pass one batch reads at most: between batches others
	// get their turn.
	passPages = 50
	// followedPages is passPages of an object that is followed by a date, too: what is new of it
	// waits no longer than for these.
	followedPages = 5
	// longestPass bounds how long a change may wait for the next pass of a large object.
	longestPass = 24 * time.Hour
)

// passEvery is how long after a pass of so many pages the next one begins. A pass reads
// whole records whether they changed or not, so that an object costs one call in each
// verify interval on average, however large it is.
func passEvery(verify time.Duration, pages int) time.Duration {
	return max(verify, min(time.Duration(pages)*verify, longestPass))
}

// pass goes on with the reading of the whole object by Id, if one is due. What is stored
// to the letter is not staged: a pass over records that did not change costs calls and
// leaves nothing behind. Records that the store has and Salesforce does not show any more are noted to be
// read by Id, which tells why.
func (r *reading) pass(ctx context.Context) error {
	if !passes(r.plan, r.object) {
		return nil
	}
	p, err := r.service.Store.LoadPass(ctx, r.ref.Stream, r.ref.Epoch)
	if err != nil || !p.Wanted() {
		return err
	}
	if p.Begun.IsZero() && r.plan.followed() != "" {
		if !r.seal.More { // the first load, just done, has read everything
			r.read = &store.Pass{Begun: r.seal.ServerTime, Pages: r.calls, Ended: true}
		}
		return nil
	}
	if !p.UnderWay() {
		p = store.Pass{}
	}
	limit, most := pageRows, passPages
	if r.plan.followed() != "" {
		most = followedPages
	}
	for pages := 0; !p.Ended; pages++ {
		full := r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows
		if full || pages == most {
			r.seal.More = true
			break
		}
		q, err := r.plan.query(r.plan.Fields, afterID(p.At), byID, limit)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
		}
		asked := time.Now()
		page, err := r.ask(ctx, q)
		if salesforce.TooBroad(err) && limit > 1 {
			limit = max(1, limit/4)
			continue
		}
		if err != nil {
			return err
		}
		if p.Begun.IsZero() {
			p.Begun = page.ServerTime.Add(-time.Since(asked))
		}
		if err := r.comparePage(ctx, &p, page, limit); err != nil {
			return err
		}
		p.Pages++
	}
	r.read = &p
	return nil
}

// passes reports whether passes are made of the object now. While its first load goes on beside, all of it
// is read anyway.
func passes(plan *Plan, o *store.TargetObject) bool {
	return plan.Cursor.Passes && (o.Backfill == nil || !o.Backfill.First)
}

// comparePage stages what differs on a page of a pass and moves the pass behind it.
func (r *reading) comparePage(ctx context.Context, p *store.Pass, page salesforce.Page, limit int) error {
	whole, err := r.withRecipients(ctx, page.Rows)
	if err != nil {
		return err
	}
	rows := make([][]byte, len(page.Rows))
	seen := make([]store.Passed, len(page.Rows))
	ids := make([]string, len(page.Rows))
	for i, row := range whole {
		var line bytes.Buffer
		if err := json.Compact(&line, row); err != nil {
			return fault.Wrap(fault.Transient, err, "query %s: a row is not JSON", r.plan.Object)
		}
		rows[i] = line.Bytes()
		if seen[i].ID, seen[i].Digest, seen[i].Deleted, err = r.plan.Recipe.Identity(rows[i]); err != nil {
			return fault.Wrap(fault.Transient, err, "query %s: read a row", r.plan.Object)
		}
		ids[i] = seen[i].ID
	}
	differ, err := r.service.Store.Differing(ctx, r.target.SourceID, r.object.Name, seen)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if differ[ids[i]] {
			if _, err := r.add(ctx, row); err != nil {
				return err
			}
		}
	}
	from, to := p.At, ""
	if p.Ended = page.Done && page.TotalSize < limit; !p.Ended {
		if len(ids) == 0 {
			return fault.New(fault.Transient, "query %s: Salesforce says there is more and gives no row", r.plan.Object)
		}
		to = slices.MaxFunc(ids, salesforce.CompareIDs)
		p.At = to
	}
	gone, err := r.service.Store.Vanished(ctx, r.target.SourceID, r.object.Name, from, to, ids)
	if err != nil || len(gone) == 0 {
		return err
	}
	_, err = r.service.Store.AddRepairs(ctx, r.target.IntegrationID, r.object.Name, gone)
	return err
}

// savePass notes how far the pass came, when everything it read is in batches up to seq.
// A crash before this reads some pages again and finds nothing new on them.
func (r *reading) savePass(ctx context.Context, seq int64) error {
	if r.read == nil {
		return nil
	}
	r.read.Through = seq
	return r.service.Store.SavePass(ctx, r.ref.Stream, r.ref.Epoch, *r.read, passEvery(specOf(r.target).verifyInterval(), r.read.Pages))
}

// passNews reports whether a pass of the object has pages to read, and notes what
// follows from one that ended: an object without a stamp is complete up to where the last
// whole pass began, less the time that rows may take to become visible.
func (s *Service) passNews(ctx context.Context, o *store.TargetObject) (bool, error) {
	plan, err := s.plan(o)
	if err != nil || !passes(plan, o) {
		return false, err
	}
	p, err := s.Store.LoadPass(ctx, o.Stream, o.Epoch)
	if err != nil {
		return false, err
	}
	ended := p.Ended && !p.Settled && o.Seq >= p.Through
	if plan.followed() == "" && (ended || o.VerifyDue) {
		v := store.Verified{After: verifyEvery} // its parents' tails are scanned all the same
		if ended {
			v.To = p.Begun.Add(-store.Tail)
		}
		if err := s.Store.SaveVerified(ctx, o.Stream, o.Epoch, v); err != nil {
			return false, err
		}
	}
	if ended {
		if err := s.Store.SettlePass(ctx, o.Stream, o.Epoch, p.Begun); err != nil {
			return false, err
		}
	}
	return p.Wanted(), nil
}

// unordered is the comparison of an object without a stamp: the number of its rows. When
// it is another than ours the next pass begins at once; there is no narrowing down.
func (c *comparison) unordered(ctx context.Context) (bool, error) {
	q, err := c.countQuery(time.Time{}, time.Time{})
	if err != nil {
		return false, err
	}
	log := c.deletions()
	pages, err := c.ask(ctx, log, q)
	if c.result.Counted = !salesforce.TooBroad(err); !c.result.Counted {
		// The next pass comes when it is due, and is what there is.
		c.result.To, c.result.After = c.upTo, specOf(c.target).verifyInterval()
		return false, c.service.Store.SaveComparison(ctx, c.object.Stream, c.object.Epoch, c.result)
	}
	if err != nil {
		return false, err
	}
	if log != nil {
		if err := log.save(ctx); err != nil {
			return false, err
		}
		c.found += log.asked
	}
	c.result.Salesforce = int64(pages[0].TotalSize)
	if c.result.Stored, err = c.stored(ctx, time.Time{}, transform.NoStamp); err != nil {
		return false, err
	}
	pass := false
	if c.result.Salesforce != c.result.Stored {
		p, err := c.service.Store.LoadPass(ctx, c.object.Stream, c.object.Epoch)
		if err != nil {
			return false, err
		}
		if pass = p.Settled && !p.Due; pass {
			if err := c.service.Store.MakePassDue(ctx, c.object.Stream, c.object.Epoch); err != nil {
				return false, err
			}
		}
	}
	c.result.To, c.result.Repaired = c.upTo, c.found
	c.result.After = passEvery(specOf(c.target).verifyInterval(), 1)
	return pass || c.found > 0, c.service.Store.SaveComparison(ctx, c.object.Stream, c.object.Epoch, c.result)
}
