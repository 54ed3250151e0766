package simforce

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Knobs are the behaviours a test can turn while the simulator runs.
type Knobs struct {
	// Rotation of refresh tokens: "off" (none returned), "on" (a new one each
	// time), "echo" (the same one returned).
	Rotation string `json:"rotation"`
	// ReuseRevokes makes a rotated-out refresh token kill its whole family.
	ReuseRevokes bool `json:"reuse_revokes"`
	// RefreshKillsSession says whether a refresh ends the sessions before it:
	// "auto" (when Rotation is on), "always" or "never".
	RefreshKillsSession string `json:"refresh_kills_session"`
	// SessionTTLSeconds is the sliding life of an access token.
	SessionTTLSeconds int `json:"session_ttl_seconds"`
	// ForeignLocator is the error for a cursor of another session: "locator"
	// (400 INVALID_QUERY_LOCATOR) or "session" (401 INVALID_SESSION_ID).
	ForeignLocator string `json:"foreign_locator"`
	// LatencyMS delays every request.
	LatencyMS int `json:"latency_ms"`
	// QuotaMax is the org's daily requests.
	QuotaMax int `json:"quota_max"`
	// WriterRate is how many records Run writes per second.
	WriterRate float64 `json:"writer_rate"`
	// InstanceURL replaces the base URL in token answers when set.
	InstanceURL string `json:"instance_url"`
	// AuthorizeError sends every user back to the app with this error.
	AuthorizeError *OAuthFault `json:"authorize_error"`
	// TokenError is the answer of the token endpoint while set.
	TokenError *OAuthFault `json:"token_error"`
}

// OAuthFault is an error of the authorize or token endpoint.
type OAuthFault struct {
	Status      int    `json:"status,omitempty"` // 400 when 0
	Error       string `json:"error"`
	Description string `json:"error_description"`
	// Times is after how many answers the fault ends; 0 stays until cleared.
	Times int `json:"times,omitempty"`
}

func (k Knobs) sessionTTL() time.Duration { return time.Duration(k.SessionTTLSeconds) * time.Second }

func (k Knobs) check() error {
	switch {
	case !slices.Contains([]string{"off", "on", "echo"}, k.Rotation):
		return fmt.Errorf("rotation must be off, on or echo, not %q", k.Rotation)
	case !slices.Contains([]string{"auto", "always", "never"}, k.RefreshKillsSession):
		return fmt.Errorf("refresh_kills_session must be auto, always or never, not %q", k.RefreshKillsSession)
	case !slices.Contains([]string{"locator", "session"}, k.ForeignLocator):
		return fmt.Errorf("foreign_locator must be locator or session, not %q", k.ForeignLocator)
	case k.SessionTTLSeconds < 1, k.LatencyMS < 0, k.QuotaMax < 0, k.WriterRate < 0:
		return fmt.Errorf("session_ttl_seconds must be positive; latency_ms, quota_max and writer_rate must not be negative")
	}
	return nil
}

type knobs struct {
	mu sync.Mutex
	k  Knobs
}

func (k *knobs) init(o Options) {
	k.k = Knobs{
		Rotation: "off", ReuseRevokes: true, RefreshKillsSession: "auto", SessionTTLSeconds: 7200, ForeignLocator: "locator",
		QuotaMax: o.DailyRequests, WriterRate: o.Rate,
	}
}

// Knobs returns the present settings.
func (s *Server) Knobs() Knobs {
	s.knobs.mu.Lock()
	defer s.knobs.mu.Unlock()
	return s.knobs.k
}

// SetKnobs changes settings through change, which gets the present ones. A
// setting that makes no sense is refused and nothing changes.
func (s *Server) SetKnobs(change func(*Knobs)) error {
	s.knobs.mu.Lock()
	defer s.knobs.mu.Unlock()
	next := s.knobs.k
	for _, f := range []**OAuthFault{&next.AuthorizeError, &next.TokenError} {
		if *f != nil {
			c := **f
			*f = &c
		}
	}
	change(&next)
	if err := next.check(); err != nil {
		return err
	}
	s.knobs.k = next
	return nil
}

// takeTokenError uses up one forced answer of the token endpoint.
func (s *Server) takeTokenError() *oauthError {
	s.knobs.mu.Lock()
	defer s.knobs.mu.Unlock()
	f := s.knobs.k.TokenError
	if f == nil {
		return nil
	}
	switch f.Times {
	case 0:
	case 1:
		s.knobs.k.TokenError = nil
	default:
		left := *f
		left.Times--
		s.knobs.k.TokenError = &left
	}
	status := f.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	return &oauthError{status, f.Error, f.Description}
}

// delay holds a request back as the latency knob says, unless its client goes.
func (s *Server) delay(r *http.Request) {
	ms := s.Knobs().LatencyMS
	if ms == 0 {
		return
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
