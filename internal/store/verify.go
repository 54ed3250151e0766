package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Seen is a row of Salesforce as a scan of ids and stamps gives it.
type Seen struct {
	Position
	Deleted bool
}

// Difference is what a scan and the store disagree on.
type Difference struct {
	// Unseen rows are in Salesforce, and the store has not got them: unknown records, an
	// older version, a record that counts as out of sight, or a delete it does not know of.
	Unseen []Position
	// Gone are records that the store takes for present and the scan did not give: moved on to
	// another stamp, deleted without a row, outside the condition, or no longer visible.
	Gone []string
}

// CompareRows compares what a scan gave, all rows of the object behind from and up to
// upTo in the order (stamp, Id), with what is stored there. A zero upTo is the end.
// Whatever became of a record, a comment or not, counts as having it.
func (s *Store) CompareRows(ctx context.Context, sourceID, object string, from, upTo Position, rows []Seen) (Difference, error) {
	ids, stamps, deleted := make([]string, len(rows)), make([]time.Time, len(rows)), make([]bool, len(rows))
	for i, r := range rows {
		ids[i], stamps[i], deleted[i] = r.ID, r.Stamp, r.Deleted
	}
	var d Difference
	err := s.exchange(ctx, "compare with Salesforce", "begin read only", func(batch *pgx.Batch) {
		batch.Queue(`
			select t.id, t.stamp
			from unnest($3::text[], $4::timestamptz[], $5::boolean[]) as t (id, stamp, deleted)
			left join records r on r.source_id = $1 and r.object = $2 and r.record_id = t.id
			where r.record_id is null or r.stamp < t.stamp
			   or r.stamp = t.stamp and r.state in ('filtered', 'invisible')
			   or r.stamp = t.stamp and t.deleted <> (r.state in ('deleted', 'erased'))`, sourceID, object, ids, stamps, deleted).
			Query(func(out pgx.Rows) (err error) {
				d.Unseen, err = pgx.CollectRows(out, func(row pgx.CollectableRow) (Position, error) {
					var p Position
					err := row.Scan(&p.ID, &p.Stamp)
					return p, err
				})
				return err
			})
		batch.Queue(`
			select r.record_id from records r
			where r.source_id = $1 and r.object = $2 and r.state in ('live', 'set_aside')
			  and r.stamp > 'epoch' -- records without a stamp are in no order
			  and (r.stamp, r.record_id) > ($3, $4)
			  and ($5::timestamptz is null or (r.stamp, r.record_id) <= ($5, $6))
			  and r.record_id not in (select unnest($7::text[])) -- always by a hash; an anti join may compare each with each
			order by r.stamp, r.record_id`, sourceID, object, from.Stamp, from.ID, nullTime(upTo.Stamp), upTo.ID, ids).
			Query(func(out pgx.Rows) (err error) {
				d.Gone, err = pgx.CollectRows(out, pgx.RowTo[string])
				return err
			})
	})
	return d, err
}

// manyUnsettled is how many records are read again by Id; more are read as a stretch.
const manyUnsettled = 500

