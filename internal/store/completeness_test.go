package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
)

func TestCompletenessTotalsAreOfRunningIntegrations(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	got, err := l.db.CompletenessTotals(t.Context())
	require.NoError(t, err)
	require.Zero(t, got, "nothing is connected")
	l.seed.Exec(`update connections set state = 'granted', access_token = 'x', org_id = 'o', user_id = 'u'`)
	l.seed.Exec(`update streams set verified_to = now() - interval '90 seconds', salesforce_rows = 10, stored_rows = 7, repaired = 4`)
	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "late", []string{idA}))
	got, err = l.db.CompletenessTotals(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 90, got.Age.Seconds(), 30)
	got.Age = 0
	require.Equal(t, store.CompletenessTotals{Objects: 1, Missing: 3, Repaired: 4, Waiting: 1}, got)
	require.NoError(t, l.db.SetDesired(t.Context(), l.id, "paused"))
	got, err = l.db.CompletenessTotals(t.Context())
	require.NoError(t, err)
	require.Zero(t, got.Objects)
}

func TestComparisonIsStoredForItsEpochOnly(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	month := func(m time.Month) time.Time { return time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC) }
	c := store.Comparison{After: time.Minute, Counted: true, To: at(0), Salesforce: 9, Stored: 8, Repaired: 2,
		Months: []store.Month{{Month: month(10), Salesforce: 5, Stored: 5}, {Month: month(11), Salesforce: 4, Stored: 3}}}
	require.NoError(t, l.db.SaveComparison(t.Context(), l.ref.Stream, l.ref.Epoch+1, c))
	months, err := l.db.Completeness(t.Context(), l.ref.Stream)
	require.NoError(t, err)
	require.Empty(t, months)
	require.NoError(t, l.db.SaveComparison(t.Context(), l.ref.Stream, l.ref.Epoch, c))
	months, err = l.db.Completeness(t.Context(), l.ref.Stream)
	require.NoError(t, err)
	require.Len(t, months, 2)
	require.False(t, months[0].Differs())
	require.True(t, months[1].Differs())
	// A month that has no rows any more is no line.
	c.Months = []store.Month{{Month: month(10)}}
	require.NoError(t, l.db.SaveComparison(t.Context(), l.ref.Stream, l.ref.Epoch, c))
	months, err = l.db.Completeness(t.Context(), l.ref.Stream)
	require.NoError(t, err)
	require.Len(t, months, 1)
	require.Equal(t, []string{"4"}, l.seed.Strings(`select repaired::text from streams`))
}
