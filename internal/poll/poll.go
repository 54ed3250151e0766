package poll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"slices"
	"time"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Poll reads the batch ref: children of changed parents are noted for re-reading,
// then the rows behind the live cursor are read, then the records to be read again by
// Id; all of it is staged raw and sealed. It may be repeated: a batch that is sealed
// answers with its counts and is not read again.
//
// fault.Fenced and fault.Stopped mean that this work is over; everything else is
// Salesforce's or the store's word.
func (s *Service) Poll(ctx context.Context, ref flow.BatchRef) (flow.PollResult, error) {
	t, o, err := s.Store.LoadStreamTarget(ctx, ref.Stream)
	if err != nil {
		return flow.PollResult{}, err
	}
	b, err := s.Store.BeginBatch(ctx, ref)
	if err != nil {
		return flow.PollResult{}, err
	}
	if b.State != store.BatchReading {
		return flow.PollResult{Rows: b.Rows, Bytes: b.Bytes, More: b.More, Sealed: true}, nil
	}
	plan, err := decodePlan(o)
	if err != nil {
		return flow.PollResult{}, err
	}
	r := &reading{service: s, target: t, object: o, plan: plan, batch: b, ref: ref, org: s.Orgs.Org(t.IntegrationID),
		sum: sha256.New(), seen: map[string]bool{}}
	if err := r.all(ctx); err != nil {
		return flow.PollResult{Calls: r.calls}, err
	}
	result := flow.PollResult{Rows: r.seal.Rows, Bytes: r.seal.Bytes, More: r.seal.More, Calls: r.calls}
	if r.seal.Rows == 0 && len(r.seal.Rechecked) == 0 && r.seal.To.IsZero() {
		return result, nil // nothing after all: the number stays free for the next poll
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
	return result, nil
}

// reading is one batch being read.
type reading struct {
	service *Service
	target  *store.Target
	object  *store.TargetObject
	plan    *Plan
	batch   *store.Batch
	ref     flow.BatchRef
	org     Salesforce

	calls int
	seal  store.Seal
	sum   hash.Hash
	chunk bytes.Buffer
	lines int
	seen  map[string]bool // one row per Id in a batch
}

func (r *reading) all(ctx context.Context) error {
	if err := r.dependencies(ctx); err != nil {
		return err
	}
	// The reading that answers rechecks begins here: the children just noted are among them.
	if err := r.service.Store.RenumberBatch(ctx, r.batch); err != nil {
		return err
	}
	if err := r.live(ctx); err != nil {
		return err
	}
	if err := r.rechecks(ctx); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.seal.Checksum = r.sum.Sum(nil)
	return nil
}

// ask runs one query, if it still may.
func (r *reading) ask(ctx context.Context, q string) (salesforce.Page, error) {
	if err := r.service.Store.Gate(ctx, r.ref.Stream, r.ref.Epoch); err != nil {
		return salesforce.Page{}, err
	}
	r.calls++
	began := time.Now()
	page, err := r.org.Query(ctx, q, salesforce.QueryOptions{All: true})
	if err == nil && page.ServerTime.IsZero() {
		err = fault.New(fault.Transient, "query %s: the answer has no Date", r.plan.Object)
	}
	if err == nil && r.seal.ServerTime.IsZero() {
		// Salesforce dates the answer when it has run the query, the rows are from when it
		// began: that was at the earliest so much before.
		r.seal.ServerTime = page.ServerTime.Add(-time.Since(began))
	}
	return page, err
}

// settled reports whether the second t was over before this reading began. A cursor
// stands in seconds that are over only: any other may still get a row in front of the
// last one read, because Ids do not follow time, or a second change of that very row.
// What lies behind the cursor is read again until it is settled. A row that moves while
// the batch is read is not settled either.
func (r *reading) settled(t time.Time) bool { return !t.After(r.seal.ServerTime.Add(-store.Settle)) }

// live reads pages behind the cursor until the batch is full or there is no more.
// It never follows a locator: those die with the session, a keyset does not.
func (r *reading) live(ctx context.Context) error {
	stamp := r.plan.Recipe.Stamp
	at := r.object.Hi
	for {
		q, err := r.plan.query(r.plan.Fields, after(stamp, at), byKeyset(stamp), pageRows)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
		}
		page, err := r.ask(ctx, q)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			p, err := r.add(ctx, row)
			if err != nil {
				return err
			}
			at = p
			if r.settled(p.Stamp) {
				r.seal.To = p
			}
		}
		more := !page.Done || page.TotalSize >= pageRows
		if more && len(page.Rows) == 0 {
			return fault.New(fault.Transient, "query %s: Salesforce says there is more and gives no row", r.plan.Object)
		}
		if full := r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows; !more || full {
			r.seal.More = r.seal.More || more
			if !more && r.object.Hi.IsZero() && r.seal.To.IsZero() {
				// Nothing, or nothing that is settled: from here on there is something to watch behind.
				r.seal.To = store.Position{Stamp: r.seal.ServerTime.Add(-tail)}
			}
			return nil
		}
	}
}

