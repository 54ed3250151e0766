package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/store"
)

// Counting reads an index from end to end, and anybody who may read a source may ask
// for it as often as the rate limit lets through.
const (
	countsAtATime = 2
	countLongest  = time.Minute // more than the database gives a statement
)

// counting answers counts of comments: a few at a time, and callers who ask for the
// same while it is being counted get the same number.
type counting struct {
	store Store
	gate  *gate.Gate
	same  singleflight.Group
}

func newCounting(s Store) *counting {
	return &counting{store: s, gate: gate.New("count comments", countsAtATime, gate.Patience)}
}

// count counts the comments of a source that the filter lets through.
func (c *counting) count(ctx context.Context, sourceID string, filter store.CountFilter) (int64, error) {
	properties, err := json.Marshal(filter.Properties)
	if err != nil {
		return 0, fault.Wrap(fault.Internal, err, "name the filter")
	}
	key := sourceID + " " + instant(filter.From) + " " + instant(filter.To) + " " + string(properties)
	answer := c.same.DoChan(key, func() (any, error) {
		// Whoever asked first may go; the others wait for the number still.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countLongest)
		defer cancel()
		leave, err := c.gate.Enter(ctx)
		if err != nil {
			return int64(0), err
		}
		defer leave()
		return c.store.CountMatching(ctx, sourceID, filter)
	})
	select {
	case r := <-answer:
		return r.Val.(int64), r.Err
	case <-ctx.Done():
		return 0, fmt.Errorf("count comments: %w", ctx.Err())
	}
}

func instant(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}
