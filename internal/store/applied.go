package store

import (
	"context"
	"time"

	"salesforcesync/internal/flow"
)

// Applied is what a transaction did that made comments, told after its commit and once.
type Applied struct {
	Lane   string // of the batch; LaneAPI for what clients write
	Counts flow.Counts
	// Began is when the batch was begun; zero where there is none.
	Began time.Time
	// Newest is the stamp of the newest record, of a live batch that brought the cursor on; else zero.
	Newest time.Time
}

// tell tells whoever wants to know what was applied.
func (s *Store) tell(ctx context.Context, a Applied) {
	if s.applied != nil {
		s.applied(ctx, a)
	}
}

// tellRemade tells of texts that were made anew.
func (s *Store) tellRemade(ctx context.Context, made flow.RetransformCounts) {
	s.tell(ctx, Applied{Lane: "retransform", Counts: flow.Counts{Rows: made.Records, Created: made.Created, TextChanged: made.TextChanged,
		MetadataChanged: made.MetadataChanged, Unchanged: made.Unchanged, SetAside: made.SetAside, Units: made.Units}})
}

// PoolStats are how the connections to PostgreSQL are used.
type PoolStats struct {
	InUse, Idle, Opening, Max int64
	Waits                     int64         // for a connection, because all were in use
	Waited                    time.Duration // with them
}

// PoolStats counts the connections to PostgreSQL.
func (s *Store) PoolStats() PoolStats {
	p := s.pool.Stat()
	return PoolStats{InUse: int64(p.AcquiredConns()), Idle: int64(p.IdleConns()), Opening: int64(p.ConstructingConns()), Max: int64(p.MaxConns()),
		Waits: p.EmptyAcquireCount(), Waited: p.EmptyAcquireWaitTime()}
}
