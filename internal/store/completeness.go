package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Comparison is what one comparison of an object with Salesforce found.
type Comparison struct {
	After time.Duration // when the next one is due

	// Rows with a stamp up to To: Salesforce's answer to COUNT(), and our count, if Counted.
	Counted    bool
	To         time.Time
	Salesforce int64
	Stored     int64
	Months     []Month

	SweepAt  Position // where the comparison by Id stands; zero = from the start again
	Swept    bool     // it has come to the end
	Repaired int64    // differences found
}

// Month is a line of the ledger of completeness: rows whose stamp is in the month, in
// UTC, and not behind the moment up to which the object is complete.
type Month struct {
	Month      time.Time // its first day
	Salesforce int64
	Stored     int64
	CheckedAt  time.Time // ours; set when read
}

// Differs reports whether the two counts disagree.
func (m Month) Differs() bool { return m.Salesforce != m.Stored }

// SaveComparison stores what a comparison found. A stream at another epoch is left
// alone: the comparison was of something else.
func (s *Store) SaveComparison(ctx context.Context, stream, epoch int64, c Comparison) error {
	return s.inTx(ctx, "store the comparison", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update streams set
				compare_after = now() + $3::interval,
				salesforce_rows = case when $11 then $4 else salesforce_rows end,
				stored_rows = case when $11 then $5 else stored_rows end,
				counted_to = case when $11 then $6 else counted_to end,
				counted_at = case when $11 then now() else counted_at end,
				sweep_stamp = $7, sweep_id = $8, swept_at = case when $9 then now() else swept_at end, repaired = repaired + $10
			where id = $1 and epoch = $2`,
			stream, epoch, c.After, c.Salesforce, c.Stored, c.To,
			nullTime(c.SweepAt.Stamp), nullID(c.SweepAt), c.Swept, c.Repaired, c.Counted)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		for _, m := range c.Months {
			// A month that neither has rows of any more is no line of the ledger.
			if m.Salesforce == 0 && m.Stored == 0 {
				if _, err := tx.Exec(ctx, `delete from completeness where stream_id = $1 and month = $2`, stream, m.Month); err != nil {
					return err
				}
				continue
			}
			if _, err := tx.Exec(ctx, `
				insert into completeness (stream_id, month, salesforce_rows, rows) values ($1, $2, $3, $4)
				on conflict (stream_id, month) do update set
					salesforce_rows = excluded.salesforce_rows, rows = excluded.rows, checked_at = now()`,
				stream, m.Month, m.Salesforce, m.Stored); err != nil {
				return err
			}
		}
		return nil
	})
}

func nullID(p Position) any {
	if p.IsZero() {
		return nil
	}
	return p.ID
}

// CountRecords says how many records the store has with a stamp from from to to, both
// included; a zero from is the beginning. Records that are deleted, outside the
// condition or out of sight do not count: Salesforce's COUNT() does not have them either.
func (s *Store) CountRecords(ctx context.Context, sourceID, object string, from, to time.Time) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `
		select count(*) from records
		where source_id = $1 and object = $2 and state in ('live', 'set_aside')
		  and ($3::timestamptz is null or stamp >= $3) and stamp <= $4
		  and (stamp > 'epoch' or $4 = 'epoch') -- records without a stamp are in no stretch of time`, sourceID, object, nullTime(from), to).Scan(&n)
	return n, translate("count the records", err)
}

// MiddleStamp is the stamp of the record in the middle of those with a stamp from
// from to to; zero when there is none.
func (s *Store) MiddleStamp(ctx context.Context, sourceID, object string, from, to time.Time) (time.Time, error) {
	var at *time.Time
	err := s.pool.QueryRow(ctx, `
		select percentile_disc(0.5) within group (order by stamp) from records
		where source_id = $1 and object = $2 and stamp >= $3 and stamp <= $4 and stamp > 'epoch'`, sourceID, object, from, to).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, translate("find the middle", err)
	}
	return *at, nil
}

// OldestStamp is the stamp of the object's oldest record; zero when there is none.
func (s *Store) OldestStamp(ctx context.Context, sourceID, object string) (time.Time, error) {
	var at *time.Time
	err := s.pool.QueryRow(ctx, `select min(stamp) from records where source_id = $1 and object = $2 and stamp > 'epoch'`, sourceID, object).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, translate("find the oldest record", err)
	}
	return *at, nil
}

// Completeness is the ledger of a live stream's object, oldest month first.
func (s *Store) Completeness(ctx context.Context, stream int64) ([]Month, error) {
	rows, err := s.pool.Query(ctx, `
		select month, salesforce_rows, rows, checked_at from completeness where stream_id = $1 order by month`, stream)
	if err != nil {
		return nil, translate("read the ledger of completeness", err)
	}
	months, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Month])
	return months, translate("read the ledger of completeness", err)
}

// CompletenessTotals is how complete all running, connected integrations are together.
type CompletenessTotals struct {
	Objects  int64         // that are complete up to some moment
	Age      time.Duration // of that moment, of the one that is furthest behind
	Missing  int64         // rows that Salesforce counted and the store had not, at the last counts
	Repaired int64         // differences found, ever
	Waiting  int64         // records that are to be read again
}

// CompletenessTotals reads how complete the integrations are.
func (s *Store) CompletenessTotals(ctx context.Context) (CompletenessTotals, error) {
	var t CompletenessTotals
	err := s.pool.QueryRow(ctx, `
		with running as (
			select st.salesforce_rows, st.stored_rows, st.repaired, `+verifiedTo+` as verified_to from streams st
			join integrations i on i.id = st.integration_id
			join connections c on c.integration_id = i.id
			where st.lane = 'live' and i.desired = 'running' and c.state = 'granted'
		)
		select count(verified_to), coalesce(greatest(now() - min(verified_to), '0'), '0'),
		       coalesce(sum(greatest(salesforce_rows - stored_rows, 0)), 0)::bigint, coalesce(sum(repaired), 0)::bigint,
		       (select count(*) from rechecks)
		from running`).Scan(&t.Objects, &t.Age, &t.Missing, &t.Repaired, &t.Waiting)
	return t, translate("read how complete the integrations are", err)
}
