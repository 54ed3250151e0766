package store_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// ring makes a key ring of ids; keys of the same id are the same.
func ring(t *testing.T, ids ...string) *secret.KeyRing {
	t.Helper()
	var entries []string
	for _, id := range ids {
		key := make([]byte, secret.KeySize)
		copy(key, id)
		if id == "test" { // storetest's
			key = make([]byte, secret.KeySize)
		}
		entries = append(entries, id+":"+base64.StdEncoding.EncodeToString(key))
	}
	r, err := secret.ParseKeyRing(strings.Join(entries, ","))
	require.NoError(t, err)
	return r
}

func withRing(t *testing.T, url, name string, ids ...string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Keys: ring(t, ids...), ApplicationName: name, MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// A sealed column that rotation does not know would be lost with the old key. What a migration calls sealed, what the code
// seals, and what is rotated are the same.
func TestEverySealedColumnIsRotated(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range store.SealedColumns() {
		known[c] = true
	}

	said := map[string]bool{}
	files, err := filepath.Glob("migrations/*.sql")
	require.NoError(t, err)
	require.Greater(t, len(files), 15)
	table := regexp.MustCompile(`(?i)^(?:create (?:unlogged )?table|alter table) (\w+)`)
	column := regexp.MustCompile(`(?i)^\s+(?:add column )?(\w+)\s+(?:text|bytea|jsonb)\b.*--.*\bsealed\b|^\s+(\w*sealed\w*)\s+text\b`)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		in := ""
		for line := range strings.Lines(string(raw)) {
			if m := table.FindStringSubmatch(line); m != nil {
				in = m[1]
			}
			if m := column.FindStringSubmatch(line); m != nil {
				said[in+"."+m[1]+m[2]] = true
			}
		}
	}
	said["pending_grants.grant_sealed"] = true // its name says it
	require.Equal(t, slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(said)), "migrations call sealed what is rotated")

	// In the code: each literal that seal and open are given.
	sealed := map[string]bool{}
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	call := regexp.MustCompile(`\.(?:seal|open)\([^"\n]*"(\w+)", [^"\n]*, "(\w+)"\)`)
	calls := 0
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range call.FindAllStringSubmatch(string(raw), -1) {
			sealed[m[1]+"/"+m[2]] = true
		}
		calls += len(regexp.MustCompile(`(?:s|store|db)\.seal\(`).FindAllString(string(raw), -1))
	}
	require.GreaterOrEqual(t, calls, 7)
	require.Equal(t, store.SealedFields(), slices.Sorted(maps.Keys(sealed)), "the code seals what is rotated")

	// In the database: they are columns, and texts.
	_, seed := storetest.NewSeed(t)
	for c := range known {
		name, column, _ := strings.Cut(c, ".")
		require.Equal(t, []string{"text"}, seed.Strings(
			`select data_type from information_schema.columns where table_schema = 'public' and table_name = $1 and column_name = $2`, name, column), c)
	}
}

func TestWhatIsNotRotatedIsNotSealed(t *testing.T) {
	t.Parallel()
	_, err := store.SealFor(storetest.New(t), "anything", "people", "1", "birthday")
	requireKind(t, fault.Internal, err)
	require.ErrorContains(t, err, "birthday of people is not one of the sealed columns")
}

