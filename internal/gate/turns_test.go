package gate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/gate"
)

// A flood of one key does not stand before others: of many who wait, the only one of another
// key is let in with the first place that gets free after the place of who is next.
func TestTurnsAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewTurns(1)
		leave, err := g.Enter(t.Context(), "flood")
		require.NoError(t, err)
		var order []string
		var mu sync.Mutex
		enter := func(key string) {
			go func() {
				leave, err := g.Enter(t.Context(), key)
				if err != nil {
					t.Errorf("enter: %v", err)
					return
				}
				mu.Lock()
				order = append(order, key)
				mu.Unlock()
				leave()
			}()
			synctest.Wait() // it waits for its place
		}
		for range 100 {
			enter("flood")
		}
		enter("small")
		enter("other")
		enter("small")
		leave()
		synctest.Wait()
		require.Len(t, order, 103)
		require.Equal(t, []string{"flood", "small", "other", "flood", "small", "flood"}, order[:6])
	})
}

func TestTurnsEndWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewTurns(1)
		leave, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		answers := make(chan error, 1)
		go func() { _, err := g.Enter(ctx, "b"); answers <- err }()
		synctest.Wait()
		cancel(gone)
		require.ErrorIs(t, <-answers, gone)
		leave()
		leave, err = g.Enter(t.Context(), "c")
		require.NoError(t, err, "who gave up does not hold the place")
		leave()
	})
}

// Whoever comes and gives up, whenever: never more inside than places, and no place is lost.
func TestTurnsLoseNoPlace(t *testing.T) {
	t.Parallel()
	const places = 3
	g := gate.NewTurns(places)
	var inside, most, entered atomic.Int64
	var all sync.WaitGroup
	for n := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if n%3 == 0 {
				go cancel()
			}
			leave, err := g.Enter(ctx, string(rune('a'+rand.IntN(5))))
			if err != nil {
				return
			}
			now := inside.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			entered.Add(1)
			inside.Add(-1)
			leave()
		})
	}
	all.Wait()
	require.LessOrEqual(t, most.Load(), int64(places))
	require.GreaterOrEqual(t, entered.Load(), int64(266))
	for range places {
		_, err := g.Enter(t.Context(), "a")
		require.NoError(t, err, "all places are free again")
	}
}
