package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

const acmeOrg = "00D000000000001EAA"

// Two processes take as fast as they can: not one call too many, not one too few.
func TestCallsAreTakenExactly(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	other, err := store.Open(t.Context(), seed.URL(), store.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	const most = 137
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			for range 20 {
				ok, err := []*store.Store{db, other}[i%2].TakeCall(t.Context(), acmeOrg, time.Time{}, store.QuotaTold{}, most)
				if err != nil {
					t.Error(err)
				}
				if ok {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, most, taken.Load())
	q, err := db.LoadQuota(t.Context(), acmeOrg, time.Time{})
	require.NoError(t, err)
	n := int64(0)
	for _, c := range q.Own {
		require.Zero(t, c.Start.UnixNano()%int64(store.QuotaBucket))
		n += c.Calls
	}
	require.EqualValues(t, most, n)
	ok, err := db.TakeCall(t.Context(), "00D000000000002EAA", time.Time{}, store.QuotaTold{}, most)
	require.NoError(t, err)
	require.True(t, ok, "another org has its own")
}

func TestCallsLeaveTheDay(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	began := time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC)
	take := func(at time.Time) bool {
		t.Helper()
		ok, err := db.TakeCall(t.Context(), acmeOrg, at, store.QuotaTold{}, 2)
		require.NoError(t, err)
		return ok
	}
	require.True(t, take(began))
	require.True(t, take(began.Add(6*time.Hour)))
	require.False(t, take(began.Add(7*time.Hour)))
	leaves := began.Truncate(store.QuotaBucket).Add(24*time.Hour + store.QuotaBucket)
	require.False(t, take(leaves.Add(-time.Second)), "the last call of its bucket may be less than a day old")
	require.True(t, take(leaves))
	require.False(t, take(leaves))

	later := began.Add(10 * 24 * time.Hour)
	require.True(t, take(later))
	require.Equal(t, []string{"1"}, seed.Strings(`select calls::text from quota_calls`), "old counts are cleared away")
}

func TestTheNewestWordOfSalesforceCounts(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	told := func() store.QuotaTold {
		t.Helper()
		q, err := db.LoadQuota(t.Context(), acmeOrg, at)
		require.NoError(t, err)
		require.Equal(t, at, q.Now.UTC())
		q.Told.At = q.Told.At.UTC()
		return q.Told
	}
	require.True(t, told().At.IsZero())
	first := store.QuotaTold{Used: 100, Max: 15000, AppUsed: 3, AppMax: 250, At: at}
	_, err := db.TakeCall(t.Context(), acmeOrg, at, store.QuotaTold{}, 10)
	require.NoError(t, err)
	require.True(t, told().At.IsZero())
	require.NoError(t, db.SaveTold(t.Context(), acmeOrg, first))
	require.Equal(t, first, told())
	require.NoError(t, db.SaveTold(t.Context(), acmeOrg, store.QuotaTold{Used: 90, Max: 15000, At: at.Add(-time.Second)}))
	require.Equal(t, first, told(), "an older word does not count")
	next := store.QuotaTold{Used: 101, Max: 15000, At: at.Add(time.Second)}
	_, err = db.TakeCall(t.Context(), acmeOrg, at, next, 10)
	require.NoError(t, err)
	require.Equal(t, next, told())
	_, err = db.TakeCall(t.Context(), acmeOrg, at, store.QuotaTold{}, 10)
	require.NoError(t, err)
	require.Equal(t, next, told())
}

func TestOneProbeAtATime(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ok, err := db.ClaimProbe(t.Context(), acmeOrg, at, 10*time.Minute)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, won.Load())
	for after, want := range map[time.Duration]bool{9 * time.Minute: false} {
		ok, err := db.ClaimProbe(t.Context(), acmeOrg, at.Add(after), 10*time.Minute)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	ok, err := db.ClaimProbe(t.Context(), acmeOrg, at.Add(10*time.Minute), 10*time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestQuotaMembers(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	ids := map[string]string{}
	for i, name := range []string{"a", "b", "c", "d"} {
		spec := mailFile()
		spec.Integration, spec.Source = name, "source-"+name
		spec.PollInterval = config.Duration(time.Duration(i+1) * time.Minute)
		spec.Quota = config.Quota{Share: config.Percent(10 * (i + 1)), Reserve: 5}
		ids[name] = apply(t, db, spec).IntegrationID
	}
	org, err := db.QuotaOrg(t.Context(), ids["a"])
	require.NoError(t, err)
	require.Empty(t, org, "not connected yet")
	org, err = db.QuotaOrgAt(t.Context(), "https://acme.my.salesforce.com")
	require.NoError(t, err)
	require.Empty(t, org)
	seed.Exec(`update connections set state = 'granted', org_id = $1, user_id = 'u', access_token = 'x', granted_at = now() where integration_id <> $2`, acmeOrg, ids["d"])
	seed.Exec(`update integrations set desired = 'paused' where id = $1`, ids["b"])
	seed.Exec(`update integrations set spec = spec - 'quota' - 'poll_interval' where id = $1`, ids["c"])
	for _, look := range []func() (string, error){
		func() (string, error) { return db.QuotaOrg(t.Context(), ids["a"]) },
		func() (string, error) { return db.QuotaOrgAt(t.Context(), "https://acme.my.salesforce.com") },
	} {
		org, err = look()
		require.NoError(t, err)
		require.Equal(t, acmeOrg, org)
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	pace := store.QuotaPace{Wanted: time.Minute, Paced: 90*time.Second + 100*time.Millisecond, Calls: 1.25, Spent: 3.5, Reason: "because", At: at}
	require.NoError(t, db.SavePace(t.Context(), ids["a"], store.QuotaPace{Wanted: time.Minute, Paced: time.Minute}))
	require.NoError(t, db.SavePace(t.Context(), ids["a"], pace))
	require.NoError(t, db.SavePace(t.Context(), "0000000000000000", pace), "one that is gone is ignored")

	q, err := db.LoadQuota(t.Context(), acmeOrg, time.Time{})
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), q.Now, time.Minute)
	require.Len(t, q.Members, 3, fmt.Sprint(q.Members))
	a := q.Members[0]
	a.Pace.At = a.Pace.At.UTC()
	require.Equal(t, store.QuotaMember{IntegrationID: ids["a"], Name: "support/a", Running: true,
		Terms: config.Quota{Share: 10, Reserve: 5}, PollInterval: time.Minute, Pace: &pace}, a)
	require.False(t, q.Members[1].Running, "stopped by an operator")
	require.Nil(t, q.Members[1].Pace)
	require.Equal(t, config.DefaultQuota, q.Members[2].Terms, "stored by a release without a quota")
	require.EqualValues(t, config.DefaultPollInterval, q.Members[2].PollInterval)

	seed.Exec(`delete from integrations where id = $1`, ids["a"])
	require.Empty(t, seed.Strings(`select integration_id from quota_paces`))
}

// A quota is a term of use and no part of what is read.
func TestAChangedQuotaReadsNothingAgain(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	first := apply(t, db, mailFile())
	spec := mailFile()
	spec.Quota = config.Quota{Share: 5, Reserve: 30}
	changed := apply(t, db, spec)
	require.True(t, changed.Changed)
	require.Empty(t, changed.Reread)
	require.Equal(t, first.Epoch, changed.Epoch)
	require.Equal(t, []config.Change{{Path: "quota.reserve", Old: "10%", New: "30%"}, {Path: "quota.share", Old: "20%", New: "5%"}}, changed.Changes)
}
