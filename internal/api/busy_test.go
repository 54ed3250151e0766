package api

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// slow is a store whose counts wait until they are let go.
type slow struct {
	Store
	asked atomic.Int32
	let   chan int64 // the number that one count gives
}

func (s *slow) CountMatching(ctx context.Context, _ string, _ store.CountFilter) (int64, error) {
	s.asked.Add(1)
	select {
	case n := <-s.let:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// until waits for a condition, not for a time.
func until(t *testing.T, why string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond, why)
}

func TestIdenticalCountsAreCountedOnce(t *testing.T) {
	t.Parallel()
	s := &slow{let: make(chan int64)}
	c := newCounting(s)
	at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	elsewhere := at.In(time.FixedZone("", 3600))

	first, leaves := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.count(first, "a", store.CountFilter{From: &at})
		left <- err
	}()
	until(t, "the first is counting", func() bool { return s.asked.Load() == 1 })

	var all sync.WaitGroup
	var got atomic.Int64
	var come atomic.Int32
	for range 20 {
		all.Go(func() {
			come.Add(1)
			n, err := c.count(t.Context(), "a", store.CountFilter{From: &elsewhere})
			if err != nil {
				t.Errorf("count: %v", err)
			}
			got.Add(n)
		})
	}
	leaves()
	require.ErrorIs(t, <-left, context.Canceled, "whoever leaves does not wait")
	// Another count is let through meanwhile, and both go on.
	all.Go(func() {
		if _, err := c.count(t.Context(), "a", store.CountFilter{To: &at}); err != nil {
			t.Errorf("count: %v", err)
		}
	})
	until(t, "two are counting, and all have come", func() bool { return s.asked.Load() == 2 && come.Load() == 20 })
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for waiting := true; waiting; { // whoever of the twenty came late is counted for anew
		select {
		case s.let <- 3:
		case <-done:
			waiting = false
		}
	}
	require.EqualValues(t, 20*3, got.Load())
	require.Less(t, s.asked.Load(), int32(20))
}

func TestCountsAreFewAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	s := &slow{Store: b.db, let: make(chan int64)}
	api := New(s, b.access, Options{})
	api.counting.gate = gate.New("count comments", countsAtATime, time.Millisecond)
	b.serve(api)

	var all sync.WaitGroup
	for _, source := range []string{"a", "b"} {
		all.Go(func() {
			if _, err := api.counting.count(t.Context(), source, store.CountFilter{}); err != nil {
				t.Errorf("count: %v", err)
			}
		})
	}
	until(t, "two are counting", func() bool { return s.asked.Load() == countsAtATime })
	a := b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", "")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.EqualValues(t, countsAtATime, s.asked.Load(), "the database was not asked")
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, listPath, "reader", "").status, "everything else goes on")
	for range countsAtATime {
		s.let <- 1
	}
	all.Wait()
	go func() { s.let <- 4 }()
	a = b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", "")
	require.Equal(t, map[string]any{"num_comments": 4.0}, a.body["statistics"])
}

func TestLargePagesAreFewAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	api := New(b.db, b.access, Options{})
	api.pages = gate.New("make a page of comments", 1, time.Millisecond)
	b.serve(api)
	leave, err := api.pages.Enter(t.Context())
	require.NoError(t, err)
	a := b.do(http.MethodGet, listPath, "reader", "")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/api/v1/sources", "reader", "").status, "small answers go on")
	leave()
	for range 3 { // each gives its place back, a refused one too
		require.Equal(t, http.StatusOK, b.do(http.MethodGet, listPath, "reader", "").status)
		require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, listPath+"?limit=0", "reader", "").status)
	}
}

// lookups counts the tokens that were looked up.
type lookups struct {
	Access
	asked atomic.Int32
}

func (l *lookups) Authenticate(ctx context.Context, token secret.Text) (access.Principal, error) {
	l.asked.Add(1)
	return l.Access.Authenticate(ctx, token)
}

func TestBadTokensStopBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	l := &lookups{Access: b.access}
	b.serve(New(b.db, l, Options{RequestsPerSecond: 0.001, Burst: 3}))
	for range 3 {
		require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/auth/user", "reader", "").status, "good ones take nothing from the address")
	}
	for range 3 {
		require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "bad", "").status)
	}
	asked := l.asked.Load()
	for _, who := range []string{"bad", "sensitive", ""} {
		a := b.do(http.MethodGet, "/auth/user", who, "")
		require.Equal(t, http.StatusTooManyRequests, a.status)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	require.Equal(t, asked, l.asked.Load())
}
