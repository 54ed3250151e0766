package gate

import (
	"context"
	"fmt"
	"time"

	"salesforcesync/internal/fault"
)

// Patience is how long callers wait for a place where nothing speaks for
// another time: people still wait, and programs have not given up yet.
const Patience = 5 * time.Second

// Gate has a number of places. It is safe for concurrent use.
type Gate struct {
	what     string
	places   chan struct{}
	patience time.Duration
}

// New makes a Gate with so many places, at least one. what names the work for errors, such
// as "hash a password"; patience is how long a caller waits for a place.
func New(what string, places int, patience time.Duration) *Gate {
	return &Gate{what: what, places: make(chan struct{}, max(places, 1)), patience: patience}
}

// Enter takes a place, in the order of asking. Whoever got one calls leave when done.
// Errors: fault.Transient with RetryAfter when there was none within the gate's
// patience, and the context's own when ctx ended first.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g.places }
	select {
	case g.places <- struct{}{}:
		return leave, nil
	default:
	}
	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	select {
	case g.places <- struct{}{}:
		return leave, nil
	case <-patience.C:
		busy := fault.New(fault.Transient, "wait to %s: %d do so already", g.what, cap(g.places)).WithHint("try again in a few seconds")
		busy.RetryAfter = g.patience
		return nil, busy
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to %s: %w", g.what, ctx.Err())
	}
}
