package main

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// Few integrations leave the limit alone; a thousand get room for what stays of them; one that comes and goes stops
// the program no more than once.
func TestMemoryGrowsWithWatches(t *testing.T) {
	t.Parallel()
	var limits []int64
	m := &memory{limit: func(bytes int64) { limits = append(limits, bytes) }}
	for range 63 {
		m.watching(1)
	}
	require.Empty(t, limits)
	for range 10 {
		m.watching(1)
		m.watching(-1)
	}
	require.Equal(t, []int64{120 << 20}, limits)
	for range 1000 - 63 {
		m.watching(1)
	}
	require.Len(t, limits, 15)
	require.EqualValues(t, 232<<20, limits[14])
	for range 1000 {
		m.watching(-1)
	}
	for range 1000 {
		m.watching(1)
	}
	require.Len(t, limits, 15, "what there was before is known")
}

// What the operator says counts.
func TestMemoryLimitOfTheOperator(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	debug.SetMemoryLimit(1 << 40)
	m := boundMemory()
	m.watching(1000)
	require.EqualValues(t, 1<<40, debug.SetMemoryLimit(-1))
	debug.SetMemoryLimit(math.MaxInt64)
	m = boundMemory()
	require.EqualValues(t, softMemory, debug.SetMemoryLimit(-1))
	m.watching(1000)
	require.EqualValues(t, softMemory+120<<20, debug.SetMemoryLimit(-1))
}
