package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// Recheck is a record that is to be read again by Id.
type Recheck struct {
	ID          string
	AbsentSince time.Time // since when, by Salesforce's clock, it does not come back; zero = it was not missed yet
}

// DueRechecks returns records of the object that are to be read again now, oldest
// request first, at most limit.
func (s *Store) DueRechecks(ctx context.Context, integrationID, object string, limit int) ([]Recheck, error) {
	rows, err := s.pool.Query(ctx, `
		select record_id, coalesce(absent_since, '0001-01-01Z') from rechecks
		where integration_id = $1 and object = $2 and not_before <= now()
		order by asked limit $3`, integrationID, object, limit)
	if err != nil {
		return nil, translate("read the rechecks", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Recheck])
	return due, translate("read the rechecks", err)
}

// WaitingRechecks is how many records of the object are to be read again, now or later.
func (s *Store) WaitingRechecks(ctx context.Context, integrationID, object string) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `select count(*) from rechecks where integration_id = $1 and object = $2`, integrationID, object).Scan(&n)
	return n, translate("count the rechecks", err)
}

// AddRechecks asks for records to be read again as soon as possible.
func (s *Store) AddRechecks(ctx context.Context, integrationID, object, reason string, ids []string) error {
	_, err := s.pool.Exec(ctx, addRecheckRows, integrationID, object, reason, ids)
	return translate("add rechecks", err)
}

const addRecheckRows = `
	insert into rechecks as k (integration_id, object, record_id, reason)
	select $1, $2, id, $3 from (select distinct unnest($4::text[]) as id) ids
	on conflict (integration_id, object, record_id) do update set
		asked = excluded.asked, not_before = least(k.not_before, excluded.not_before)`

// AddRepairs asks for records that a comparison found different to be read again, and
// returns how many were not asked for already. One that waits for its time goes on waiting.
func (s *Store) AddRepairs(ctx context.Context, integrationID, object string, ids []string) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	tag, err := s.pool.Exec(ctx, `
		insert into rechecks (integration_id, object, record_id, reason)
		select distinct $1, $2, unnest($3::text[]), 'repair'
		on conflict do nothing`, integrationID, object, ids)
	return tag.RowsAffected(), translate("add repairs", err)
}

// absentAgain is when a record that did not come back is asked for again: the log of
// deletes knows whole minutes only.
const absentAgain = time.Minute

// MarkAbsent notes that records which were asked for by Id did not come back, since
// since by Salesforce's clock. They are asked for again in a minute.
func (s *Store) MarkAbsent(ctx context.Context, integrationID, object string, ids []string, since time.Time) error {
	_, err := s.pool.Exec(ctx, `
		update rechecks set absent_since = coalesce(absent_since, $4), not_before = now() + $5::interval
		where integration_id = $1 and object = $2 and record_id = any($3)`, integrationID, object, ids, since, absentAgain)
	return translate("note absent records", err)
}

// PendingParents returns changed parents of the dependency whose children are still to be
// noted, at most limit.
func (s *Store) PendingParents(ctx context.Context, integrationID, object string, d Dependency, limit int) ([]Position, error) {
	rows, err := s.pool.Query(ctx, `
		select stamp, record_id from followed
		where (integration_id, object, path, parent) = ($1, $2, $3, $4) and pending order by record_id limit $5`,
		integrationID, object, d.Path, d.Parent, limit)
	if err != nil {
		return nil, translate("read the changed parents", err)
	}
	parents, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Position])
	return parents, translate("read the changed parents", err)
}

// NoteParents compares parents of the dependency, as a scan gave them, with those that
// were followed, and notes the others so that their children will be read again. It
// returns how many those are. A parent whose stamp is the one it was followed with is done.
func (s *Store) NoteParents(ctx context.Context, integrationID, object string, d Dependency, seen []Position) (int64, error) {
	if len(seen) == 0 {
		return 0, nil
	}
	ids, stamps := positions(seen)
	tag, err := s.pool.Exec(ctx, `
		insert into followed as f (integration_id, object, path, parent, record_id, stamp, pending)
		select $1, $2, $3, $4, t.id, t.stamp, true from unnest($5::text[], $6::timestamptz[]) as t (id, stamp)
		where exists (select 1 from dependencies d where (d.integration_id, d.object, d.path, d.parent) = ($1, $2, $3, $4))
		on conflict (integration_id, object, path, parent, record_id) do update set stamp = excluded.stamp, pending = true, settled = false
		where f.stamp < excluded.stamp`, integrationID, object, d.Path, d.Parent, ids, stamps)
	return tag.RowsAffected(), translate("note changed parents", err)
}

