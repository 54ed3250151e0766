package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Unseen returns which of the positions (a record's Id and its stamp in Salesforce)
// the store does not have yet: unknown records, and records of which it has an older
// version. Whatever became of a record, a comment or not, counts as having it.
func (s *Store) Unseen(ctx context.Context, sourceID, object string, positions []Position) ([]Position, error) {
	ids, stamps := make([]string, len(positions)), make([]time.Time, len(positions))
	for i, p := range positions {
		ids[i], stamps[i] = p.ID, p.Stamp
	}
	rows, err := s.pool.Query(ctx, `
		select t.id, t.stamp
		from unnest($3::text[], $4::timestamptz[]) as t (id, stamp)
		left join records r on r.source_id = $1 and r.object = $2 and r.record_id = t.id
		where r.record_id is null or r.stamp < t.stamp`, sourceID, object, ids, stamps)
	if err != nil {
		return nil, translate("compare with Salesforce", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Position, error) {
		var p Position
		err := row.Scan(&p.ID, &p.Stamp)
		return p, err
	})
	return out, translate("compare with Salesforce", err)
}

// Verified is the result of a scan of a stream's tail.
type Verified struct {
	To    time.Time     // complete up to here; zero leaves it where it is
	After time.Duration // when the next scan is due
	Rows  *int64        // what Salesforce answered to COUNT(); nil when it was not asked
}

// SaveVerified stores the result of a scan. A stream at another epoch is left alone:
// the scan was of something else.
func (s *Store) SaveVerified(ctx context.Context, stream, epoch int64, v Verified) error {
	_, err := s.pool.Exec(ctx, `
		update streams set
			verified_to = case when $3::timestamptz is null then verified_to else greatest(coalesce(verified_to, $3), $3) end,
			verify_after = now() + $4::interval,
			salesforce_rows = coalesce($5, salesforce_rows),
			counted_at = case when $5::bigint is null then counted_at else now() end
		where id = $1 and epoch = $2`, stream, epoch, nullTime(v.To), v.After, v.Rows)
	return translate("store the verification", err)
}
