package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// What pages look at every few seconds is read through indexes, however much there is beside it.
func TestWhatPagesLookAt(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	project := seed.Project("support")
	source := seed.Source(project, "emails")
	id := seed.Integration(project, source, "prod", "idle", "", "")
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

	runs, err := db.LatestRuns(t.Context(), id, 3)
	require.NoError(t, err)
	require.Empty(t, runs)
	latency, err := db.Latency(t.Context(), id)
	require.NoError(t, err)
	require.Zero(t, latency)

	// Live brings its cursor on with batches 2, 3 and 5; 4 repeats what was read, long after it was written.
	seed.Exec(`insert into streams (integration_id, object, lane, epoch, seq) values ($1, 'EmailMessage', 'live', 1, 6), ($1, 'EmailMessage', 'resync', 1, 1), ($1, 'EmailMessage', 'backfill', 1, 1)`, id)
	seed.Exec(`
		insert into batches (stream_id, epoch, seq, state, rows, created, units, checksum, read_begin, read_end, applied_at, to_stamp, to_id)
		select s.id, 1, b.seq, b.state, b.rows, b.rows, b.rows, '\x00', 1, 2, case when b.state = 'applied' then $1::timestamptz + b.at * interval '1 minute' end,
		       $1::timestamptz + (b.at - b.took) * interval '1 minute', 'x'
		  from streams s join (values
		       ('live', 1, 'applied', 1, 0, 600), ('live', 2, 'applied', 2, 10, 1), ('live', 3, 'applied', 3, 20, 5), ('live', 4, 'applied', 4, 30, 15),
		       ('live', 5, 'applied', 5, 40, 2), ('live', 6, 'sealed', 6, 50, 0), ('resync', 1, 'applied', 70, 35, 0), ('backfill', 1, 'applied', 99, 45, 0)
		  ) b (lane, seq, state, rows, at, took) on b.lane = s.lane`, at)
	runs, err = db.LatestRuns(t.Context(), id, 3)
	require.NoError(t, err)
	var seen []int64
	for _, r := range runs {
		seen = append(seen, r.Counts.Rows)
		require.Equal(t, r.Counts.Rows, r.Counts.Created)
	}
	require.Equal(t, []int64{5, 70, 4}, seen, "newest first, over the lanes, without pages of loads and what is not applied")
	require.Equal(t, "resync", runs[1].Lane)
	require.True(t, at.Add(35*time.Minute).Equal(runs[1].AppliedAt))
	latency, err = db.Latency(t.Context(), id)
	require.NoError(t, err)
	require.EqualValues(t, 3, latency.Batches)
	require.Equal(t, 2*time.Minute, latency.Median)
	require.Equal(t, 5*time.Minute, latency.Longest)
	require.True(t, at.Add(10*time.Minute).Equal(latency.Since))

	// Comments over time: both ends of a stretch, another source, and what is gone.
	other := seed.Source(project, "others")
	for i, m := range []struct {
		source string
		at     time.Duration
	}{{source, -time.Nanosecond * 1000}, {source, 0}, {source, 59 * time.Minute}, {source, time.Hour}, {source, 2*time.Hour + time.Minute}, {source, 3 * time.Hour}, {other, time.Minute}} {
		seed.Mail(m.source, string(rune('a'+i)), at.Add(m.at), "s", "b")
	}
	seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = 'c'`)
	counts, err := db.CommentsOver(t.Context(), source, at, time.Hour, 3)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 1, 1}, counts)

	// A glance has all of a status but what takes counting.
	seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 1, '{}', 'ok', '{}')`, id)
	seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id)
		select $1, 'EmailMessage', g::text, now(), 1, 2, '', '', case when g <= 3 then 'filtered' when g = 4 then 'invisible' else 'live' end, 'x' from generate_series(1, 9) g`, source)
	whole, err := db.IntegrationStatus(t.Context(), "support", "prod")
	require.NoError(t, err)
	glance, err := db.IntegrationGlance(t.Context(), "support", "prod")
	require.NoError(t, err)
	require.EqualValues(t, 5, whole.ObjectList[0].Comments)
	require.EqualValues(t, 3, whole.ObjectList[0].Filtered)
	require.EqualValues(t, 1, whole.ObjectList[0].Invisible)
	whole.ObjectList[0].Comments = 0
	require.Equal(t, whole, glance)
}

// Deeds are of one integration, newest first, and do not tell that somebody asked for news.
func TestDeeds(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	project := seed.Project("support")
	id := seed.Integration(project, seed.Source(project, "emails"), "prod", "idle", "", "")
	beside := seed.Integration(project, seed.Source(project, "more"), "prod2", "idle", "", "")
	ann := store.WithActor(t.Context(), store.Actor{Kind: store.ActorUser, Name: "ann@example.com"})
	require.NoError(t, db.SetDesired(ann, id, store.DesiredPaused))
	require.NoError(t, db.RequestSync(ann, id))
	require.NoError(t, db.Steer(ann, "support", "prod", "sync-now"))
	require.NoError(t, db.SetDesired(ann, beside, store.DesiredPaused))
	require.NoError(t, db.SetDesired(ann, id, store.DesiredRunning))
	deeds, err := db.Deeds(t.Context(), id, 10)
	require.NoError(t, err)
	require.Len(t, deeds, 2)
	require.Equal(t, store.DesiredRunning, deeds[0].Details.Desired)
	require.Equal(t, store.DesiredPaused, deeds[1].Details.Desired)
	require.Equal(t, "ann@example.com", deeds[0].Name)
	deeds, err = db.Deeds(t.Context(), id, 1)
	require.NoError(t, err)
	require.Len(t, deeds, 1)
}
