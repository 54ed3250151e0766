package web

import (
	"context"
	"sync"
	"time"
)

// counts keeps how many comments a source has and what it cost. Counting takes
// longer the more there is, and every open page asks every few seconds: what was
// counted is shown again for twenty times as long as counting took, so
// that all pages together never cost more than a twentieth of one core per source.
type counts struct {
	store Store

	mu   sync.Mutex
	kept map[string]*count
}

type count struct {
	mu       sync.Mutex // one count of a source at a time
	comments int64
	units    int64
	good     time.Time // until then
}

const countRest = 20

func newCounts(s Store) *counts { return &counts{store: s, kept: map[string]*count{}} }

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
	begun := time.Now()
	if begun.Before(n.good) {
		return n.comments, n.units, nil
	}
	if comments, err = c.store.CountComments(ctx, sourceID, nil, nil); err != nil {
		return 0, 0, err
	}
	if units, err = c.store.Units(ctx, sourceID); err != nil {
		return 0, 0, err
	}
	n.comments, n.units, n.good = comments, units, time.Now().Add(countRest*time.Since(begun))
	return comments, units, nil
}
