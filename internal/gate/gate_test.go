package gate_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
)

func TestNoMoreThanItsPlaces(t *testing.T) {
	t.Parallel()
	g := gate.New("do it", 3, time.Minute)
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			leave, err := g.Enter(t.Context())
			if err != nil {
				t.Errorf("enter: %v", err)
				return
			}
			defer leave()
			n := inside.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			inside.Add(-1)
		})
	}
	all.Wait()
	require.LessOrEqual(t, most.Load(), int32(3))
	require.Zero(t, inside.Load())
}

func TestWhoDoesNotGetInIsTold(t *testing.T) {
	t.Parallel()
	g := gate.New("do it", 0, time.Millisecond)
	leave, err := g.Enter(t.Context())
	require.NoError(t, err, "there is a place at least")

	_, err = g.Enter(t.Context())
	require.True(t, fault.Is(err, fault.Transient), err)
	require.ErrorContains(t, err, "do it")
	require.Equal(t, time.Millisecond, fault.RetryAfterOf(err))

	leave()
	leave, err = g.Enter(t.Context())
	require.NoError(t, err)
	leave()
}

func TestWaitingEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	g := gate.New("do it", 1, time.Hour)
	_, err := g.Enter(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = g.Enter(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