// rechecks reads by Id what was asked to be read again. Ids that do not come back are
// not visible or have left the condition; asking was the answer.
func (r *reading) rechecks(ctx context.Context) error {
	ids, err := r.service.Store.DueRechecks(ctx, r.target.IntegrationID, r.object.Name, maxRechecks)
	if err != nil {
		return err
	}
	r.seal.More = r.seal.More || len(ids) == maxRechecks
	r.seal.Rechecked = ids
	unread := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return r.seen[id] })
	for part := range slices.Chunk(unread, recheckIDs) {
		for len(part) > 0 {
			q, err := r.plan.query(r.plan.Fields, soql.OneOf(transform.PathID, part...), []soql.Order{{Field: transform.PathID}}, 0)
			if err != nil {
				return fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
			}
			page, err := r.ask(ctx, q)
			if err != nil {
				return err
			}
			last := ""
			for _, row := range page.Rows {
				p, err := r.add(ctx, row)
				if err != nil {
					return err
				}
				last = p.ID
			}
			if page.Done || last == "" {
				break
			}
			// A page smaller than the list: go on behind its last Id.
			part = slices.DeleteFunc(slices.Clone(part), func(id string) bool { return salesforce.CompareIDs(id, last) <= 0 })
		}
	}
	return nil
}

// dependencies follows changed parents: their children are noted to be read again, then
// the parent's cursor moves. A crash between the two notes them again.
func (r *reading) dependencies(ctx context.Context) error {
	for _, d := range r.object.Dependencies {
		i := slices.IndexFunc(r.plan.Dependencies, func(p Dependency) bool { return p.Path == d.Path && p.Parent == d.Parent })
		if i < 0 {
			continue // the plan changed; the next check removes it
		}
		q, err := soql.Select{Fields: []string{transform.PathID, stampField}, From: d.Parent,
			Where: after(stampField, d.Hi), OrderBy: byKeyset(stampField), Limit: maxParents}.Build()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of %s", d.Parent)
		}
		page, err := r.ask(ctx, q)
		if err != nil {
			return err
		}
		if len(page.Rows) == 0 {
			continue
		}
		var parents []string
		hi := d.Hi
		for _, row := range page.Rows {
			p, err := positionOf(row, stampField)
			if err != nil {
				return err
			}
			parents = append(parents, p.ID)
			if r.settled(p.Stamp) {
				hi = p
			}
		}
		if err := r.children(ctx, r.plan.Dependencies[i].IDPath, parents); err != nil {
			return err
		}
		if err := r.service.Store.FollowDependency(ctx, r.ref, r.target.IntegrationID, d, hi); err != nil {
			return err
		}
		// Without a step forward the next look does it: by then its second is over.
		r.seal.More = r.seal.More || hi != d.Hi && (!page.Done || len(page.Rows) == maxParents)
	}
	return nil
}

// children notes the object's records below the parents to be read again, page by page.
func (r *reading) children(ctx context.Context, idPath string, parents []string) error {
	last := ""
	for {
		below := soql.OneOf(idPath, parents...)
		if last != "" {
			below = soql.AllOf(below, soql.Compare(transform.PathID, soql.Greater, soql.StringLiteral(last)))
		}
		q, err := r.plan.query([]string{transform.PathID}, below, []soql.Order{{Field: transform.PathID}}, pageRows)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of the children")
		}
		page, err := r.ask(ctx, q)
		if err != nil {
			return err
		}
		ids := make([]string, 0, len(page.Rows))
		for _, row := range page.Rows {
			var rec struct {
				ID string `json:"Id"`
			}
			if err := json.Unmarshal(row, &rec); err != nil || !salesforce.ValidID(rec.ID) {
				return fault.Wrap(fault.Transient, err, "query %s: a row has no Id", r.plan.Object)
			}
			last = salesforce.To18(rec.ID)
			ids = append(ids, last)
		}
		if err := r.service.Store.AddRechecks(ctx, r.target.IntegrationID, r.object.Name, "parent", ids); err != nil {
			return err
		}
		if len(page.Rows) == 0 || page.Done && page.TotalSize < pageRows {
			return nil
		}
	}
}

// add stages one row and says where it stands.
func (r *reading) add(ctx context.Context, row json.RawMessage) (store.Position, error) {
	p, err := positionOf(row, r.plan.Recipe.Stamp)
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
	r.lines++
	r.seal.Rows++
	r.seal.Bytes += int64(r.chunk.Len() - start)
	if r.chunk.Len() >= chunkBytes {
		return p, r.flush(ctx)
	}
	return p, nil
}

func (r *reading) flush(ctx context.Context) error {
	if r.lines == 0 {
		return nil
	}
	r.sum.Write(r.chunk.Bytes())
	if err := r.service.Store.AddChunk(ctx, r.batch, r.seal.Chunks, r.lines, r.chunk.Bytes()); err != nil {
		return err
	}
	r.seal.Chunks++
	r.chunk.Reset()
	r.lines = 0
	return nil
}

// positionOf is where a row stands in the order (stamp, Id).
func positionOf(row json.RawMessage, stamp string) (store.Position, error) {
	rec, err := salesforce.Decode(row, salesforce.Fields{stamp: salesforce.TypeDateTime})
	if err != nil {
		return store.Position{}, fault.Wrap(fault.Transient, err, "read a row")
	}
	at, ok := rec.Time(stamp)
	if !ok {
		return store.Position{}, fault.New(fault.Transient, "record %s has no %s", rec.ID, stamp)
	}
	return store.Position{Stamp: at, ID: rec.ID}, nil
}