// sealedEverywhere fills every sealed column.
func (l *lane) sealedEverywhere(db *store.Store) {
	l.t.Helper()
	ctx := l.t.Context()
	spec := laneFile("salesforce-prod", config.DeletedTombstone)
	spec.Connection.ConsumerSecret = "another-consumer-secret"
	spec.Destination = &config.Destination{Endpoint: "https://cm.example", Project: "p", Source: "s", Token: "plain-tenant-token"}
	_, err := db.ApplyIntegration(ctx, spec)
	require.NoError(l.t, err)
	require.NoError(l.t, db.SaveGrant(ctx, l.grantOf(userOne)))
	require.NoError(l.t, db.SavePendingGrant(ctx, hash("kept"), l.grantOf(userTwo), "", time.Now().Add(time.Hour)))
	require.NoError(l.t, db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	require.NoError(l.t, db.CreateAttempt(ctx, hash("state"), store.Attempt{IntegrationID: l.id, Verifier: "plain-verifier", BrowserHash: hash("browser"), LinkHash: hash("link")}, time.Now().Add(time.Hour)))
}

func usesOf(t *testing.T, db *store.Store) map[string]int64 {
	t.Helper()
	uses, err := db.SealedBy(t.Context())
	require.NoError(t, err)
	n := map[string]int64{}
	for _, u := range uses {
		n[u.KeyID] += u.Values
	}
	return n
}

// Everything opens with the new key alone, and says what it said before.
func TestReseal(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	url := l.seed.URL()
	old := withRing(t, url, "old", "k1")
	l.sealedEverywhere(old)
	require.Equal(t, map[string]int64{"k1": int64(len(store.SealedColumns()))}, usesOf(t, old), "each column has a value")

	_, err := withRing(t, url, "new", "k2").LoadConnection(t.Context(), l.id)
	requireKind(t, fault.Invalid, err)
	none, err := withRing(t, url, "new", "k2").Reseal(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, none.Resealed)
	require.Len(t, none.Failed, len(store.SealedColumns()), "without the old key nothing opens, and nothing changes")
	require.Equal(t, "support/salesforce-prod", none.Failed[0].Integration)
	require.Equal(t, "k1", none.Failed[0].KeyID)

	done, err := withRing(t, url, "both", "k2", "k1").Reseal(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, store.Resealed{Resealed: int64(len(store.SealedColumns()))}, done)
	db := withRing(t, url, "only", "k2")
	require.Equal(t, map[string]int64{"k2": done.Resealed}, usesOf(t, db))
	c, err := db.LoadConnection(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, []string{"another-consumer-secret", "plain-access-token", "plain-refresh-token"},
		[]string{c.ConsumerSecret.Reveal(), c.Access.Reveal(), c.Refresh.Reveal()})
	require.EqualValues(t, 1, c.Generation, "no token is a new one")
	g, err := db.TakePendingGrant(t.Context(), hash("kept"))
	require.NoError(t, err)
	require.Equal(t, "plain-refresh-token", g.Refresh.Reveal())
	a, err := db.TakeAttempt(t.Context(), hash("state"))
	require.NoError(t, err)
	require.Equal(t, "plain-verifier", a.Verifier.Reveal())
	d, err := db.Delivery(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	token, err := db.DeliveryToken(d)
	require.NoError(t, err)
	require.Equal(t, "plain-tenant-token", token.Reveal())

	again, err := db.Reseal(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, store.Resealed{}, again, "what has the first key is left alone")
}

// A key that is lost takes away what it sealed, and a new grant makes all good again.
func TestAbandonKey(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.sealedEverywhere(withRing(t, l.seed.URL(), "old", "k1"))
	db := withRing(t, l.seed.URL(), "new", "k2")
	requireKind(t, fault.Invalid, db.SaveGrant(t.Context(), l.grantOf(userOne)))
	n, err := db.AbandonKey(t.Context(), "k1")
	require.NoError(t, err)
	require.EqualValues(t, len(store.SealedColumns()), n)
	require.Empty(t, usesOf(t, db), "nothing is sealed with it")
	c, err := db.LoadConnection(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, []string{store.ConnectionLost, "the key that sealed the tokens was lost", "run `starter connect support/salesforce-prod`"},
		[]string{c.State, c.LostReason, c.LostHint})
	require.NoError(t, db.SaveGrant(t.Context(), l.grantOf(userOne)))
	_, err = db.AbandonKey(t.Context(), "k2")
	requireKind(t, fault.Conflict, err)
	n, err = db.AbandonKey(t.Context(), "k1")
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, map[string]int64{"k2": 2}, usesOf(t, db))
}

// Tokens that are renewed while everything is sealed anew are never put back.
func TestResealNeverLosesARefresh(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	const integrations, refreshes, most, passes = 6, 25, 20_000, 3 // so many at least, and as many more as it takes to seal all anew so often
	old, both := withRing(t, seed.URL(), "old", "k1", "k2", "test"), withRing(t, seed.URL(), "both", "k2", "k1", "test")
	var lanes []*lane
	for n := range integrations {
		l := laneOf(t, db, seed, fmt.Sprintf("prod-%d", n), config.DeletedTombstone)
		require.NoError(t, old.SaveGrant(t.Context(), l.grantOf(userOne)))
		lanes = append(lanes, l)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var passed atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; passed.Add(1) {
			// Forth and back, so that there is always something to seal anew.
			for _, s := range []*store.Store{both, old} {
				_, _ = s.Reseal(ctx, nil)
			}
		}
	}()
	var group sync.WaitGroup
	made := make([]int, integrations)
	for n, l := range lanes {
		group.Go(func() {
			for i := 0; i < refreshes || passed.Load() < passes && i < most; i++ {
				used := int64(i + 1)
				if err := []*store.Store{old, both}[(n+i)%2].RefreshConnection(t.Context(), l.id, used, func(_ context.Context, c *store.Connection) (store.Refreshed, error) {
					if i > 0 && c.Refresh.Reveal() != fmt.Sprintf("refresh %d.%d", n, i-1) {
						return store.Refreshed{}, fmt.Errorf("an old refresh token is back: %s", c.Refresh.Reveal())
					}
					return store.Refreshed{Access: "access", Refresh: secret.Text(fmt.Sprintf("refresh %d.%d", n, i))}, nil
				}); err != nil {
					t.Errorf("refresh %d of %d: %v", i, n, err)
					return
				}
				made[n]++
			}
		})
	}
	group.Wait()
	stop()
	<-ended
	require.GreaterOrEqual(t, int(passed.Load()), passes)
	_, err := both.Reseal(t.Context(), nil)
	require.NoError(t, err)
	for n, l := range lanes {
		c, err := withRing(t, seed.URL(), "only", "k2").LoadConnection(t.Context(), l.id)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("refresh %d.%d", n, made[n]-1), c.Refresh.Reveal())
		require.EqualValues(t, made[n]+1, c.Generation)
	}
}

