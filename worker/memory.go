package main

import (
	"math"
	"runtime"
	"runtime/debug"

	"go.temporal.io/sdk/worker"
)

// Memory of the worker is bounded by how much it does at a time, not by how much there is
// to do. What is below says how much that is; the rest of what it holds are a few buffers
// per connection.

// softMemory is where the collector begins to work harder, before the process grows. What
// the stages hold together is less, so on a normal day it costs nothing; with what the
// runtime does not count the process stays below 150 MiB. GOMEMLIMIT outranks it.
const softMemory = 112 << 20

// cachedWorkflows is how many workflows are kept in memory between their tasks. One takes
// about 70 KB; one that was dropped is replayed, which an integration that has a task every
// ten minutes hardly notices.
const cachedWorkflows = 256

func boundMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // nobody has set another
		debug.SetMemoryLimit(softMemory)
	}
	worker.SetStickyWorkflowCacheSize(cachedWorkflows)
}

// livePolls is how many batches of live work are read at once: some 30 MB each, if all of
// them are as full as they can be.
func livePolls() int { return min(max(2*runtime.GOMAXPROCS(0), 4), 8) }

// pageSlots is how many stages of backfill pages run at once, of all backfills together:
// enough for two loads to keep the processors busy while others of their pages wait for Salesforce
// or PostgreSQL.
func pageSlots() int { return min(2*runtime.GOMAXPROCS(0)+2, 10) }
