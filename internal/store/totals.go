package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// Totals are what metrics tell of all integrations together. They hold no name and no id.
type Totals struct {
	CountedAt time.Time     `json:"-"` // by the database
	Age       time.Duration `json:"-"` // since then, when they were read

	States       map[string]StateTotals // integrations that are not deleted, by state
	Overdue      time.Duration          // how long ago the look of a running integration was due that is waited for longest
	Waiting      map[string]int64       // objects that wait after a fault, by its kind
	Completeness CompletenessTotals
	Loads        LoadTotals
	Deliveries   DeliveryTotals
	Alerts       map[string]int64 // open schema alerts, by kind
	WordsBehind  time.Duration
	Batches      map[string]int64 // that are not applied yet, by state
	BatchOldest  time.Duration    // how long ago the oldest of these was begun that has been read, and whose integration runs
	StagedRows   int64            // of these batches
	StagedBytes  int64            // of their records as Salesforce sent them
	SetAside     int64            // records that cannot become comments
	MonthUnits   map[string]int64 // AI units of this month (UTC), by reason
	CapShare     float64          // the largest part of its cap that an integration has used; 0 = no caps
}

// StateTotals are the integrations in one state.
type StateTotals struct {
	Integrations int64
	LookAge      time.Duration // since Salesforce was last asked for news, of the one that was asked longest ago
}

// SignalTotals are the signals that wait in the outbox.
type SignalTotals struct {
	Waiting int64
	Oldest  time.Duration // how long ago the oldest of them was written
}

// totalsShape goes up by one when Totals changes in a way that an older or newer program would read wrongly.
const totalsShape = 1

// countingLock lets one process count at a time.
const countingLock = 7_305_846_118

