package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Channels that transactions notify.
const (
	channelWake     = "integration_wake" // payload: integration id; what a running Watch must look at changed
	channelComments = "comments_changed" // payload: source id
	channelOutbox   = "outbox"           // no payload: a signal waits
)

// OutboxID is what to Wait for to hear of new signals in the outbox.
const OutboxID = "outbox"

// CommentsID is what to Wait for to hear of changed comments of any source.
const CommentsID = "comments"

// Listener hands PostgreSQL notifications to whoever waits for an id. One
// connection serves a whole process, however many integrations wait.
type Listener struct {
	mu      sync.Mutex
	waiters map[string]map[chan struct{}]struct{}
	quiet   time.Duration
}

// listenQuiet is how long a listener hears nothing before it asks whether anybody is there: silence alone does
// not tell a quiet database from a connection that a network has forgotten.
const listenQuiet = 15 * time.Second

// NewListener returns a Listener that hears nothing until Run runs.
func NewListener() *Listener {
	return &Listener{waiters: map[string]map[chan struct{}]struct{}{}, quiet: listenQuiet}
}

// Run listens until ctx ends. When the connection breaks it connects again, and
// then wakes everybody, because notifications may have been missed.
func (l *Listener) Run(ctx context.Context, s *Store) {
	for ctx.Err() == nil {
		_ = l.listen(ctx, s) // an error means: connect again
		l.wakeAll()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (l *Listener) listen(ctx context.Context, s *Store) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	// The connection is for listening only and is not given back to the pool.
	raw := conn.Hijack()
	defer raw.Close(context.WithoutCancel(ctx))
	if _, err := raw.Exec(ctx, `listen `+channelWake+`; listen `+channelComments+`; listen `+channelOutbox); err != nil {
		return err
	}
	l.wakeAll()
	for {
		n, err := l.hear(ctx, raw)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		if n.Channel == channelOutbox {
			l.wake(OutboxID)
			continue
		}
		if n.Channel == channelComments {
			l.wake(CommentsID)
		}
		l.wake(n.Payload)
	}
}

// hear waits for a notification; nil when there was none for a while and the connection is alive.
func (l *Listener) hear(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, l.quiet)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return n, err
	}
	asking, cancel := context.WithTimeout(ctx, signOfLife)
	defer cancel()
	return nil, conn.Ping(asking)
}

// Wait returns a channel that receives when id is notified, and a function to
// stop waiting. A notification between two receives is kept, several are one.
func (l *Listener) Wait(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiters[id] == nil {
		l.waiters[id] = map[chan struct{}]struct{}{}
	}
	l.waiters[id][ch] = struct{}{}
	return ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiters[id], ch)
		if len(l.waiters[id]) == 0 {
			delete(l.waiters, id)
		}
	}
}

func (l *Listener) wake(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.waiters[id] {
		poke(ch)
	}
}

func (l *Listener) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, set := range l.waiters {
		for ch := range set {
			poke(ch)
		}
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
