package simforce

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// session is one access token. Its life slides with use.
type session struct {
	id    string // the access token
	org   string
	user  string
	grant string
	scope []string
	born  time.Time
	used  time.Time
}

// grant is a user's standing permission to the connected app: the family of a
// refresh token and all its successors and sessions.
type grant struct {
	ID      string    `json:"id"`
	Org     string    `json:"org"`
	User    string    `json:"user"`
	Scope   []string  `json:"scope"`
	Refresh string    `json:"refresh,omitempty"` // live refresh token
	Old     []string  `json:"old,omitempty"`     // rotated-out ones
	Revoked bool      `json:"revoked,omitempty"`
	Born    time.Time `json:"born"`
	// Used is when the refresh token was last presented.
	Used time.Time `json:"used,omitzero"`

	ordinal int // which grant of this run it is
}

// attempt is a user in front of the login or consent page.
type attempt struct {
	redirect, state, challenge, hint string
	scope                            []string
	born                             time.Time
}

// code is an authorization code between consent and exchange.
type code struct {
	attempt
	org, user string
	used      bool
	grant     string
}

// attemptLife bounds pages left open and codes not exchanged.
const attemptLife = 15 * time.Minute

// auth holds everything OAuth. Lock order: auth.mu may be held while reading
// users under Server.mu, never the other way round.
type auth struct {
	mu       sync.Mutex
	attempts map[string]*attempt
	codes    map[string]*code
	grants   map[string]*grant
	byToken  map[string]*grant // live and rotated-out refresh tokens
	sessions map[string]*session
	busy     map[string]bool // grants of which a refresh is on its way
}

func (a *auth) init() {
	a.attempts = map[string]*attempt{}
	a.codes = map[string]*code{}
	a.grants = map[string]*grant{}
	a.byToken = map[string]*grant{}
	a.sessions = map[string]*session{}
	a.busy = map[string]bool{}
}

// tokenText makes n random bytes look like a token; '.' and '_' occur as in
// real ones.
func tokenText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return strings.NewReplacer("+", ".", "/", "_").Replace(base64.RawStdEncoding.EncodeToString(b))
}

// newSession opens a session for a grant. The caller holds auth.mu.
func (s *Server) newSession(g *grant) *session {
	now := s.now()
	k := s.Knobs()
	ttl := k.sessionTTL()
	for id, old := range s.auth.sessions {
		if now.Sub(old.used) > ttl {
			s.endSession(id)
		}
	}
	sess := &session{
		id: g.Org[:15] + "!AQ" + tokenText(k.TokenBytes), org: g.Org, user: g.User, grant: g.ID, scope: g.Scope, born: now, used: now,
	}
	s.auth.sessions[sess.id] = sess
	s.journalSession(sess, false)
	return sess
}

func (s *Server) endSession(id string) {
	if sess := s.auth.sessions[id]; sess != nil {
		delete(s.auth.sessions, id)
		s.journalSession(sess, true)
	}
}

func (s *Server) endSessionsOf(grantID string) {
	for id, sess := range s.auth.sessions {
		if sess.grant == grantID {
			s.endSession(id)
		}
	}
}

// revokeGrant kills a family: its refresh token and every session.
func (s *Server) revokeGrant(g *grant) {
	g.Revoked = true
	s.endSessionsOf(g.ID)
	s.journalGrant(g)
}

// bearer reads the token of an Authorization header.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth") {
		return strings.TrimSpace(token)
	}
	return ""
}

// live finds a session and extends its life.
func (s *Server) live(token string) *session {
	ttl := s.Knobs().sessionTTL()
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	sess := s.auth.sessions[token]
	if sess == nil {
		return nil
	}
	now := s.now()
	if now.Sub(sess.used) > ttl {
		s.endSession(token)
		return nil
	}
	sess.used = now
	return sess
}

// authenticate finds the session of a data API request.
func (s *Server) authenticate(r *http.Request) (*session, *apiError) {
	token := bearer(r)
	if token == "" {
		return nil, refuse(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
	}
	sess := s.live(token)
	if sess == nil {
		return nil, errSession()
	}
	if !slices.Contains(sess.scope, "api") && !slices.Contains(sess.scope, "full") {
		return nil, refuse(http.StatusUnauthorized, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
	}
	return sess, nil
}

// Login opens a session for a user without the pages, for tests of everything
// but OAuth. It returns the access token; username must exist.
func (s *Server) Login(username string) (accessToken string, err error) {
	t, err := s.Grant(username)
	return t.AccessToken, err
}

// Tokens are what one grant gives.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	InstanceURL  string `json:"instance_url"`
}

// Grant makes a grant with scopes api and refresh_token without the pages.
func (s *Server) Grant(username string) (Tokens, error) {
	u := s.userNamed(username)
	if u == nil {
		return Tokens{}, errNotFound()
	}
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	g := s.newGrant(u.org, u.id, []string{"api", "refresh_token"})
	return Tokens{s.newSession(g).id, g.Refresh, s.instanceURL()}, nil
}

func (s *Server) newGrant(org, user string, scope []string) *grant {
	g := &grant{ID: randomHex(8), Org: org, User: user, Scope: scope, Born: s.now(), ordinal: len(s.auth.grants)}
	if slices.Contains(scope, "refresh_token") || slices.Contains(scope, "offline_access") {
		g.Refresh = "5Aep861" + tokenText(57)
		s.auth.byToken[g.Refresh] = g
	}
	s.auth.grants[g.ID] = g
	s.journalGrant(g)
	s.evict(user)
	return g
}

// evict revokes the oldest grants of a user when there are more than allowed.
func (s *Server) evict(user string) {
	most := s.Knobs().GrantsMax
	var mine []*grant
	for _, g := range s.auth.grants {
		if g.User == user && !g.Revoked {
			mine = append(mine, g)
		}
	}
	if most == 0 || len(mine) <= most {
		return
	}
	slices.SortFunc(mine, func(a, b *grant) int { return cmp.Or(a.Born.Compare(b.Born), cmp.Compare(a.ordinal, b.ordinal)) })
	for _, g := range mine[:len(mine)-most] {
		s.revokeGrant(g)
	}
}
