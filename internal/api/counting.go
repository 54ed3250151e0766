package api

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"salesforcesync/internal/gate"
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

// count counts the comments of a source from from to to, both inclusive, nil is open.
func (c *counting) count(ctx context.Context, sourceID string, from, to *time.Time) (int64, error) {
	key := sourceID + " " + instant(from) + " " + instant(to)
	answer := c.same.DoChan(key, func() (any, error) {
		// Whoever asked first may go; the others wait for the number still.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countLongest)
		defer cancel()
		leave, err := c.gate.Enter(ctx)
		if err != nil {
			return int64(0), err
		}
		defer leave()
		return c.store.CountComments(ctx, sourceID, from, to)
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
