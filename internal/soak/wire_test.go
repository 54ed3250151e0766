package soak

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// wire is the way to Salesforce. Every call says in its context on whose behalf it is
// made, and what is to happen to that one on its way: so a worker can die between any
// two bytes of its work, and the world can change behind the back of a reader.
type wire struct {
	next http.RoundTripper
	bend *bend // a broken product, or nil
}

// actor is one attempt of one activity.
type actor struct {
	mu     sync.Mutex
	calls  int
	before map[int]func() // what happens before call n is sent, from 0
	after  map[int]func() // what happens when its answer has arrived
}

type actorKey struct{}

func (a *actor) on(ctx context.Context) context.Context { return context.WithValue(ctx, actorKey{}, a) }

// newActor is an attempt to which nothing happens yet.
func newActor() *actor { return &actor{before: map[int]func(){}, after: map[int]func(){}} }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	a, _ := req.Context().Value(actorKey{}).(*actor)
	if strings.HasPrefix(req.URL.Path, "/services/oauth2/") {
		a = nil // a refresh holds its lock: whoever is held there would hold everybody
	}
	n := 0
	if a != nil {
		a.mu.Lock()
		n = a.calls
		a.calls++
		a.mu.Unlock()
		if f := a.before[n]; f != nil {
			f()
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if w.bend != nil {
		req = w.bend.request(req)
	}
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// Whole, before anybody is held: an answer that nobody reads would hold the simulator.
	body, cut := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{cut}))
	if a != nil {
		if f := a.after[n]; f != nil {
			f()
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return resp, nil
}

// broken ends a body as it ended.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil || errors.Is(b.err, io.EOF) {
		return 0, io.EOF
	}
	return 0, b.err
}

// held is an activity that stopped in the middle of its work and may go on later, when
// somebody else has long done it again.
type held struct {
	what   string
	at     chan struct{} // closed when it is held
	goOn   chan struct{}
	done   chan struct{}
	resume sync.Once
}

// hold starts f as an attempt of its own and returns when it is held at its call n, or
// has ended without coming so far.
func hold(ctx context.Context, what string, n int, answered bool, f func(context.Context)) *held {
	h := &held{what: what, at: make(chan struct{}), goOn: make(chan struct{}), done: make(chan struct{})}
	a := newActor()
	stop := func() {
		close(h.at)
		<-h.goOn
	}
	if answered {
		a.after[n] = stop
	} else {
		a.before[n] = stop
	}
	go func() {
		defer close(h.done)
		f(a.on(ctx))
	}()
	select {
	case <-h.at:
	case <-h.done:
	}
	return h
}

// finish lets it go on and waits for its end.
func (h *held) finish() {
	h.resume.Do(func() { close(h.goOn) })
	<-h.done
}
