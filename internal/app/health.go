package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/fault"
)

// Health answers whether a process is alive and whether it can work.
type Health struct {
	log *zap.Logger

	mu     sync.Mutex
	phase  string // "" = running
	checks []check

	asking sync.Mutex // one round of checks at a time
	asked  time.Time
	last   map[string]string
	ready  bool
}

// check is one thing that a process needs to do its work.
type check struct {
	name string
	ask  func(ctx context.Context) error
}

// Bounds of a round of checks: anybody may ask, so answers are kept for a moment.
const (
	checkTimeout = 3 * time.Second
	checkKept    = time.Second
)

func newHealth(log *zap.Logger) *Health { return &Health{log: log, ready: true} }

// Add adds a check to readiness.
func (h *Health) Add(name string, ask func(ctx context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, ask})
}

// setPhase says why the process is not ready, whatever its checks say; "" is running.
func (h *Health) setPhase(phase string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = phase
}

// Alive is GET /healthz: the process answers.
func (h *Health) Alive(w http.ResponseWriter, _ *http.Request) { writeHealth(w, true, nil) }

// Ready is GET /readyz: 200 when every check is good, else 503. It names the
// checks and what kind of trouble they have, never its cause, which goes into the
// log: anybody may ask.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	phase, checks := h.phase, append([]check{}, h.checks...)
	h.mu.Unlock()
	if phase != "" {
		writeHealth(w, false, map[string]string{"process": phase})
		return
	}
	// Whoever asked may have gone: the answer is for the next one, too.
	ready, results := h.ask(context.WithoutCancel(r.Context()), checks)
	writeHealth(w, ready, results)
}

func (h *Health) ask(ctx context.Context, checks []check) (bool, map[string]string) {
	h.asking.Lock()
	defer h.asking.Unlock()
	if time.Since(h.asked) < checkKept {
		return h.ready, h.last
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	problems := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { problems[i] = c.ask(ctx) })
	}
	all.Wait()

	before := h.ready
	h.ready, h.last, h.asked = true, map[string]string{}, time.Now()
	for i, c := range checks {
		h.last[c.name] = kindOfTrouble(problems[i])
		h.ready = h.ready && problems[i] == nil
	}
	if before && !h.ready {
		h.log.Warn("not ready", zap.Error(errors.Join(problems...)))
	} else if !before && h.ready {
		h.log.Info("ready again")
	}
	return h.ready, h.last
}

func kindOfTrouble(err error) string {
	switch {
	case err == nil:
		return "ok"
	case fault.Is(err, fault.Invalid):
		return "not usable"
	}
	return "unreachable"
}

func writeHealth(w http.ResponseWriter, good bool, checks map[string]string) {
	status, code := "ok", http.StatusOK
	if !good {
		status, code = "error", http.StatusServiceUnavailable
	}
	answer := map[string]any{"status": status}
	if checks != nil {
		answer["checks"] = checks
	}
	body, _ := json.Marshal(answer) // strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
