package poll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"time"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
)

// Poll reads the batch ref: children of changed parents are noted for re-reading,
// then the rows behind the live cursor are read, then the records to be read again by
// Id; all of it is staged raw and sealed. It may be repeated: a batch that is sealed
// answers with its counts and is not read again.
//
// fault.Fenced and fault.Stopped mean that this work is over; everything else is
// Salesforce's or the store's word.
func (s *Service) Poll(ctx context.Context, ref flow.BatchRef) (flow.PollResult, error) {
	b, err := s.Store.BeginBatch(ctx, ref)
	if err != nil {
		return flow.PollResult{}, err
	}
	if b.State != store.BatchReading {
		return flow.PollResult{Rows: b.Rows, Bytes: b.Bytes, More: b.More, Sealed: true}, nil
	}
	// After the batch is begun: a check that makes another plan now sees the batch.
	t, o, err := s.Store.LoadStreamTarget(ctx, ref.Stream)
	if err != nil {
		return flow.PollResult{}, err
	}
	plan, err := s.plan(o)
	if err != nil {
		return flow.PollResult{}, err
	}
	r := &reading{service: s, target: t, object: o, plan: plan, batch: b, ref: ref, org: s.Orgs.Org(t.IntegrationID),
		sum: sha256.New(), seen: map[string]bool{}}
	if o.Part != nil {
		if o.Part.API == store.PartBulk {
			r.sum = store.Checksum(store.FormatCSV)
		}
		ctx = quota.WithClass(ctx, quota.Underway)
	}
	if lane := o.Resync; lane != nil && lane.Stream == ref.Stream {
		r.lane = lane
		ctx = quota.WithClass(ctx, quota.Underway)
	}
	if err := r.all(ctx); err != nil {
		return flow.PollResult{Calls: r.calls}, err
	}
	result := flow.PollResult{Rows: r.seal.Rows, Bytes: r.seal.Bytes, More: r.seal.More, Calls: r.calls}
	if r.seal.Rows == 0 && len(r.seal.Rechecked) == 0 && r.seal.To.IsZero() && !r.seal.Final {
		// Nothing after all: the number stays free for the next poll.
		if err := r.savePass(ctx, ref.Seq-1); err != nil {
			return result, err
		}
		if o.Behind && !r.seal.More {
			return result, s.Store.CaughtUp(ctx, ref)
		}
		return result, nil
	}
	if t.Status != flow.StateSyncing {
		if err := s.Store.SetStatus(ctx, t.Project, t.Integration, flow.StateSyncing, "", "", time.Time{}); err != nil {
			return result, err
		}
	}
	if err := s.Store.SealBatch(ctx, b, r.seal); err != nil {
		return result, err
	}
	result.Sealed = true
	crashpoint.Hit(crashpoint.BatchStaged)
	return result, r.savePass(ctx, ref.Seq)
}

// reading is one batch being read.
type reading struct {
	service *Service
	target  *store.Target
	object  *store.TargetObject
	plan    *Plan
	batch   *store.Batch
	ref     flow.BatchRef
	lane    *store.Resync // nil: the live lane
	org     Salesforce

	calls int
	seal  store.Seal
	sum   hash.Hash
	chunk bytes.Buffer
	ids   []string        // of the records in chunk
	seen  map[string]bool // one row per Id in a batch
	sees  *bool           // whether the user sees every record of the object; nil = not asked yet
	read  *store.Pass     // how far the pass over the whole object came; nil when none is due
}

func (r *reading) all(ctx context.Context) error {
	steps := []func(context.Context) error{r.dependencies, r.renumber, r.live, r.rechecks, r.pass}
	if r.object.Part != nil {
		steps = []func(context.Context) error{r.partPage}
	} else if r.lane != nil {
		steps = []func(context.Context) error{r.again}
	}
	for _, step := range append(steps, r.flush) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r.seal.Checksum = r.sum.Sum(nil)
	return nil
}