// Which keys a program has can be seen from outside, however many they are.
func TestPrograms(t *testing.T) {
	t.Parallel()
	_, seed := storetest.NewSeed(t)
	worker := withRing(t, seed.URL(), "worker", "k2", "k1")
	withRing(t, seed.URL(), "authsvc", "k1")
	withRing(t, seed.URL(), "starter", "k3")
	long := strings.Repeat("x", 64)
	withRing(t, seed.URL(), "authsvc", "k4", long)
	for _, name := range []string{"worker", "worker keys=k1,k5", "psql", "pgAdmin 4"} { // as older releases call themselves, and strangers
		storetest.Connect(t, seed.URL(), name)
	}
	version, err := store.SchemaVersion()
	require.NoError(t, err)
	programs, err := worker.Programs(t.Context())
	require.NoError(t, err)
	have := map[string]bool{}
	for _, p := range programs {
		require.Equal(t, "127.0.0.1", p.Address)
		have[fmt.Sprintf("%s %d %s", p.Name, p.Schema, strings.Join(p.Keys, ","))] = p.Opens("k1")
	}
	named := func(name, keys string) string { return fmt.Sprintf("%s %d %s", name, version, keys) }
	require.Equal(t, map[string]bool{named("authsvc", "k1"): true, named("authsvc", "k4,..."): true, named("worker", "k2,k1"): true, named("test", "test"): false,
		"worker 0 ": false, "worker 0 k1,k5": true}, have, "a starter is left out; what has no room counts as having any key")
}