// Settle sees to it that every record was read after its stamp had settled. A stamp has
// whole seconds, and a transaction may give a record the stamp that it has already and
// commit long after: the stamp does not move, so only reading the record again shows it.
// from is where the scan began and settled up to where it found everything settled.
//
// It works in steps: a mark is set, what was read before is asked for again, and when all
// of that was read the next mark is set. It returns up to where the object is complete as
// far as this goes, and how many records were asked for.
func (s *Store) Settle(ctx context.Context, integrationID, sourceID, object string, stream, epoch int64, from, settled time.Time) (complete time.Time, asked int64, err error) {
	if still, err := s.settleStill(ctx, sourceID, object, stream, epoch, from, settled); still || err != nil {
		return settled, 0, err
	}
	err = s.inTx(ctx, "see to unsettled records", func(tx pgx.Tx) error {
		complete, asked = settled, 0
		var mark *time.Time
		var order *int64
		var now int64
		err := tx.QueryRow(ctx, `
			select settled_to, settled_order, (select last_value from read_order) from streams where id = $1 and epoch = $2 for update`,
			stream, epoch).Scan(&mark, &order, &now)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // the scan was of something else
		}
		if err != nil {
			return err
		}
		// Records with a stamp behind after, and from, that were read before.
		const unread = `
			from records
			where source_id = $1 and object = $2 and state in ('live', 'set_aside') and read_begin <= $3
			  and stamp > greatest($4::timestamptz, $5::timestamptz) and stamp <= $6`
		count := func(after *time.Time, upTo time.Time, readBefore int64) (n int64, oldest *time.Time, err error) {
			err = tx.QueryRow(ctx, `select count(*), min(stamp)`+unread, sourceID, object, readBefore, from, after, upTo).Scan(&n, &oldest)
			return n, oldest, err
		}
		askFor := func(n int64, after *time.Time, upTo time.Time, readBefore int64) error {
			if n > manyUnsettled {
				begin := from
				if after != nil && after.After(from) {
					begin = *after
				}
				var open bool
				if err := tx.QueryRow(ctx, `select exists (select 1 from streams
					where integration_id = $1 and object = $2 and lane = 'resync' and finished_at is null)`, integrationID, object).Scan(&open); err != nil || open {
					return err
				}
				return requestResync(ctx, tx, integrationID, object, begin, upTo, "records were read before they had settled")
			}
			// A batch that is being read now began too early to answer one that was asked for before.
			_, err := tx.Exec(ctx, `
				insert into rechecks (integration_id, object, record_id, reason)
				select $7, $2, record_id, 'unsettled'`+unread+`
				on conflict (integration_id, object, record_id) do update set asked = excluded.asked`,
				sourceID, object, readBefore, from, after, upTo, integrationID)
			return err
		}
		if mark != nil && order != nil {
			n, oldest, err := count(nil, *mark, *order)
			if err != nil {
				return err
			}
			if n > 0 { // of the last step: it is under way, or was overtaken by something
				complete = oldest.Add(-time.Second)
				return askFor(n, nil, *mark, *order)
			}
			if !settled.After(*mark) {
				return nil
			}
		}
		n, oldest, err := count(mark, settled, now)
		if err != nil {
			return err
		}
		if n > 0 {
			asked, complete = n, oldest.Add(-time.Second)
			if err := askFor(n, mark, settled, now); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `update streams set settled_to = $2, settled_order = $3 where id = $1`, stream, settled, now)
		return err
	})
	return complete, asked, err
}

// settleStill is Settle where nothing was read lately, which is nearly always: still says that it was
// so, and that the next mark is set. The lock comes before the look, whose snapshot then has what
// others had written by that time.
func (s *Store) settleStill(ctx context.Context, sourceID, object string, stream, epoch int64, from, settled time.Time) (still bool, err error) {
	err = s.exchange(ctx, "see to unsettled records", "begin", func(b *pgx.Batch) {
		b.Queue(`select from streams where id = $1 and epoch = $2 for update`, stream, epoch)
		b.Queue(`
			update streams s set settled_to = $5, settled_order = (select last_value from read_order)
			where s.id = $1 and s.epoch = $2 and (s.settled_to is null or s.settled_to < $5)
			  and not exists (select from records r
			    where r.source_id = $3 and r.object = $4 and r.state in ('live', 'set_aside') and r.stamp > $6 and r.stamp <= $5)`,
			stream, epoch, sourceID, object, settled, from).
			Exec(func(tag pgconn.CommandTag) error { still = tag.RowsAffected() > 0; return nil })
	})
	return still, err
}

// Verified is the result of a scan of a stream's tail.
type Verified struct {
	To    time.Time     // complete up to here; zero leaves it where it is
	After time.Duration // when the next scan is due
}

// SaveVerified stores the result of a scan. A stream at another epoch is left alone:
// the scan was of something else.
func (s *Store) SaveVerified(ctx context.Context, stream, epoch int64, v Verified) error {
	_, err := s.pool.Exec(ctx, `
		update streams set
			verified_to = case when $3::timestamptz is null then verified_to else greatest(coalesce(verified_to, $3), $3) end,
			verify_after = now() + $4::interval
		where id = $1 and epoch = $2`, stream, epoch, nullTime(v.To), v.After)
	return translate("store the verification", err)
}
