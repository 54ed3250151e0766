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
	// LocatorTTLSeconds is the life of a cursor.
	LocatorTTLSeconds int `json:"locator_ttl_seconds"`
	// PageMax is the most rows of a page, below the sizes the platform has
	// anyway; 0 leaves those.
	PageMax int `json:"page_max"`
	// QueryLimits make queries time out or be too large.
	QueryLimits QueryLimits `json:"query_limits"`
	// Bulk are those of Bulk API 2.0.
	Bulk BulkKnobs `json:"bulk"`
	// URIMax is the longest request URI in bytes; longer ones get 414.
	URIMax int `json:"uri_max"`
	// ReplicationMax is the most ids getUpdated and getDeleted give.
	ReplicationMax int `json:"replication_max"`
	// ConcurrentMax is how many data requests may be in flight, 0 any number;
	// ConcurrentOthers pretends that so many of other programs are.
	ConcurrentMax    int `json:"concurrent_max"`
	ConcurrentOthers int `json:"concurrent_others"`
	// RefreshIdleSeconds is after how long without use a refresh token expires; 0
	// never.
	RefreshIdleSeconds int `json:"refresh_idle_seconds"`
	// RefreshLifeSeconds is after how long a refresh token expires however it is
	// used; 0 never.
	RefreshLifeSeconds int `json:"refresh_life_seconds"`
	// RefreshMS is how long a refresh takes by the wall clock; another one for the
	// same grant meanwhile is refused as already being processed.
	RefreshMS int `json:"refresh_ms"`
	// GrantsMax is how many grants a user may have; the oldest is revoked when there
	// are more. 0 is any number.
	GrantsMax int `json:"grants_max"`
	// RequirePKCE refuses to authorize without a code challenge; PublicClient does
	// without the consumer secret, though a wrong one is still refused.
	RequirePKCE  bool `json:"require_pkce"`
	PublicClient bool `json:"public_client"`
	// TokenBytes is how many random bytes an access token has.
	TokenBytes int `json:"token_bytes"`
	// Maintenance is an outage.
	Maintenance Maintenance `json:"maintenance"`
	// WrongHost is the answer to requests for another host than that of
	// InstanceURL (data) or BaseURL (login): "serve" (all the same), "redirect"
	// (302 to the right one), "session" (401 INVALID_SESSION_ID) or "snag" (420
	// with HTML). The login host never answers otherwise than by redirect.
	WrongHost string `json:"wrong_host"`
	// LatencyMS delays every request by the wall clock.
	LatencyMS int `json:"latency_ms"`
	// QuotaMax is the org's daily requests.
	QuotaMax int `json:"quota_max"`
	// QuotaSoft is how many requests beyond QuotaMax are let through.
	QuotaSoft int `json:"quota_soft"`
	// LimitInfo is the form of Sforce-Limit-Info: "plain", "per_app" (with the share
	// of the app behind it) or "off" (no header).
	LimitInfo string `json:"limit_info"`
	// LimitsLagSeconds is how old the numbers may be that limits and
	// Sforce-Limit-Info give.
	LimitsLagSeconds int `json:"limits_lag_seconds"`
	// CascadeDelete is what becomes of the children of a deleted row: "stamp"
	// (deleted with a new stamp), "keep" (deleted, stamps as they were) or "drop"
	// (gone without a row; only getDeleted knows).
	CascadeDelete string `json:"cascade_delete"`
	// HardDeletesLogged enters hard deletions into the log of getDeleted.
	HardDeletesLogged bool `json:"hard_deletes_logged"`
	// HiddenParents is what a visible row shows of a parent the user may not see:
	// "show" (all of its fields) or "null" (no parent). Formulas see it all the same.
	HiddenParents string `json:"hidden_parents"`
	// QuietMerge re-points the children of merged rows without a new stamp.
	QuietMerge bool `json:"quiet_merge"`
	// MatchRecipients makes outgoing mail of the loader and the writer keep only
	// unknown addresses in ToAddress and CcAddress; contacts stand in
	// EmailMessageRelation alone.
	MatchRecipients bool `json:"match_recipients"`
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
	case !slices.Contains([]string{"serve", "redirect", "session", "snag"}, k.WrongHost):
		return fmt.Errorf("wrong_host must be serve, redirect, session or snag, not %q", k.WrongHost)
	case k.LocatorTTLSeconds < 1, k.URIMax < 1, k.ReplicationMax < 1:
		return fmt.Errorf("locator_ttl_seconds, uri_max and replication_max must be positive")
	case k.PageMax < 0, k.ConcurrentMax < 0, k.ConcurrentOthers < 0, k.RefreshIdleSeconds < 0:
		return fmt.Errorf("page_max, concurrent_max, concurrent_others and refresh_idle_seconds must not be negative")
	case !slices.Contains([]string{"stamp", "keep", "drop"}, k.CascadeDelete):
		return fmt.Errorf("cascade_delete must be stamp, keep or drop, not %q", k.CascadeDelete)
	case !slices.Contains([]string{"plain", "per_app", "off"}, k.LimitInfo):
		return fmt.Errorf("limit_info must be plain, per_app or off, not %q", k.LimitInfo)
	case k.RefreshLifeSeconds < 0, k.RefreshMS < 0, k.GrantsMax < 0, k.QuotaSoft < 0, k.LimitsLagSeconds < 0, k.TokenBytes < 24:
		return fmt.Errorf("refresh_life_seconds, refresh_ms, grants_max, quota_soft and limits_lag_seconds must not be negative, token_bytes at least 24")
	case k.Bulk.check() != nil:
		return k.Bulk.check()
	case !slices.Contains([]string{"show", "null"}, k.HiddenParents):
		return fmt.Errorf("hidden_parents must be show or null, not %q", k.HiddenParents)
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
		QuotaMax: o.DailyRequests, WriterRate: o.Rate, CascadeDelete: "stamp", HiddenParents: "show", Bulk: defaultBulk, LimitInfo: "plain", TokenBytes: 66,
		LocatorTTLSeconds: 48 * 3600, URIMax: maxHead, ReplicationMax: maxReplicated, WrongHost: "serve", MatchRecipients: o.MatchRecipients,
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
	next.QueryLimits.Objects, next.Bulk.Refused = slices.Clone(next.QueryLimits.Objects), slices.Clone(next.Bulk.Refused)
	if f := next.Bulk.Fail; f != nil {
		c := *f
		next.Bulk.Fail = &c
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
	if ms := s.Knobs().LatencyMS; ms > 0 {
		pause(r, ms)
	}
}

func pause(r *http.Request, ms int) {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
