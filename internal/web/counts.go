package web

import (
	"context"
	"sync"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
)

// counts keeps how many comments a source has and what it cost. Counting takes
// longer the more there is, and every open page asks every few seconds: what was
// counted is shown again for twenty times as long as counting took, so
// that all pages together never cost more than a twentieth of one core per source.
type counts struct {
	store Store
	gate  *gate.Gate

	mu   sync.Mutex
	kept map[string]*count
}

type count struct {
	mu       sync.Mutex // one count of a source at a time
	comments int64
	units    int64
	good     time.Time // until then
}

const (
	countRest     = 20
	countsAtATime = 2 // of all sources
)

func newCounts(s Store) *counts {
	return &counts{store: s, gate: gate.New("count comments", countsAtATime, gate.Patience), kept: map[string]*count{}}
}

// of gives the number of comments and AI units of a source.
func (c *counts) of(ctx context.Context, sourceID string) (comments, units int64, err error) {
	c.mu.Lock()
	n := c.kept[sourceID]
	if n == nil {
		n = &count{}
		c.kept[sourceID] = n
	}
	c.mu.Unlock()

	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.good) {
		return n.comments, n.units, nil
	}
	err = c.ask(ctx, sourceID, n)
	if fault.Is(err, fault.Transient, fault.Unreachable) && !n.good.IsZero() {
		err = nil // numbers of a while ago are better than no page
	}
	return n.comments, n.units, err
}

func (c *counts) ask(ctx context.Context, sourceID string, n *count) error {
	leave, err := c.gate.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	begun := time.Now()
	comments, err := c.store.CountComments(ctx, sourceID, nil, nil)
	if err != nil {
		return err
	}
	units, err := c.store.Units(ctx, sourceID)
	if err != nil {
		return err
	}
	n.comments, n.units, n.good = comments, units, time.Now().Add(countRest*time.Since(begun))
	return nil
}
