package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/flow"
)

// Run is a batch that was applied.
type Run struct {
	Object    string
	Lane      string // live, resync or retransform
	BegunAt   time.Time
	AppliedAt time.Time
	Bytes     int64 // as they came, of what was read
	Counts    flow.Counts
}

// LatestRuns reads the latest batches of an integration's objects but those of backfills, which
// have pages, newest first. It looks at no more than limit of each lane, however many there were.
func (s *Store) LatestRuns(ctx context.Context, integrationID string, limit int) ([]Run, error) {
	const op = "read the latest batches"
	rows, err := s.pool.Query(ctx, `
		select st.object, st.lane, b.begun_at, b.applied_at, b.bytes, b.rows, b.created, b.text_changed, b.metadata_changed, b.unchanged, b.stale,
		       b.set_aside, b.deleted, b.filtered, b.invisible, b.units
		  from streams st
		 cross join lateral (
		       select * from batches b where b.stream_id = st.id and b.state = 'applied' order by b.epoch desc, b.seq desc limit $2) b
		 where st.integration_id = $1 and st.lane <> 'backfill'
		 order by b.applied_at desc, st.object, st.lane limit $2`, integrationID, limit)
	if err != nil {
		return nil, translate(op, err)
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Run, error) {
		var r Run
		c := &r.Counts
		err := row.Scan(&r.Object, &r.Lane, &r.BegunAt, &r.AppliedAt, &r.Bytes, &c.Rows, &c.Created, &c.TextChanged, &c.MetadataChanged, &c.Unchanged, &c.Stale,
			&c.SetAside, &c.Deleted, &c.Filtered, &c.Invisible, &c.Units)
		return r, err
	})
	return runs, translate(op, err)
}

// Latency is how long it took lately from a change in Salesforce until it could be read here.
type Latency struct {
	Batches int64 // that it was taken from; 0 = there was no news
	Median  time.Duration
	Longest time.Duration
	Since   time.Time // of the oldest of these batches
}

// latencyBatches is how many batches of each object latency is taken from.
const latencyBatches = 50

// Latency reads how long changes took, going by the newest record of each of the latest live batches that
// brought the cursor on: from its stamp, which has whole seconds and is Salesforce's, to the commit of its
// comment.
func (s *Store) Latency(ctx context.Context, integrationID string) (l Latency, err error) {
	var since *time.Time
	err = s.pool.QueryRow(ctx, `
		select count(*), coalesce(percentile_disc(0.5) within group (order by t.took), '0'), coalesce(max(t.took), '0'), min(t.applied_at)
		  from streams st
		 cross join lateral (
		       select greatest(b.applied_at - b.to_stamp, '0') as took, b.applied_at
		         from (select b.applied_at, b.to_stamp, lag(b.to_stamp) over (order by b.epoch, b.seq) as before
		                 from (select * from batches b where b.stream_id = st.id and b.state = 'applied'
		                        order by b.epoch desc, b.seq desc limit $2 + 1) b) b
		        where b.to_stamp > b.before) t
		 where st.integration_id = $1 and st.lane = 'live'`, integrationID, latencyBatches).Scan(&l.Batches, &l.Median, &l.Longest, &since)
	if since != nil {
		l.Since = *since
	}
	return l, translate("read how long changes took", err)
}

// CommentsOver counts a source's comments by their timestamps in so many stretches of the same length,
// the first of which begins at from. It reads an index and no row, and takes as long as there
// are comments in all of it.
func (s *Store) CommentsOver(ctx context.Context, sourceID string, from time.Time, stretch time.Duration, stretches int) ([]int64, error) {
	const op = "count comments over time"
	// What is erased is deleted too: the predicate of comments_by_time says all.
	rows, err := s.pool.Query(ctx, `
		select n.comments
		  from generate_series(0, $4::int - 1) as at (place)
		 cross join lateral (
		       select count(*) as comments from comments c
		        where c.source_id = $1 and c.deleted_at is null
		          and c.ts >= $2::timestamptz + at.place * $3::interval and c.ts < $2::timestamptz + (at.place + 1) * $3::interval) n
		 order by at.place`, sourceID, from, stretch, stretches)
	if err != nil {
		return nil, translate(op, err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return counts, translate(op, err)
}

// Deed is something that was done to an integration, as the audit log has it.
type Deed struct {
	Type    string // an Event…
	At      time.Time
	Actor   string // an Actor…
	Name    string // of the actor: an email, an OS user, a name in Salesforce
	Details DeedDetails
}

// DeedDetails are what is to know of a deed, as far as it applies.
type DeedDetails struct {
	Created bool     `json:"created"`
	Version int64    `json:"version"` // of the configuration
	Changed []string `json:"changed"` // keys of it
	Desired string   `json:"desired"`
	Signal  string   `json:"signal"`
	Object  string   `json:"object"`
	Objects []string `json:"objects"`
	Erased  bool     `json:"erased"`
}

// Deeds lists what was done to an integration, or to one of its name before it, newest first: who
// configured it, connected, paused and loaded it. That somebody asked for news is left out.
func (s *Store) Deeds(ctx context.Context, integrationID string, limit int) ([]Deed, error) {
	const op = "read what was done to the integration"
	rows, err := s.pool.Query(ctx, `
		select e.type, e.at, e.actor, e.actor_name, e.details
		  from integrations i
		  join projects p on p.id = i.project_id
		  -- The words of audit_events_of_integration.
		  join audit_events e on e.details ->> 'integration' = p.name || '/' || i.name
		   and e.details ? 'integration' and e.type <> 'integration.sync_requested' and coalesce(e.details ->> 'signal', '') <> 'sync-now'
		 where i.id = $1 and i.project_id = any(e.project_ids)
		 order by e.at desc, e.id desc limit $2`, integrationID, limit)
	if err != nil {
		return nil, translate(op, err)
	}
	deeds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Deed])
	return deeds, translate(op, err)
}
