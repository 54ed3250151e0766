package web

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
)

func TestNobodyWaitsForWhatIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKept[int](gate.New("count", 1, time.Second), time.Minute)
		asked, takes := 0, 10*time.Second
		var trouble error
		of := func(key string, patience time.Duration) (int, bool, error) {
			return k.of(t.Context(), key, patience, func(context.Context) (int, error) {
				asked++
				n := asked
				time.Sleep(takes)
				return n, trouble
			})
		}
		begun := time.Now()
		_, known, err := of("a", time.Second)
		require.NoError(t, err)
		require.False(t, known, "a page does not wait")
		require.Equal(t, time.Second, time.Since(begun))
		_, known, _ = of("a", 0)
		require.False(t, known)
		n, known, _ := of("a", time.Minute)
		require.True(t, known)
		require.Equal(t, 1, n, "one asks, however many look")

		time.Sleep(keptRest*takes - time.Second)
		n, _, _ = of("a", time.Minute)
		require.Equal(t, 1, n)
		require.Equal(t, 1, asked, "asking is a twentieth of the time at most")
		time.Sleep(2 * time.Second)
		n, _, _ = of("a", time.Minute)
		require.Equal(t, 1, n, "the old number is shown while it is asked again")
		synctest.Wait()
		require.Equal(t, 2, asked)
		time.Sleep(takes + time.Second)
		n, _, _ = of("a", 0)
		require.Equal(t, 2, n)

		// Trouble that passes leaves the old number; other trouble is told where there is none.
		trouble, takes = fault.New(fault.Unreachable, "gone"), 0
		time.Sleep(time.Hour)
		_, _, err = of("a", 0)
		require.NoError(t, err)
		synctest.Wait()
		n, known, err = of("a", 0)
		require.NoError(t, err)
		require.True(t, known)
		require.Equal(t, 2, n)
		_, known, err = of("b", time.Second)
		require.NoError(t, err)
		require.False(t, known)
		trouble = errors.New("broken")
		_, _, err = of("c", time.Second)
		require.ErrorIs(t, err, trouble)

		// No more ask at a time than there are places.
		trouble, takes = nil, 10*time.Second
		before := asked
		for _, key := range []string{"d", "e"} {
			_, known, err = of(key, 0)
			require.NoError(t, err)
			require.False(t, known)
		}
		synctest.Wait()
		require.Equal(t, before+1, asked)
		time.Sleep(time.Minute)
		require.Equal(t, before+1, asked, "the other one gave up")
	})
}
