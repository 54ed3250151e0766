package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// While the first load of an object is under way nothing says that it is complete, however
// far its live lane has come.
func TestAnObjectIsNotCompleteDuringItsFirstLoad(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.seed.Exec(`update connections set state = 'granted', access_token = 'x', org_id = 'o', user_id = 'u'`)
	l.seed.Exec(`update streams set verified_to = now() - interval '20 seconds'`)
	complete := func() bool {
		t.Helper()
		status, err := l.db.IntegrationStatus(t.Context(), "support", "salesforce-prod")
		require.NoError(t, err)
		list, err := l.db.ListIntegrations(t.Context(), "support")
		require.NoError(t, err)
		overviews, err := l.db.Overviews(t.Context(), []string{"support"})
		require.NoError(t, err)
		totals, err := l.db.CompletenessTotals(t.Context())
		require.NoError(t, err)
		whole := status.ObjectList[0].VerifiedTo != nil
		require.Equal(t, []bool{whole, whole, whole, whole}, []bool{status.CompleteTo != nil, list[0].CompleteTo != nil, overviews[0].VerifiedTo != nil, totals.Objects == 1})
		return whole
	}
	require.True(t, complete())
	load := l.seed.Backfill(l.id, l.ref.Object, true, 1000)
	require.False(t, complete())
	overviews, err := l.db.Overviews(t.Context(), []string{"support"})
	require.NoError(t, err)
	require.True(t, overviews[0].Loading)
	require.NoError(t, l.db.EndBackfill(t.Context(), load, store.BackfillDone))
	require.True(t, complete())

	// What is read again is here already.
	again := l.seed.Backfill(l.id, l.ref.Object, false, 1000)
	require.True(t, complete())
	require.NoError(t, l.db.EndBackfill(t.Context(), again, store.BackfillDone))

	// A first load that ended with its object's change is forgotten, one that was cancelled is
	// not, until everything was read or compared after it.
	l.seed.Exec(`update backfills set state = 'cancelled' where id = $1`, load)
	l.seed.Exec(`delete from backfills where id = $1`, again)
	require.True(t, complete())
	l.seed.Exec(`update backfills set desired = 'cancelled' where id = $1`, load)
	require.False(t, complete())
	l.seed.Exec(`update streams set swept_at = now() - interval '1 hour' where lane = 'live'`)
	require.False(t, complete())
	part := l.seed.Backfill(l.id, l.ref.Object, false, 1000)
	l.seed.Exec(`update backfills set from_stamp = now() where id = $1`, part)
	require.NoError(t, l.db.EndBackfill(t.Context(), part, store.BackfillDone))
	require.False(t, complete(), "only a stretch was read")
	l.seed.Exec(`update backfills set from_stamp = null where id = $1`, part)
	require.True(t, complete())
	l.seed.Exec(`delete from backfills where id = $1`, part)
	require.False(t, complete())
	l.seed.Exec(`update streams set swept_at = now() where lane = 'live'`)
	require.True(t, complete())
	_, err = l.db.AddRepairs(t.Context(), l.id, l.ref.Object, []string{idA})
	require.NoError(t, err)
	require.False(t, complete(), "what the comparison found is not read yet")
	l.seed.Exec(`delete from rechecks`)
	require.True(t, complete())
}

