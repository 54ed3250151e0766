package poll

import (
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

// rechecks reads by Id what was asked to be read again, and judges what does not come
// back. What cannot be judged yet stays asked for.
func (r *reading) rechecks(ctx context.Context) error {
	due, err := r.service.Store.DueRechecks(ctx, r.target.IntegrationID, r.object.Name, maxRechecks)
	if err != nil {
		return err
	}
	r.seal.More = r.seal.More || len(due) == maxRechecks
	for part := range slices.Chunk(due, recheckIDs) {
		if err := r.recheck(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// recheck asks for the records twice in one call: with all their fields and under the
// object's condition, and whether they are there at all. Between the two lies what left
// the condition; what neither gives is out of sight.
func (r *reading) recheck(ctx context.Context, due []store.Recheck) error {
	since := make(map[string]time.Time, len(due))
	var unread []string
	for _, d := range due {
		since[d.ID] = d.AbsentSince
		if r.seen[d.ID] {
			r.seal.Rechecked = append(r.seal.Rechecked, d.ID)
		} else {
			unread = append(unread, d.ID)
		}
	}
	err := inFewer(unread, func(ids []string) error {
		for unknown, done := ids, len(ids) == 0; !done; { // pages may be smaller than the list
			var err error
			if unknown, done, err = r.byID(ctx, unknown); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var absent []string
	for _, id := range unread {
		if r.seen[id] {
			r.seal.Rechecked = append(r.seal.Rechecked, id)
		} else {
			absent = append(absent, id)
		}
	}
	return r.judge(ctx, absent, since)
}

// byID stages the records among ids that are there and returns those it has no row of.
// done says that there is none: all of the answers were read.
func (r *reading) byID(ctx context.Context, ids []string) (rest []string, done bool, err error) {
	these := soql.OneOf(transform.PathID, ids...)
	order := []soql.Order{{Field: transform.PathID}}
	full, err := r.plan.query(r.plan.Fields, these, order, 0)
	if err != nil {
		return nil, false, fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
	}
	all := salesforce.QueryOptions{All: true}
	asks := []salesforce.Ask{salesforce.Subquery{SOQL: full, QueryOptions: all}}
	if r.plan.Where != "" {
		bare, err := soql.Select{Fields: r.plan.scanFields(), From: r.plan.Object, Where: these, OrderBy: order}.Build()
		if err != nil {
			return nil, false, fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
		}
		asks = append(asks, salesforce.Subquery{SOQL: bare, QueryOptions: all})
	}
	answers, err := r.together(ctx, asks...)
	if err != nil {
		return nil, false, err
	}
	inside := answers[0].Page
	rows, err := r.withRecipients(ctx, inside.Rows)
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		if _, err := r.add(ctx, row); err != nil {
			return nil, false, err
		}
	}
	if len(answers) > 1 && inside.Done { // else the rows to come may be inside, too
		for _, row := range answers[1].Page.Rows {
			seen, err := r.plan.seen(row)
			if err != nil {
				return nil, false, err
			}
			if r.seen[seen.ID] {
				continue
			}
			verdict := verdictFiltered
			if seen.Deleted {
				verdict = verdictDeleted
			}
			if err := r.conclude(ctx, seen.Position, verdict); err != nil {
				return nil, false, err
			}
		}
	}
	rest = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return r.seen[id] })
	whole := !slices.ContainsFunc(answers, func(a salesforce.Answer) bool { return !a.Page.Done })
	done = whole || len(rest) == 0 || len(rest) == len(ids) // if nothing came, asking again would give no more
	return rest, done, nil
}

// What reading a record by Id can prove without a row of it. They are spelled out in
// the staged line, under a name that no field of Salesforce can have.
const (
	verdictDeleted   = store.RecordDeleted
	verdictFiltered  = store.RecordFiltered
	verdictInvisible = store.RecordInvisible
)

// conclude stages a verdict as a row: no record of Salesforce, but of the same batch, so
// that it is applied, counted and ordered like one. at is the stamp the record is known by.
func (r *reading) conclude(ctx context.Context, at store.Position, verdict string) error {
	line := map[string]any{transform.PathID: at.ID, transform.PathVerdict: verdict}
	if stamp := r.plan.followed(); stamp != "" {
		line[stamp] = at.Stamp.UTC().Format(salesforce.DateTimeLayout)
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write a verdict")
	}
	_, err = r.add(ctx, raw)
	return err
}

// seesAll asks whether the user sees every record of the object, now: after the records
// were missed, and not when the last check asked. A right that was taken in between must
// not turn what it hides into deletes.
func (r *reading) seesAll(ctx context.Context) (bool, error) {
	if r.object.ViewAll != store.ViewAllYes {
		return false, nil
	}
	if r.sees == nil {
		c := &checking{service: r.service, target: r.target, org: r.org,
			judged: []*judgement{{object: r.object, CheckedObject: store.CheckedObject{Name: r.object.Name}}}}
		rights, err := c.rights(ctx)
		if err != nil {
			return false, err
		}
		view, _ := rights.viewAll(r.plan.Object)
		all := view == store.ViewAllYes
		r.sees = &all
	}
	return *r.sees, nil
}

// judge decides what became of records that are not there for us. Salesforce's log of
// deletes proves a delete, but it knows whole minutes only and does not know all deletes.
// So the log must first have been read beyond the moment at which the record was missed.
// If it does not name it, the record is gone only for a user who sees every record;
// for any other it may as well be hidden.
func (r *reading) judge(ctx context.Context, absent []string, since map[string]time.Time) error {
	if len(absent) == 0 {
		return nil
	}
	if slices.ContainsFunc(absent, func(id string) bool {
		return r.plan.Replicateable && !since[id].IsZero() && !r.object.DeletesTo.After(since[id])
	}) {
		r.calls++
		if err := r.service.deleteLog(r.target, r.object, r.plan, r.seal.ServerTime).read(ctx); err != nil {
			return err
		}
	}
	known, err := r.service.Store.StoredRecords(ctx, r.target.IntegrationID, r.target.SourceID, r.object.Name, absent)
	if err != nil {
		return err
	}
	var waiting []string
	for _, id := range absent {
		stored, is := known[id]
		covered := !r.plan.Replicateable || !since[id].IsZero() && r.object.DeletesTo.After(since[id])
		verdict := ""
		switch {
		case !is, stored.State == store.RecordDeleted, stored.State == store.RecordErased:
		case stored.Deleted:
			verdict = verdictDeleted
		case !covered:
			waiting = append(waiting, id)
			continue
		default:
			all, err := r.seesAll(ctx)
			switch {
			case err != nil:
				return err
			case all:
				verdict = verdictDeleted
			case stored.State != store.RecordInvisible:
				verdict = verdictInvisible
			}
		}
		if verdict != "" {
			if err := r.conclude(ctx, store.Position{Stamp: stored.Stamp, ID: id}, verdict); err != nil {
				return err
			}
		}
		r.seal.Rechecked = append(r.seal.Rechecked, id)
	}
	if len(waiting) == 0 {
		return nil
	}
	return r.service.Store.MarkAbsent(ctx, r.target.IntegrationID, r.object.Name, waiting, r.seal.ServerTime)
}
