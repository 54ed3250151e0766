package web

import (
	"context"
	"sync"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
)

// kept shows again for a while what takes long to ask. Pages do not wait for it: what is old is shown
// once more while it is asked for anew behind it, and what is not known yet is shown by a later look. All
// pages together never cost more than a twentieth of one core for a key.
type kept[T any] struct {
	least time.Duration // for which an answer is good, at least
	most  time.Duration // that asking may take
	gate  *gate.Gate    // how many ask at a time, whatever for

	mu      sync.Mutex
	entries map[string]*answer[T]
}

// answer is what is kept under a key.
type answer[T any] struct {
	value  T
	known  bool
	err    error         // why it is not known
	good   time.Time     // until then
	asking chan struct{} // closed when the answer is there; nil = nobody asks
}

const (
	keptRest = 20 // times as long as asking took, an answer is good
	keptMost = 20 * time.Second
)

func newKept[T any](g *gate.Gate, least time.Duration) *kept[T] {
	return &kept[T]{least: least, most: keptMost, gate: g, entries: map[string]*answer[T]{}}
}

// of gives what is kept under a key, and asks for it when there is nothing, or it is old. It waits no longer than patience
// for what was never known; known says whether there is something to show. Errors are those of asking, but for
// trouble that passes.
func (k *kept[T]) of(ctx context.Context, key string, patience time.Duration, ask func(context.Context) (T, error)) (value T, known bool, err error) {
	k.mu.Lock()
	a := k.entries[key]
	if a == nil {
		a = &answer[T]{}
		k.entries[key] = a
	}
	if a.asking == nil && time.Now().After(a.good) {
		a.asking = make(chan struct{})
		go k.ask(context.WithoutCancel(ctx), a, ask)
	}
	asking := a.asking
	value, known, err = a.value, a.known, a.err
	k.mu.Unlock()
	if known || asking == nil || patience <= 0 {
		return value, known, passing(err)
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-asking:
	case <-wait.C:
	case <-ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return a.value, a.known, passing(a.err)
}

// ask is the one who asks.
func (k *kept[T]) ask(ctx context.Context, a *answer[T], ask func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(ctx, k.most)
	defer cancel()
	begun := time.Now()
	leave, err := k.gate.Enter(ctx)
	var value T
	if err == nil {
		begun = time.Now()
		value, err = ask(ctx)
		leave()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if err == nil {
		a.value, a.known = value, true
	}
	a.err = err
	a.good = now.Add(max(keptRest*now.Sub(begun), k.least))
	close(a.asking)
	a.asking = nil
}

// passing leaves out of err what passes by itself: old numbers, or none, are better than no page.
func passing(err error) error {
	if fault.Is(err, fault.Transient, fault.Unreachable, fault.Stopped) {
		return nil
	}
	return err
}
