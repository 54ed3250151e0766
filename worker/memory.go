package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"sync"

	"go.temporal.io/sdk/worker"
)

// Memory of the worker is bounded by how much it does at a time, not by how much there is
// to do. What is below says how much that is; the rest of what it holds are a few buffers
// per connection.

// softMemory is where the collector begins to work harder, before the process grows. What
// the stages hold together is less, so on a normal day it costs nothing; with what the
// runtime does not count the process stays below 150 MiB where few integrations are watched. GOMEMLIMIT outranks it.
const softMemory = 112 << 20

// watchMemory is what an integration that is watched may add: it waits with its plan, its session and two
// goroutines, and collecting again and again around what stays would cost more than all it does. Limits are set in
// steps of watchStep integrations, because the program stands still for a moment.
const (
	watchMemory = 128 << 10
	watchStep   = 64
)

// cachedWorkflows is how many workflows are kept in memory between their tasks. One takes
// about 70 KB; one that was dropped is replayed, which an integration that has a task every
// ten minutes hardly notices.
const cachedWorkflows = 256

// memory is the bound of the process.
type memory struct {
	limit func(bytes int64)

	mu      sync.Mutex
	watches int
	steps   int // the most there were: those who come back after a moment find room
}

// boundMemory sets the bound.
func boundMemory() *memory {
	worker.SetStickyWorkflowCacheSize(cachedWorkflows)
	if debug.SetMemoryLimit(-1) != math.MaxInt64 { // somebody has set another
		return &memory{limit: func(int64) {}}
	}
	debug.SetMemoryLimit(softMemory)
	return &memory{limit: func(bytes int64) { debug.SetMemoryLimit(bytes) }}
}

// watching says that more integrations are watched, or fewer.
func (m *memory) watching(more int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watches += more
	if steps := m.watches / watchStep; steps > m.steps {
		m.steps = steps
		m.limit(softMemory + int64(steps)*watchStep*watchMemory)
	}
}

// livePolls is how many batches of live work are read at once: some 30 MB each, if all of
// them are as full as they can be.
func livePolls() int { return min(max(2*runtime.GOMAXPROCS(0), 4), 8) }

// pageSlots is how many stages of backfill pages run at once, of all backfills together:
// enough for two loads to keep the processors busy while others of their pages wait for Salesforce
// or PostgreSQL.
func pageSlots() int { return min(2*runtime.GOMAXPROCS(0)+2, 10) }
