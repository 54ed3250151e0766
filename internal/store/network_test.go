package store_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/netfault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// mute is a database behind a way whose connections, when a network has forgotten them, stay open and answer nothing for
// ever, as behind a proxy of somebody else's: no kernel will find out.
func mute(t *testing.T) (*store.Store, *storetest.Seed, *netfault.Proxy) {
	t.Helper()
	_, seed, address := storetest.NewSeedURL(t)
	u, err := url.Parse(address)
	require.NoError(t, err)
	way, err := netfault.Listen("to PostgreSQL", "127.0.0.1:0", u.Host)
	require.NoError(t, err)
	way.Mute = true
	u.Host = way.Address()
	db, err := store.Open(t.Context(), u.String(), store.Options{Keys: storetest.Keys(t), ApplicationName: "mute", MaxConns: 6})
	require.NoError(t, err)
	t.Cleanup(func() {
		way.Close() // first: a mute connection takes its time to be closed
		db.Close()
	})
	return db, seed, way
}

func forgetAll(t *testing.T, way *netfault.Proxy) {
	t.Helper()
	way.Break(netfault.Fault{Kind: netfault.Vanish})
	require.NoError(t, way.Heal(t.Context()))
}

// Connections of the pool that are mute must not take who uses them with them.
func TestPoolGetsOverMuteConnections(t *testing.T) {
	t.Parallel()
	db, _, way := mute(t)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { _, _ = db.ListIntegrations(t.Context(), "") })
	}
	all.Wait()
	time.Sleep(1100 * time.Millisecond) // what was used within a second is taken to be alive
	forgetAll(t, way)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := db.ListIntegrations(ctx, "")
	require.NoError(t, err, "one mute connection after the other is given up")
}

// Silence must not keep a listener from hearing.
func TestListenerGetsOverAMuteConnection(t *testing.T) {
	t.Parallel()
	db, seed, way := mute(t)
	listener := store.NewListener()
	listener.HearsNothingFor(50 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		listener.Run(ctx, db)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	heard, stop := listener.Wait("somebody")
	defer stop()
	select { // whoever waits is woken once it listens
	case <-heard:
	case <-time.After(time.Minute):
		t.Fatal("it does not listen")
	}
	notify := func() { seed.Exec(`select pg_notify('integration_wake', 'somebody')`) }
	hears := func() bool {
		notify()
		select {
		case <-heard:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}
	connections := func() []string {
		return seed.Strings(`select pid::text || ' ' || query_start from pg_stat_activity where datname = current_database() and application_name like 'mute%'`)
	}
	first := connections()
	require.Len(t, first, 1)
	pid, _, _ := strings.Cut(first[0], " ")
	require.Eventually(t, hears, time.Minute, time.Millisecond)
	for range 3 { // of silence it asks again and again, over the same connection
		before := connections()
		require.Eventually(t, func() bool { return !slices.Equal(before, connections()) }, time.Minute, time.Millisecond)
		require.Len(t, connections(), 1)
		require.True(t, strings.HasPrefix(connections()[0], pid+" "), "silence alone has not ended the connection")
	}
	for len(heard) > 0 {
		<-heard
	}
	forgetAll(t, way)
	require.Eventually(t, hears, time.Minute, time.Millisecond)
}
