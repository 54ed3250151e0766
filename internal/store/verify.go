package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
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
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		out, err := tx.Query(ctx, `
			select t.id, t.stamp
			from unnest($3::text[], $4::timestamptz[], $5::boolean[]) as t (id, stamp, deleted)
			left join records r on r.source_id = $1 and r.object = $2 and r.record_id = t.id
			where r.record_id is null or r.stamp < t.stamp
			   or r.stamp = t.stamp and r.state in ('filtered', 'invisible')
			   or r.stamp = t.stamp and t.deleted <> (r.state in ('deleted', 'erased'))`, sourceID, object, ids, stamps, deleted)
		if err != nil {
			return err
		}
		if d.Unseen, err = pgx.CollectRows(out, func(row pgx.CollectableRow) (Position, error) {
			var p Position
			err := row.Scan(&p.ID, &p.Stamp)
			return p, err
		}); err != nil {
			return err
		}
		out, err = tx.Query(ctx, `
			select r.record_id from records r
			where r.source_id = $1 and r.object = $2 and r.state in ('live', 'set_aside')
			  and r.stamp > 'epoch' -- records without a stamp are in no order
			  and (r.stamp, r.record_id) > ($3, $4)
			  and ($5::timestamptz is null or (r.stamp, r.record_id) <= ($5, $6))
			  and r.record_id not in (select unnest($7::text[])) -- always by a hash; an anti join may compare each with each
			order by r.stamp, r.record_id`, sourceID, object, from.Stamp, from.ID, nullTime(upTo.Stamp), upTo.ID, ids)
		if err != nil {
			return err
		}
		d.Gone, err = pgx.CollectRows(out, pgx.RowTo[string])
		return err
	})
	return d, translate("compare with Salesforce", err)
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