func TestWhatABackfillWaitsFor(t *testing.T) {
	t.Parallel()
	at := noon
	b := func(desired, kind string) store.Backfill {
		return store.Backfill{Object: "Case", State: store.BackfillOpen, Desired: desired, FaultKind: kind, RetryAt: &at}
	}
	for _, c := range []struct {
		b         store.Backfill
		desired   string
		connected bool
		kind      fault.Kind
		words     string
	}{
		{b(store.BackfillRunning, ""), store.DesiredRunning, true, "", ""},
		{b(store.BackfillRunning, "Quota"), store.DesiredRunning, true, fault.Quota, ""},
		{b(store.BackfillPaused, "Quota"), store.DesiredRunning, true, fault.Stopped, "run `starter backfill support/prod --object Case --resume`"},
		{b(store.BackfillPaused, ""), store.DesiredRunning, false, fault.Reauthorize, "run `starter connect support/prod`"},
		{b(store.BackfillRunning, ""), store.DesiredPaused, false, fault.Stopped, "run `starter resume support/prod`"},
		{b(store.BackfillRunning, ""), store.DesiredDisconnected, false, fault.Stopped, ""},
		{b(store.BackfillCancelled, "Quota"), store.DesiredRunning, true, fault.Stopped, ""},
		{store.Backfill{State: store.BackfillDone, Desired: store.BackfillPaused, FaultKind: "Quota"}, store.DesiredPaused, false, "", ""},
	} {
		w := c.b.WaitsFor("support/prod", c.desired, c.connected)
		if c.kind == "" {
			require.Nil(t, w, "%+v", c)
			continue
		}
		require.NotNil(t, w, "%+v", c)
		require.Equal(t, c.kind, w.Kind)
		require.Equal(t, c.words, w.Hint)
		require.Equal(t, c.kind == fault.Quota, w.RetryAt != nil)
	}
}

func TestHowFarABackfillIs(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	size, err := l.db.LoadSize(t.Context(), l.id, l.ref.Object)
	require.NoError(t, err)
	require.Zero(t, size)
	totals, err := l.db.LoadTotals(t.Context())
	require.NoError(t, err)
	require.Zero(t, totals)

	load := l.seed.Backfill(l.id, l.ref.Object, true, 3000)
	l.seed.Part(load, 1000, store.PartReady, true)
	l.seed.Part(load, 500, store.PartRunning, false)
	l.seed.Exec(`insert into bulk_jobs (integration_id, object, job_id, asked_at) values ($1, 'x', '750', now()), ($1, 'x', null, now())`, l.id)
	read := func() store.Backfill {
		t.Helper()
		list, err := l.db.Backfills(t.Context(), l.id)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	b := read()
	require.Equal(t, []int64{3000, 1500, 1500, 2, 1, 1}, []int64{b.Expected, b.Rows, b.Units, b.Parts, b.Done, b.Jobs})
	require.InDelta(t, 25, b.Speed(), 0.1, "of the last minute")
	left, known := b.Left()
	require.True(t, known)
	require.InDelta(t, 60, left.Seconds(), 1)
	share, known := b.Share()
	require.True(t, known)
	require.InDelta(t, 0.5, share, 0)
	require.InDelta(t, 100, b.Took().Seconds(), 30)

	totals, err = l.db.LoadTotals(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.LoadTotals{Open: 1, Rows: 1500, Expected: 3000, Jobs: 1}, totals)
	require.NoError(t, l.db.SteerBackfill(t.Context(), "support", "salesforce-prod", l.ref.Object, "pause"))
	totals, err = l.db.LoadTotals(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, totals.Waiting)

	l.seed.Exec(`update streams set salesforce_rows = 3000 where lane = 'live'`)
	size, err = l.db.LoadSize(t.Context(), l.id, l.ref.Object)
	require.NoError(t, err)
	require.Equal(t, store.LoadSize{Rows: 3000, Bytes: 3000 * 8000}, size)

	// More rows came than were counted: it is not done before it is.
	l.seed.Exec(`update backfills set rows_expected = 1000`)
	b = read()
	share, _ = b.Share()
	require.InDelta(t, 0.99, share, 0)
	_, known = b.Left()
	require.False(t, known)

	require.NoError(t, l.db.EndBackfill(t.Context(), load, store.BackfillDone))
	l.seed.Exec(`update backfills set finished_at = started_at + interval '10 seconds'`)
	b = read()
	share, _ = b.Share()
	require.InDelta(t, 1, share, 0)
	require.Equal(t, 10*time.Second, b.Took())
	require.InDelta(t, 150, b.Speed(), 0)
	totals, err = l.db.LoadTotals(t.Context())
	require.NoError(t, err)
	require.Zero(t, totals.Open)
}