// renumber begins the reading that answers rechecks: the children just noted are among them.
func (r *reading) renumber(ctx context.Context) error {
	return r.service.Store.RenumberBatch(ctx, r.batch)
}

// ask runs one query, if it still may.
func (r *reading) ask(ctx context.Context, q string) (salesforce.Page, error) {
	if err := r.service.Store.Gate(ctx, r.ref.Stream, r.ref.Epoch); err != nil {
		return salesforce.Page{}, err
	}
	r.calls++
	began := time.Now()
	page, err := r.org.Query(ctx, q, salesforce.QueryOptions{All: true})
	if err != nil {
		return page, err
	}
	return page, r.dated(began, page.ServerTime)
}

// together asks several questions in as few calls as they fit in, if it still may. The
// error of a part is returned like that of the whole.
func (r *reading) together(ctx context.Context, asks ...salesforce.Ask) ([]salesforce.Answer, error) {
	answers, err := r.answers(ctx, asks)
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if a.Err != nil {
			return nil, a.Err
		}
	}
	return answers, nil
}

// answers is together with each part's error in its answer.
func (r *reading) answers(ctx context.Context, asks []salesforce.Ask) ([]salesforce.Answer, error) {
	if err := r.service.Store.Gate(ctx, r.ref.Stream, r.ref.Epoch); err != nil {
		return nil, err
	}
	r.calls++
	began := time.Now()
	answers, err := r.org.Together(ctx, asks)
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if err := r.dated(began, a.ServerTime); err != nil && a.Err == nil {
			return nil, err
		}
	}
	return answers, nil
}

// dated keeps Salesforce's clock at the beginning of the batch. Salesforce dates an
// answer when it has run the query, the rows are from when it began: that was at the
// earliest so much before.
func (r *reading) dated(began, server time.Time) error {
	if server.IsZero() {
		return fault.New(fault.Transient, "query %s: the answer has no Date", r.plan.Object)
	}
	if r.seal.ServerTime.IsZero() {
		r.seal.ServerTime = server.Add(-time.Since(began))
	}
	return nil
}

// settled reports whether the second t was over before this reading began. A cursor
// stands in seconds that are over only: any other may still get a row in front of the
// last one read, because Ids do not follow time, or a second change of that very row.
// What lies behind the cursor is read again until it is settled. A row that moves while
// the batch is read is not settled either.
func (r *reading) settled(t time.Time) bool { return !t.After(r.seal.ServerTime.Add(-store.Settle)) }

// past reports whether everything in front of p was over before this reading began.
func (r *reading) past(p store.Position) bool {
	if p.ID == "" { // nothing of that second was read
		return r.settled(p.Stamp.Add(-time.Second))
	}
	return r.settled(p.Stamp)
}

