package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
)

// shared is a buffer that is read while it is written.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// watched is a `starter status` that is under way.
type watched struct {
	t         *testing.T
	out, talk shared
	stop      context.CancelFunc // Ctrl-C
	code      chan int
}

func (b *bench) watch(terminal bool, args ...string) *watched {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	w := &watched{t: b.t, stop: stop, code: make(chan int, 1)}
	a := &app{in: strings.NewReader(""), out: &w.out, talk: &w.talk, terminal: terminal, watchEvery: 50 * time.Millisecond,
		lookup: func(name string) string { return b.env[name] }}
	go func() { w.code <- a.run(ctx, args) }()
	b.t.Cleanup(stop)
	return w
}

func (w *watched) shows(words string) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(w.out.String(), words); time.Sleep(20 * time.Millisecond) {
		require.True(w.t, time.Now().Before(end), "no %q in %q, %s", words, w.out.String(), w.talk.String())
	}
}

// ends waits for the exit code.
func (w *watched) ends(code int) {
	w.t.Helper()
	select {
	case got := <-w.code:
		require.Equal(w.t, code, got, w.talk.String())
	case <-time.After(2 * time.Minute):
		require.Fail(w.t, "it does not end", w.out.String())
	}
}

func TestWatchUntilDone(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := b.applyTwo("--no-start")
	id := b.integration(name).ID
	seed.Exec(`update streams set verified_to = now() where lane = 'live' and object = 'Case'`)
	load := seed.Backfill(id, "EmailMessage", true, 2000)
	seed.Part(load, 1000, store.PartReady, true)
	w := b.watch(false, "status", name, "--until-done")
	w.shows("EmailMessage: first load  " + bar(0.5) + "  1,000 of 2,000 rows  17 rows/s  1m left\n")
	seed.Part(load, 1000, store.PartReady, true)
	w.shows(bar(0.99) + "  2,000 of 2,000 rows")
	require.NoError(t, b.db.EndBackfill(t.Context(), load, store.BackfillDone))
	w.shows("first load is done: 2,000 rows in ")
	require.Empty(t, w.code, "the object is not complete up to any moment yet")
	seed.Exec(`update streams set verified_to = now() where lane = 'live'`)
	// A whole status is due at the latest when a load begins or ends.
	again := seed.Backfill(id, "Case", false, 0)
	w.shows("Case: backfill  " + bar(-1) + "  0 rows")
	require.NoError(t, b.db.EndBackfill(t.Context(), again, store.BackfillDone))
	w.ends(exitOK)
	out := w.out.String()
	require.NotContains(t, out, "\x1b", "no terminal, no escapes")
	require.Equal(t, 1, strings.Count(out, "1,000 of 2,000"), "a line is written when it changes")
}

func TestWatchEndsWhenALoadIsCancelled(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := b.applyTwo("--no-start")
	seed.Exec(`update streams set verified_to = now() where lane = 'live'`)
	load := seed.Backfill(b.integration(name).ID, "Case", false, 2000)
	w := b.watch(false, "status", name, "--watch", "--until-done")
	w.shows("0 of 2,000 rows")
	seed.Exec(`update backfills set desired = 'cancelled'`)
	w.shows("waits: it is being cancelled")
	require.NoError(t, b.db.EndBackfill(t.Context(), load, store.BackfillCancelled))
	w.ends(exitRuntime)
	require.Contains(t, w.talk.String(), "the load of Case was cancelled")
	require.Contains(t, w.talk.String(), "starter backfill "+name+" --object Case")
	b.watch(false, "status", name, "--until-done").ends(exitOK) // it was no first load: all that was here is

	seed.Exec(`update backfills set first = true`)
	b.watch(false, "status", name, "--until-done").ends(exitRuntime)
}

func TestWatchEndsWithCtrlC(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := b.applyTwo("--no-start")
	seed.Backfill(b.integration(name).ID, "EmailMessage", true, 0)

	w := b.watch(true, "status", name, "--watch")
	w.shows("Ctrl-C ends the watching, not the sync")
	w.shows(screenTop + name + "  ")
	w.stop()
	w.ends(exitOK)
	out := w.out.String()
	require.True(t, strings.HasPrefix(out, screenEnter+screenTop), "a screen of its own")
	_, last, left := strings.Cut(out, screenLeave)
	require.True(t, left, "the reader's screen and cursor are back")
	require.Contains(t, last, name+"  ")
	require.Contains(t, last, "EmailMessage: first load  "+bar(-1))
	require.NotContains(t, last, "Ctrl-C")
	require.NotContains(t, last, "\x1b")

	w = b.watch(false, "status", name, "--until-done")
	w.shows("0 rows")
	w.stop()
	w.ends(exitRuntime)
	require.Contains(t, w.talk.String(), "stopped before everything was loaded")
}

func TestWatchInJSON(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := b.applyTwo("--no-start")
	seed.Backfill(b.integration(name).ID, "EmailMessage", true, 0)
	w := b.watch(true, "status", name, "--watch", "--json")
	require.Eventually(t, func() bool { return strings.Count(w.out.String(), "\n") > 1 }, 2*time.Minute, 20*time.Millisecond)
	w.stop()
	w.ends(exitOK)
	for line := range strings.Lines(w.out.String()) {
		var s statusView
		require.NoError(t, json.Unmarshal([]byte(line), &s), line)
		require.True(t, s.Objects[0].Backfill.First)
	}
}

func TestWatchNeedsAName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("status", "--watch").bad(exitInput, "starter status takes one PROJECT/INTEGRATION")
	b.watch(true, "status", "support/none", "--watch").ends(exitInput)
	name, _ := b.apply("--no-start")
	w := b.watch(true, "status", name+"x", "--watch")
	w.ends(exitInput)
	require.Empty(t, w.out.String(), "a mistake does not take the screen")
}

// An integration that is deleted while it is watched ends the watching.
func TestWatchEndsWithItsIntegration(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	w := b.watch(false, "status", name, "--watch")
	w.shows("awaiting_authorization")
	require.NoError(t, b.db.SetDesired(t.Context(), b.integration(name).ID, store.DesiredDeleted))
	require.NoError(t, b.db.DeleteIntegration(t.Context(), b.integration(name).ID, false))
	w.ends(exitInput)
}
