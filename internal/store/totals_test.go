package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestTotalsAreOfAllIntegrations(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	got, err := l.db.Totals(t.Context(), time.Minute)
	require.NoError(t, err)
	require.Equal(t, map[string]store.StateTotals{"awaiting_authorization": {Integrations: 1}}, got.States)

	// Another integration that looks every minute has not looked for an hour; its batch was read, and so was one of an older epoch.
	other := laneOf(t, l.db, l.seed, "another", config.DeletedTombstone)
	l.seed.Exec(`update integrations set status = 'idle', watched_at = now() - interval '1 hour', spec = spec || '{"monthly_unit_cap": 40}' where id = $1`, other.id)
	l.seed.Exec(`insert into quota_paces (integration_id, wanted, paced, calls, spent, paced_at) values ($1, '10 s', '1 min', 1, 1, now())`, other.id)
	for epoch, state := range map[int64]string{other.ref.Epoch: "sealed", other.ref.Epoch - 1: "transformed"} {
		l.seed.Exec(`insert into batches (stream_id, epoch, seq, state, rows, bytes, checksum, read_begin, read_end, begun_at)
			values ($1, $2, 1, $3, 7, 900, '', 1, 2, now() - interval '5 minutes')`, other.ref.Stream, epoch, state)
	}
	l.seed.Exec(`update objects set fault_kind = 'Permission' where integration_id = $1`, other.id)
	l.seed.Exec(`insert into outbox (workflow_id, signal, created_at) values ('w', 's', now() - interval '90 seconds')`)
	l.seed.Exec(`insert into set_aside (source_id, object, record_id, reason) values ($1, 'EmailMessage', 'x', 'why')`, other.source)
	l.seed.Exec(`insert into ledger_sources (source_id, project_id, project, name) select id, project_id, 'support', name from sources where id = $1`, other.source)
	l.seed.Exec(`insert into ledger_days (source_id, day, integration, object, lane, reason, units) values
		($1, (now() at time zone 'UTC')::date, 'another', 'EmailMessage', 'live', 'created', 30), ($1, date_trunc('month', now() at time zone 'UTC')::date - 1, 'another', 'EmailMessage', 'live', 'created', 500)`, other.source)

	kept, err := l.db.Totals(t.Context(), time.Minute)
	require.NoError(t, err)
	require.Equal(t, got.CountedAt, kept.CountedAt, "what is fresh is not counted again")
	require.Equal(t, got.States, kept.States)
	got, err = l.db.Totals(t.Context(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, got.States["idle"].Integrations)
	require.InDelta(t, time.Hour.Seconds(), got.States["idle"].LookAge.Seconds(), 60)
	require.InDelta(t, (59 * time.Minute).Seconds(), got.Overdue.Seconds(), 60)
	require.Equal(t, map[string]int64{"Permission": 1}, got.Waiting)
	require.Equal(t, map[string]int64{"sealed": 1}, got.Batches, "what an older epoch left is nobody's work")
	require.InDelta(t, 300, got.BatchOldest.Seconds(), 60)
	require.Equal(t, []int64{7, 900, 1}, []int64{got.StagedRows, got.StagedBytes, got.SetAside})
	require.Equal(t, map[string]int64{"created": 30}, got.MonthUnits)
	require.InDelta(t, 0.75, got.CapShare, 1e-9)
	signals, err := l.db.SignalTotals(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, signals.Waiting)
	require.InDelta(t, 90, signals.Oldest.Seconds(), 60)
}

// Scrapes are cheap when there is much: 10,000 integrations of five objects, and eight workers that are scraped at
// once. One counts; the others read what it counted.
func TestOneCountsForAll(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	project := seed.Project("support")
	seed.Exec(`insert into sources (id, project_id, name, title) select lpad(to_hex(n), 16, '0'), $1, 'source-' || n, '' from generate_series(1, 10000) n`, project)
	seed.Exec(`insert into integrations (id, project_id, source_id, name, spec, status, watched_at)
		select lpad(to_hex(n), 16, '0'), $1, lpad(to_hex(n), 16, '0'), 'integration-' || n, '{}', 'idle', now() from generate_series(1, 10000) n`, project)
	seed.Exec(`insert into quota_paces (integration_id, wanted, paced, calls, spent, paced_at) select id, '10 s', '10 s', 1, 1, now() from integrations`)
	seed.Exec(`insert into connections (integration_id, instance_url, login_url, consumer_key, state, access_token, org_id, user_id)
		select id, '', '', '', 'granted', 'x', 'o', 'u' from integrations`)
	seed.Exec(`insert into objects (integration_id, name, position, spec) select i.id, 'Object' || n, n, '{}' from integrations i, generate_series(1, 5) n`)
	seed.Exec(`insert into streams (integration_id, object, lane, epoch, seq, verified_to) select integration_id, name, 'live', 1, 3, now() from objects`)
	seed.Exec(`insert into batches (stream_id, epoch, seq, state, read_begin, read_end, checksum) select s.id, 1, n, 'applied', 1, 2, '' from streams s, generate_series(1, 3) n`)
	seed.Exec(`analyze`)

	began := time.Now()
	first, err := db.Totals(t.Context(), time.Hour)
	require.NoError(t, err)
	counted := time.Since(began)
	require.EqualValues(t, 10000, first.States["idle"].Integrations)
	require.EqualValues(t, 50000, first.Completeness.Objects)

	began = time.Now()
	var all sync.WaitGroup
	answers := make([]store.Totals, 8)
	for i := range answers {
		all.Go(func() { answers[i], _ = db.Totals(t.Context(), time.Hour) })
	}
	all.Wait()
	read := time.Since(began)
	for _, a := range answers {
		require.Equal(t, first.CountedAt, a.CountedAt)
	}
	t.Logf("counting took %s, reading it eight times at once %s", counted, read)
	require.Less(t, counted, 5*time.Second)
	require.Less(t, read, time.Second)

	// When it is old, the first to ask counts, and whoever asks meanwhile does not wait.
	for i := range answers {
		all.Go(func() { answers[i], _ = db.Totals(t.Context(), 0) })
	}
	all.Wait()
	for _, a := range answers {
		require.EqualValues(t, 10000, a.States["idle"].Integrations)
	}
}