// Totals gives numbers no older than fresh, if they can be had. They are counted by one process
// for all: whoever finds them too old counts, the others take what there is meanwhile.
func (s *Store) Totals(ctx context.Context, fresh time.Duration) (Totals, error) {
	const op = "read the totals"
	kept, err := s.keptTotals(ctx)
	if err != nil || !kept.CountedAt.IsZero() && kept.Age <= fresh {
		return kept, translate(op, err)
	}
	err = s.inTx(ctx, op, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock($1)`, countingLock).Scan(&mine); err != nil {
			return err
		}
		if !mine {
			if !kept.CountedAt.IsZero() {
				return nil
			}
			// Nobody has counted yet: wait for the one who does.
			if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, countingLock); err != nil {
				return err
			}
		}
		again, err := s.keptTotals(ctx)
		if err != nil || !again.CountedAt.IsZero() && again.Age <= fresh { // somebody just has
			kept = again
			return err
		}
		if kept, err = s.countTotals(ctx); err != nil {
			return err
		}
		numbers, err := json.Marshal(kept)
		if err != nil {
			return fault.Wrap(fault.Internal, err, op)
		}
		return tx.QueryRow(ctx, `
			insert into totals (shape, counted_at, numbers) values ($1, clock_timestamp(), $2)
			on conflict (shape) do update set counted_at = excluded.counted_at, numbers = excluded.numbers
			returning counted_at`, totalsShape, numbers).Scan(&kept.CountedAt)
	})
	return kept, err
}

// keptTotals are those that were counted last; CountedAt is zero when there are none.
func (s *Store) keptTotals(ctx context.Context) (t Totals, err error) {
	var numbers []byte
	var at time.Time
	var age time.Duration
	err = s.pool.QueryRow(ctx, `select counted_at, clock_timestamp() - counted_at, numbers from totals where shape = $1`, totalsShape).Scan(&at, &age, &numbers)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(numbers, &t); err != nil {
		return Totals{}, fault.Wrap(fault.Internal, err, "read the totals")
	}
	t.CountedAt, t.Age = at, age
	return t, nil
}

// countTotals asks for each group of numbers once, of all integrations together.
func (s *Store) countTotals(ctx context.Context) (t Totals, err error) {
	if t.Completeness, err = s.CompletenessTotals(ctx); err != nil {
		return t, err
	}
	if t.Loads, err = s.LoadTotals(ctx); err != nil {
		return t, err
	}
	if t.Deliveries, err = s.DeliveryTotals(ctx); err != nil {
		return t, err
	}
	if t.Alerts, err = s.CountAlerts(ctx); err != nil {
		return t, err
	}
	if t.WordsBehind, err = s.WordsLag(ctx, ""); err != nil {
		return t, err
	}
	caps, err := s.UnitCaps(ctx)
	if err != nil {
		return t, err
	}
	for _, c := range caps {
		t.CapShare = max(t.CapShare, float64(c.Used)/float64(c.Limit))
	}
	return t, s.countRest(ctx, &t)
}

// countRest counts what nothing else asks for.
func (s *Store) countRest(ctx context.Context, t *Totals) error {
	const op = "count integrations and batches"
	t.States, t.Waiting, t.Batches, t.MonthUnits = map[string]StateTotals{}, map[string]int64{}, map[string]int64{}, map[string]int64{}
	var batch pgx.Batch
	batch.Queue(`
		select i.status, count(*), coalesce(greatest(now() - min(i.watched_at), '0'), '0'),
		       -- It looks again when its interval is over, or the longer one that the quota leaves.
		       coalesce(greatest(max(now() - i.watched_at - q.paced) filter (where i.desired = 'running' and i.status in ('idle', 'syncing')), '0'), '0')
		  from integrations i left join quota_paces q on q.integration_id = i.id
		 where i.desired <> 'deleted' group by i.status`).
		Query(func(rows pgx.Rows) error {
			var state string
			var totals StateTotals
			var overdue time.Duration
			_, err := pgx.ForEachRow(rows, []any{&state, &totals.Integrations, &totals.LookAge, &overdue}, func() error {
				t.States[state], t.Overdue = totals, max(t.Overdue, overdue)
				return nil
			})
			return err
		})
	counts := func(into map[string]int64) func(pgx.Rows) error {
		return func(rows pgx.Rows) error {
			var of string
			var n int64
			_, err := pgx.ForEachRow(rows, []any{&of, &n}, func() error { into[of] = n; return nil })
			return err
		}
	}
	batch.Queue(`
		select o.fault_kind, count(*) from objects o join integrations i on i.id = o.integration_id
		 where o.fault_kind <> '' and i.desired = 'running' group by o.fault_kind`).Query(counts(t.Waiting))
	// What a foreign epoch has left behind goes by itself and is nobody's work.
	batch.Queue(`
		select b.state, count(*), coalesce(sum(b.rows), 0)::bigint, coalesce(sum(b.bytes), 0)::bigint,
		       coalesce(greatest(now() - min(b.begun_at) filter (where b.state <> 'reading' and i.desired = 'running'), '0'), '0')
		  from batches b join streams st on st.id = b.stream_id and st.epoch = b.epoch and st.seq < b.seq join integrations i on i.id = st.integration_id
		 where b.state <> 'applied' group by b.state`).
		Query(func(rows pgx.Rows) error {
			var state string
			var n, staged, bytes int64
			var oldest time.Duration
			_, err := pgx.ForEachRow(rows, []any{&state, &n, &staged, &bytes, &oldest}, func() error {
				t.Batches[state] = n
				t.StagedRows, t.StagedBytes, t.BatchOldest = t.StagedRows+staged, t.StagedBytes+bytes, max(t.BatchOldest, oldest)
				return nil
			})
			return err
		})
	batch.Queue(`select count(*) from set_aside`).QueryRow(func(row pgx.Row) error { return row.Scan(&t.SetAside) })
	batch.Queue(`
		select reason, sum(units)::bigint from ledger_days
		 where day >= date_trunc('month', now() at time zone 'UTC')::date group by reason`).Query(counts(t.MonthUnits))
	return translate(op, s.pool.SendBatch(ctx, &batch).Close())
}

// SignalTotals counts the signals that wait in the outbox.
func (s *Store) SignalTotals(ctx context.Context) (SignalTotals, error) {
	var t SignalTotals
	err := s.pool.QueryRow(ctx, `
		select count(*), coalesce(greatest(now() - min(created_at), '0'), '0') from outbox where delivered_at is null`).Scan(&t.Waiting, &t.Oldest)
	return t, translate("count the signals that wait", err)
}
