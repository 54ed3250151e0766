package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

const listening = `select pid::text from pg_stat_activity where datname = current_database() and query like 'listen %'`

// listen runs a Listener for the test and returns when it listens.
func listen(l *lane) *store.Listener {
	l.t.Helper()
	listener := store.NewListener()
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		listener.Run(ctx, l.db)
	}()
	l.t.Cleanup(func() {
		cancel()
		<-ended
	})
	require.Eventually(l.t, func() bool { return len(l.strings(listening)) == 1 }, time.Minute, 5*time.Millisecond)
	return listener
}

// woken drops what was heard before, does something, and waits to be woken by it.
func woken(t *testing.T, ch <-chan struct{}, what string, do func()) {
	t.Helper()
	for len(ch) > 0 {
		<-ch
	}
	do()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		t.Fatalf("%s wakes nobody", what)
	}
}

func TestListenerWakes(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	other := laneOf(t, l.db, l.seed, "second", config.DeletedTombstone)
	listener := listen(l)
	mine, stop := listener.Wait(l.id)
	defer stop()
	theirs, stopTheirs := listener.Wait(other.id)
	defer stopTheirs()
	comments, stopComments := listener.Wait(l.source)
	defer stopComments()
	signals, stopSignals := listener.Wait(store.OutboxID)
	defer stopSignals()
	ctx := t.Context()
	for _, signal := range []string{flow.SignalPause, flow.SignalResume, flow.SignalSyncNow, flow.SignalConfigChanged} {
		woken(t, mine, signal, func() { require.NoError(t, l.db.Steer(ctx, "support", "salesforce-prod", signal)) })
	}
	// One connection hears notifications in the order of their commits: what others did
	// has been heard when the last of ours has.
	for len(theirs) > 0 {
		<-theirs
	}
	woken(t, mine, "asking for a poll", func() { require.NoError(t, l.db.RequestSync(ctx, l.id)) })
	require.Empty(t, theirs, "another integration's Watch was woken")
	woken(t, theirs, "asking the other for a poll", func() { require.NoError(t, l.db.RequestSync(ctx, other.id)) })

	woken(t, signals, "a grant", func() { l.connect() })
	woken(t, mine, "a grant", func() { l.connect() })
	woken(t, comments, "new comments", func() { l.apply(mail{id: idA, stamp: at(0), raw: "one"}) })
	for len(comments) > 0 {
		<-comments
	}
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	woken(t, mine, "asking for a poll", func() { require.NoError(t, l.db.RequestSync(ctx, l.id)) })
	require.Empty(t, comments, "nothing changed and readers were told")

	// Several notifications that nobody fetched are one.
	woken(t, theirs, "a fence", func() {
		for range 5 {
			require.NoError(t, l.db.RequestSync(ctx, l.id))
		}
		require.NoError(t, l.db.RequestSync(ctx, other.id))
	})
	require.Len(t, mine, 1)
}

func TestListenerWakesAllAfterItsConnectionBroke(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	listener := listen(l)
	mine, stop := listener.Wait(l.id)
	defer stop()
	gone, stopGone := listener.Wait("nobody notifies this")
	before := l.one(listening)
	woken(t, gone, "a broken connection", func() { l.seed.Exec(`select pg_terminate_backend($1::int)`, before) })
	stopGone()
	require.Eventually(t, func() bool {
		now := l.strings(listening)
		return len(now) == 1 && now[0] != before
	}, time.Minute, 5*time.Millisecond)
	woken(t, mine, "a notification after the connection came back", func() { require.NoError(t, l.db.RequestSync(t.Context(), l.id)) })
	for len(gone) > 0 {
		<-gone
	}
	woken(t, mine, "one more", func() { require.NoError(t, l.db.RequestSync(t.Context(), l.id)) })
	require.Empty(t, gone, "who stopped waiting is not woken")
}