// live reads pages behind the cursor until the batch is full or there is no more.
// It never follows a locator: those die with the session, a keyset does not.
func (r *reading) live(ctx context.Context) error {
	if r.plan.followed() == "" { // passes read it
		if r.object.Hi.IsZero() {
			r.seal.To = start
		}
		return nil
	}
	if r.object.Hi.IsZero() {
		if flooded, err := r.flood(ctx); flooded || err != nil {
			return err
		}
	}
	p := r.pages(r.plan.Object, r.plan.followed(), r.object.Hi, func(more soql.Expr, order []soql.Order, limit int) (string, error) {
		return r.plan.query(r.plan.Fields, more, order, limit)
	})
	before := r.seal.Rows
	for {
		rows, err := p.next(ctx)
		if err != nil {
			if salesforce.TooBroad(errors.Unwrap(err)) && (r.seal.Rows > before || !r.seal.To.IsZero()) {
				r.seal.More = true // what was read up to there is kept; the next batch begins with the trouble
				return nil
			}
			return err
		}
		if rows, err = r.withRecipients(ctx, rows); err != nil {
			return err
		}
		var unplaced []string
		for _, row := range rows {
			at, err := r.add(ctx, row)
			if err != nil {
				return err
			}
			switch {
			case at.IsZero():
				unplaced = append(unplaced, at.ID) // it has no place in the order
			case r.settled(at.Stamp):
				r.seal.To = at
			}
		}
		if len(unplaced) > 0 {
			if _, err := r.service.Store.AddRepairs(ctx, r.target.IntegrationID, r.object.Name, unplaced); err != nil {
				return err
			}
		}
		if p.at != r.object.Hi && r.past(p.at) { // a window was read to its end, perhaps without a row
			r.seal.To = p.at
		}
		full := r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows || r.calls >= maxAsks
		if !p.done && !full {
			continue
		}
		r.seal.More = r.seal.More || !p.done
		from := r.object.Hi
		if !r.seal.To.IsZero() {
			from = r.seal.To
		}
		if rest := r.seal.ServerTime.Add(-tail); p.done && (from.IsZero() || p.narrow && from.Stamp.Before(rest)) {
			// Nothing, or nothing that is settled: from here on there is something to watch
			// behind. Where a look back over all of the time is too much, the next one is short.
			r.seal.To = store.Position{Stamp: rest}
		}
		return nil
	}
}

// pages reads an object behind a position, with what is known of how much may be asked for.
func (r *reading) pages(object, stamp string, at store.Position, query func(soql.Expr, []soql.Order, int) (string, error)) *pages {
	p := &pages{object: object, stamp: stamp, query: query, ask: r.ask, at: at, near: at.ID}
	p.size, p.keep = r.service.narrowings.of(r.target.IntegrationID + " " + r.object.Name + " " + object)
	return p
}

// add stages one row and says where it stands.
func (r *reading) add(ctx context.Context, row json.RawMessage) (store.Position, error) {
	p, err := positionOf(row, r.plan.followed())
	if err != nil {
		return p, err
	}
	if r.seen[p.ID] {
		return p, nil
	}
	r.seen[p.ID] = true
	// One record is one line: bodies that are not compressed on the wire are pretty-printed.
	start := r.chunk.Len()
	if err := json.Compact(&r.chunk, row); err != nil {
		return p, fault.Wrap(fault.Transient, err, "query %s: a row is not JSON", r.plan.Object)
	}
	r.chunk.WriteByte('\n')
	r.ids = append(r.ids, p.ID)
	r.seal.Rows++
	r.seal.Bytes += int64(r.chunk.Len() - start)
	if r.chunk.Len() >= chunkBytes {
		return p, r.flush(ctx)
	}
	return p, nil
}

func (r *reading) flush(ctx context.Context) error {
	if len(r.ids) == 0 {
		return nil
	}
	r.sum.Write(r.chunk.Bytes())
	if err := r.service.Store.AddChunk(ctx, r.batch, store.Chunk{Number: r.seal.Chunks, Format: store.FormatJSON, IDs: r.ids, Data: r.chunk.Bytes()}); err != nil {
		return err
	}
	r.seal.Chunks++
	r.chunk.Reset()
	r.ids = nil
	return nil
}

// positionOf is where a row stands in the order (stamp, Id). A row without a stamp, or
// with one that cannot be read, has its Id only: it is one record's trouble, which
// Transform sorts out, and no reason to stop the others.
func positionOf(row json.RawMessage, stamp string) (store.Position, error) {
	rec, err := salesforce.Decode(row, nil)
	if err != nil {
		return store.Position{}, fault.Wrap(fault.Transient, err, "read a row")
	}
	p := store.Position{ID: rec.ID}
	if stamp == "" {
		return p, nil
	}
	if rec, err := salesforce.Decode(row, salesforce.Fields{stamp: salesforce.TypeDateTime}); err == nil {
		p.Stamp, _ = rec.Time(stamp)
	}
	return p, nil
}
