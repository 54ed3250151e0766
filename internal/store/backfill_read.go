package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// States of a backfill.
const (
	BackfillOpen      = "open"
	BackfillDone      = "done"
	BackfillCancelled = "cancelled"
)

// What an operator wants of a backfill.
const (
	BackfillRunning = "running"
	BackfillPaused  = "paused"
	// BackfillCancelled is what is wanted, too, until its jobs are gone.
)

// Backfill is one large load of an object's rows as a person wants to see it.
type Backfill struct {
	ID          int64
	Object      string
	First       bool // the first load: until it is done, the object is not complete
	Reason      string
	From, Until time.Time // rows with a stamp in between; zero = unbounded
	Desired     string    // running, paused, cancelled
	State       string    // open, done, cancelled

	Expected int64 // rows by Salesforce's own count when it was laid out; 0 = not known yet
	Rows     int64 // of these, loaded
	Created  int64 // of these, new comments
	Changed  int64 // new texts
	Units    int64
	Planned  bool  // every part is known
	Parts    int64 // known so far
	Done     int64 // of these, loaded
	Jobs     int64 // waiting for Salesforce to make a result
	OverREST int64 // parts that Bulk refuses
	WhyREST  string
	// Rate is rows per second over the last minute, or since it began if that is less; 0 = nothing came.
	Rate float64

	FaultKind, FaultMessage, FaultHint string // what it waits for
	RetryAt                            *time.Time

	RequestedAt time.Time
	StartedAt   *time.Time
	FinishedAt  *time.Time
	ReadAt      time.Time // the database's time when all this was so
}

// Left is how long the rest takes at the present rate; false when nobody can tell.
func (b *Backfill) Left() (time.Duration, bool) {
	rest := b.Expected - b.Rows
	if b.State != BackfillOpen || b.Rate <= 0 || b.Expected == 0 || rest < 0 {
		return 0, false
	}
	return time.Duration(float64(rest) / b.Rate * float64(time.Second)), true
}

// Backfills reads the last backfill of each of an integration's objects, open or ended.
func (s *Store) Backfills(ctx context.Context, integrationID string) ([]Backfill, error) {
	return s.readBackfills(ctx, selectBackfills+`
		  and f.id = (select max(id) from backfills x where x.integration_id = f.integration_id and x.object = f.object)
		order by f.object`, integrationID)
}

// LatestBackfills reads an integration's latest backfills, of whatever objects, newest first.
func (s *Store) LatestBackfills(ctx context.Context, integrationID string, limit int) ([]Backfill, error) {
	return s.readBackfills(ctx, selectBackfills+`
		  and f.id in (select id from backfills x where x.integration_id = $1 order by id desc limit $2)
		order by f.id desc`, integrationID, limit)
}

const selectBackfills = `
		select f.id, f.object, f.first, f.reason, coalesce(f.from_stamp, '0001-01-01Z'), coalesce(f.until_stamp, '0001-01-01Z'),
		       f.desired, f.state, coalesce(f.rows_expected, 0), coalesce(b.rows, 0), coalesce(b.created, 0), coalesce(b.changed, 0), coalesce(b.units, 0),
		       f.planned and p.splitting = 0, p.parts, p.done, p.jobs, p.rest, p.why_rest,
		       coalesce(b.lately / greatest(extract(epoch from least(interval '1 minute', now() - f.started_at)), 1), 0)::float8,
		       f.fault_kind, f.fault_message, f.fault_hint, f.retry_at, f.requested_at, f.started_at, f.finished_at, now()
		from backfills f
		cross join lateral (
			select count(*) filter (where p.state <> 'splitting') as parts, count(*) filter (where p.state = 'splitting') as splitting,
			       count(*) filter (where st.finished_at is not null) as done,
			       count(*) filter (where p.state in ('asked', 'running')) as jobs,
			       count(*) filter (where p.api = 'rest') as rest, coalesce(max(p.why_rest), '') as why_rest
			from backfill_parts p left join streams st on st.id = p.stream_id
			where p.backfill_id = f.id) p
		left join lateral (
			select sum(b.rows)::bigint as rows, sum(b.created)::bigint as created, sum(b.text_changed)::bigint as changed, sum(b.units)::bigint as units,
			       sum(b.rows) filter (where b.applied_at > now() - interval '1 minute') as lately
			from backfill_parts p join batches b on b.stream_id = p.stream_id and b.state = 'applied'
			where p.backfill_id = f.id) b on true
		where f.integration_id = $1`

func (s *Store) readBackfills(ctx context.Context, query string, args ...any) ([]Backfill, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, translate("read the backfills", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backfill])
	return list, translate("read the backfills", err)
}