func positions(list []Position) (ids []string, stamps []time.Time) {
	for _, p := range list {
		ids, stamps = append(ids, p.ID), append(stamps, p.Stamp)
	}
	return ids, stamps
}

// FollowDependency notes that the children of changed parents have been noted to be read
// again, and that the parents' cursor stands at hi. fault.Fenced when the stream moved to
// another epoch meanwhile, or no longer depends on them.
func (s *Store) FollowDependency(ctx context.Context, ref flow.BatchRef, integrationID string, d Dependency, hi Position, parents []Position) error {
	return s.inTx(ctx, "follow a changed parent", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update dependencies set hi_stamp = $5, hi_id = $6
			where integration_id = $1 and object = $2 and path = $3 and parent = $4`,
			integrationID, ref.Object, d.Path, d.Parent, hi.Stamp, hi.ID)
		if err == nil && tag.RowsAffected() == 0 {
			return fault.New(fault.Fenced, "%s no longer depends on %s", ref.Object, d.Path)
		}
		if err != nil {
			return err
		}
		ids, stamps := positions(parents)
		_, err = tx.Exec(ctx, `
			insert into followed as f (integration_id, object, path, parent, record_id, stamp)
			select $1, $2, $3, $4, t.id, t.stamp from unnest($5::text[], $6::timestamptz[]) as t (id, stamp)
			on conflict (integration_id, object, path, parent, record_id) do update set stamp = excluded.stamp, pending = false, settled = f.settled and f.stamp = excluded.stamp
			where f.stamp <= excluded.stamp`, integrationID, ref.Object, d.Path, d.Parent, ids, stamps)
		return err
	})
}

// FollowPending notes that the children of these parents have been noted. A parent that
// was noted with another stamp meanwhile stays pending.
func (s *Store) FollowPending(ctx context.Context, integrationID, object string, d Dependency, parents []Position) error {
	ids, stamps := positions(parents)
	_, err := s.pool.Exec(ctx, `
		update followed f set pending = false
		from unnest($5::text[], $6::timestamptz[]) as t (id, stamp)
		where (f.integration_id, f.object, f.path, f.parent) = ($1, $2, $3, $4) and (f.record_id, f.stamp) = (t.id, t.stamp)`,
		integrationID, object, d.Path, d.Parent, ids, stamps)
	return translate("note followed parents", err)
}

// SaveDependencyVerified notes that no change of the dependency's parents up to to can
// have been missed. Parents whose stamp has settled by then are followed once more: a late
// commit may have given one the stamp that it had already. It returns how many those are.
// What was remembered of the others is forgotten.
func (s *Store) SaveDependencyVerified(ctx context.Context, integrationID, object string, d Dependency, to time.Time) (again int64, err error) {
	err = s.exchange(ctx, "store how far parents were followed", "begin", func(b *pgx.Batch) {
		b.Queue(`
			update dependencies set verified_to = greatest(verified_to, $5)
			where (integration_id, object, path, parent) = ($1, $2, $3, $4)`, integrationID, object, d.Path, d.Parent, to)
		b.Queue(`
			delete from followed
			where (integration_id, object, path, parent) = ($1, $2, $3, $4) and stamp < $5 and settled and not pending`,
			integrationID, object, d.Path, d.Parent, to)
		b.Queue(`
			update followed set pending = true, settled = true
			where (integration_id, object, path, parent) = ($1, $2, $3, $4) and stamp <= $5 and not settled`,
			integrationID, object, d.Path, d.Parent, to).
			Exec(func(tag pgconn.CommandTag) error { again = tag.RowsAffected(); return nil })
	})
	return again, err
}
