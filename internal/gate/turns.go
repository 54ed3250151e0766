package gate

import (
	"context"
	"slices"
	"sync"
)

// Turns has a number of places and lets those who wait for one in by turns: after one of a key
// comes one of the next key, however many of the first wait. The zero value has no place; it is
// safe for concurrent use.
type Turns struct {
	mu      sync.Mutex
	free    int
	order   []string // keys with somebody who waits, the next one first
	waiting map[string][]chan struct{}
}

// NewTurns makes Turns with so many places, at least one.
func NewTurns(places int) *Turns {
	return &Turns{free: max(places, 1), waiting: map[string][]chan struct{}{}}
}

// Enter waits for a place for as long as ctx lasts, whose cause is the error. Whoever got one calls
// leave when done.
func (t *Turns) Enter(ctx context.Context, key string) (leave func(), err error) {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return t.leave, nil
	}
	turn := make(chan struct{})
	if len(t.waiting[key]) == 0 {
		t.order = append(t.order, key)
	}
	t.waiting[key] = append(t.waiting[key], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return t.leave, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting[key], turn)
	if i >= 0 {
		t.waiting[key] = slices.Delete(t.waiting[key], i, i+1)
		if len(t.waiting[key]) == 0 {
			t.forget(key)
		}
	}
	t.mu.Unlock()
	if i < 0 { // its turn came at the same moment: the next one may have it
		t.leave()
	}
	return nil, context.Cause(ctx)
}

// leave hands the place to whoever is next.
func (t *Turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	key := t.order[0]
	first, rest := t.waiting[key][0], t.waiting[key][1:]
	if t.waiting[key] = rest; len(rest) == 0 {
		t.forget(key)
	} else {
		t.order = append(t.order[1:], key)
	}
	close(first)
}

// forget takes a key out for which nobody waits any more. The lock is held.
func (t *Turns) forget(key string) {
	delete(t.waiting, key)
	t.order = slices.DeleteFunc(t.order, func(k string) bool { return k == key })
}
