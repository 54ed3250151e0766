package main

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// The worker hears of changed comments and has the index of words follow; the metric says so.
func TestTheWorkerFollowsWords(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := seed.Source(seed.Project("support"), "emails")
	registry := prometheus.NewRegistry()
	registry.MustRegister(wordsLag{db.WordsLag})
	lag := func() float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		require.Len(t, families, 1)
		require.Equal(t, "salesforcesync_search_lag_seconds", families[0].GetName())
		return families[0].GetMetric()[0].GetGauge().GetValue()
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
	require.Eventually(t, func() bool { return lag() == 0 }, 30*time.Second, 20*time.Millisecond)
	stop()
	<-done
	<-done
}
