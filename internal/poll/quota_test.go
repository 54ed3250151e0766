package poll_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// govern puts the bench under a quota governor that goes by the org's clock.
func (b *bench) govern() *quota.Governor {
	g := &quota.Governor{Store: b.db, Now: b.clock.now}
	b.orgs.auth.Quota, b.svc.Quota = g, g
	return g
}

// five are the objects of an ordinary integration.
var five = []config.Object{
	mailObject, surveyObject, noteObject,
	{Object: "Case", Deleted: config.DeletedTombstone, Fields: config.FieldMap{"timestamp": "CreatedDate", "subject": "Subject", "body": "Description"}},
	{Object: "Task", Deleted: config.DeletedTombstone, Fields: config.FieldMap{"timestamp": "CreatedDate", "subject": "Subject", "body": "Description"}},
}

// requests is how many API requests the simulator has had: calls of the token endpoint
// are none.
func (b *bench) requests() int {
	n := 0
	for kind, calls := range b.sim.Counters().Kinds {
		if !strings.HasPrefix(kind, "token") {
			n += calls
		}
	}
	return n
}

// schedules makes what the database's clock decides come nearer, as the org's clock goes on.
func (b *bench) schedules() func(time.Duration) {
	b.Helper()
	var moves []string
	for _, column := range b.seed.Strings(`select column_name::text from information_schema.columns
		where table_name = 'streams' and (column_name like '%\_after' or column_name in ('counted_at', 'swept_at'))`) {
		moves = append(moves, column+" = "+column+" - $1::interval")
	}
	require.NotEmpty(b, moves)
	return func(d time.Duration) { b.seed.Exec(`update streams set `+strings.Join(moves, ", "), d) }
}

// idle lets d pass in which nothing happens, one look after the other, and says how many
// looks and API requests that took and how long the longest interval was.
func (b *bench) idle(d time.Duration) (looks, requests int, longest time.Duration) {
	b.Helper()
	due := b.schedules()
	b.sim.ResetCounters()
	for end := b.clock.now().Add(d); b.clock.now().Before(end); looks++ {
		result := b.look()
		require.Empty(b, result.News)
		require.Empty(b, result.Faults)
		longest = max(longest, result.Interval)
		b.clock.add(result.Interval)
		due(result.Interval)
	}
	return looks, b.requests(), longest
}

// An idle integration of five objects, looked at every ten seconds, for a day: what it
// costs where there is enough, and that it keeps to its share where there is not.
func TestIdleCallsPerDay(t *testing.T) {
	t.Parallel()
	t.Run("an org with many requests", func(t *testing.T) {
		t.Parallel()
		b := connected(t, simforce.Options{Generate: 30, DailyRequests: 1_000_000}, five...)
		b.govern()
		b.settle()
		b.clock.add(time.Hour) // nothing is new any more
		b.settle()
		const hours = 2 // every rhythm of the product comes round several times in it
		looks, requests, longest := b.idle(hours * time.Hour)
		require.Equal(t, 360*hours, looks)
		require.Equal(t, config.DefaultPollInterval, config.Duration(longest), "nobody is slowed down")
		perDay := requests * 24 / hours
		t.Logf("measured: idle calls per day: %d (five objects, poll_interval 10s, %d requests in %d simulated hours, %.2f a look)",
			perDay, requests, hours, float64(requests)/float64(looks))
		require.LessOrEqual(t, perDay, maxIdleCalls)
	})
	t.Run("an org with 15,000", func(t *testing.T) {
		t.Parallel()
		b := connected(t, simforce.Options{Generate: 30, DailyRequests: 15_000}, five...)
		b.govern()
		b.settle()
		b.clock.add(time.Hour)
		b.settle()
		looks, requests, longest := b.idle(24 * time.Hour)
		t.Logf("measured: idle calls per day: %d at the default share of an org with 15,000 requests (five objects, poll_interval 10s, %d looks, the longest interval %s)",
			requests, looks, longest)
		require.LessOrEqual(t, requests, 3000)
		require.Greater(t, requests, 2000, "what there is is used")
		require.Less(t, longest, 10*time.Minute, "the first day is slower: what was used at once is missing later")
	})
}

// maxIdleCalls is the most that an idle integration of five objects may cost a day where
// the org has enough.
const maxIdleCalls = 12_000

