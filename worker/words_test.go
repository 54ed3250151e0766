package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// The worker hears of changed comments and has the index of words follow.
func TestTheWorkerFollowsWords(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := seed.Source(seed.Project("support"), "emails")
	lag := func() float64 {
		behind, err := db.WordsLag(t.Context(), "")
		require.NoError(t, err)
		return behind.Seconds()
	}
	seed.Mail(source, "0a", time.Now().Add(-time.Hour), "subject", "body")
	seed.Exec(`update comments set changed = pg_current_xact_id(), last_modified = now() - interval '1 hour'`)
	require.Greater(t, lag(), 3500.0)

	listener := store.NewListener()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	go func() { listener.Run(ctx, db); done <- struct{}{} }()
	go func() { followWords(ctx, db, listener, zap.NewNop()); done <- struct{}{} }()
	require.Eventually(t, func() bool { return lag() == 0 }, time.Minute, 20*time.Millisecond)

	seed.Mail(source, "0b", time.Now(), "subject", "another body")
	seed.Exec(`select pg_notify('comments_changed', $1)`, source)
	// Without having been told it would look in a minute.
	require.Eventually(t, func() bool { return lag() == 0 }, 45*time.Second, 20*time.Millisecond)
	stop()
	<-done
	<-done
}
