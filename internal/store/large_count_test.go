package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlyCountsOfManyRowsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c largeCounts
		c.keep("few", largeCount-1, time.Hour)
		_, ok := c.find("few")
		require.False(t, ok, "few rows are counted each time")

		const many = int64(largeCount)
		c.keep("many", many, 100*time.Millisecond)
		time.Sleep(largeCountShare*100*time.Millisecond - time.Millisecond)
		n, ok := c.find("many")
		require.True(t, ok)
		require.Equal(t, many, n)
		time.Sleep(2 * time.Millisecond)
		_, ok = c.find("many")
		require.False(t, ok, "counting is a twentieth of the time at most")

		c.keep("slow", many, time.Hour)
		time.Sleep(largeCountKept + time.Millisecond)
		_, ok = c.find("slow")
		require.False(t, ok, "no count is older than some seconds")
	})
}