func TestWatchLooksAsOftenAsTheQuotaAllows(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3, DailyRequests: 15_000}, mailObject)
	b.govern()
	b.settle()
	result := b.look()
	require.Less(t, result.Interval, 20*time.Second)

	// Ten looks a minute since yesterday would have been more than there is.
	org := b.sim.Orgs()[0].ID
	b.seed.Exec(`insert into quota_calls (org_id, bucket, calls) select $1, t, 15 from generate_series($2::timestamptz - interval '24 hours', $2::timestamptz - interval '20 minutes', interval '10 minutes') t`,
		org, b.clock.now())
	b.clock.add(time.Minute)
	result = b.look()
	require.Greater(t, result.Interval, 20*time.Second)
	require.Less(t, result.Interval, 3*time.Minute)
	q, err := b.db.LoadQuota(t.Context(), org, b.clock.now())
	require.NoError(t, err)
	require.Equal(t, result.Interval, q.Members[0].Pace.Paced)
	require.NotEmpty(t, q.Members[0].Pace.Reason)

	// News are told with the interval, too: the workflow waits for it.
	b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "new", "TextBody": "x", "FromAddress": "a@b.example"}})
	b.clock.add(time.Minute)
	result = b.look()
	require.Equal(t, flow.OutcomeNews, result.Outcome)
	require.Greater(t, result.Interval, 20*time.Second)
}

// Who asks for a sync does not wait for the stretched interval.
func TestSyncNowDoesNotWaitForTheQuota(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	b.settle()
	b.svc.Quota = slowly(40 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go b.svc.Listener.Run(ctx, b.db)
	b.sim.ResetCounters()
	done := make(chan error, 1)
	go func() {
		_, err := b.svc.Watch(ctx, flow.WatchParams{Project: "support", Integration: "prod"})
		done <- err
	}()
	require.Eventually(t, func() bool { return b.requests() == 1 }, 30*time.Second, 10*time.Millisecond)
	require.Never(t, func() bool { return b.requests() > 1 }, 300*time.Millisecond, 50*time.Millisecond)
	require.NoError(t, b.db.Steer(ctx, "support", "prod", flow.SignalSyncNow))
	require.Eventually(t, func() bool { return b.requests() > 1 }, 30*time.Second, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// slowly is a quota that allows one look in so long.
type slowly time.Duration

func (s slowly) Pace(context.Context, string, time.Duration, int) (time.Duration, error) {
	return time.Duration(s), nil
}

func (s slowly) Room(context.Context, string) (bool, error) { return true, nil }

// Reading again waits while there is only enough for news.
func TestReadingAgainWaitsForRoom(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3, DailyRequests: 1000}, mailObject)
	b.govern()
	b.settle()
	at := b.clock.now().Truncate(store.QuotaBucket)
	b.seed.Exec(`insert into quota_calls as q (org_id, bucket, calls) values ($1, $2, 140) on conflict (org_id, bucket) do update set calls = 140`,
		b.sim.Orgs()[0].ID, at)
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "a test"))
	b.clock.add(time.Minute)
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	b.clock.add(25 * time.Hour)
	require.Equal(t, flow.OutcomeNews, b.look().Outcome)
	b.settle()
	b.same()
}

// At the wall Watch and Poll end with the fault that the workflow waits for, and go on
// where they were once the wait is over.
func TestTheWallIsAFaultWithItsEnd(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3, DailyRequests: 1000}, mailObject)
	b.govern()
	b.settle()
	org := b.sim.Orgs()[0].ID
	at := b.clock.now().Truncate(store.QuotaBucket).Add(-store.QuotaBucket)
	b.seed.Exec(`insert into quota_calls (org_id, bucket, calls) values ($1, $2, 200)`, org, at)
	b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "new", "TextBody": "x", "FromAddress": "a@b.example"}})
	b.clock.add(20 * time.Second)
	b.sim.ResetCounters()
	_, err := b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true})
	require.True(t, fault.Is(err, fault.Quota), "%v", err)
	ends := at.Add(24*time.Hour + store.QuotaBucket)
	require.Equal(t, ends, b.clock.now().Add(fault.RetryAfterOf(err)))
	_, err = b.svc.Poll(t.Context(), b.next("EmailMessage"))
	require.True(t, fault.Is(err, fault.Quota), "%v", err)
	require.Zero(t, b.requests())

	b.clock.add(fault.RetryAfterOf(err))
	require.EqualValues(t, 1, b.settle().Created)
	b.same()
}
