package simforce

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oauthError is a refusal of the token endpoint.
type oauthError struct {
	status            int
	code, description string
}

func (e *oauthError) write(w http.ResponseWriter) {
	writeJSON(w, e.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{e.code, e.description})
}

func badToken(code, description string) *oauthError {
	return &oauthError{http.StatusBadRequest, code, description}
}

// form reads an OAuth POST.
func form(r *http.Request) (url.Values, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, badToken("invalid_request", "must use HTTP POST")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return nil, badToken("invalid_request", "malformed form")
	}
	if f := r.Form.Get("format"); f != "" && f != "json" {
		return nil, badToken("invalid_request", "the simulator has no format "+f)
	}
	return r.PostForm, nil
}

// client checks the app's own credentials, in the body or as Basic, not both.
func (s *Server) client(r *http.Request, f url.Values) *oauthError {
	id, secret := f.Get("client_id"), f.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		if secret != "" {
			return badToken("invalid_request", "client credentials given twice")
		}
		// RFC 6749 encodes both halves as form values before Base64.
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(pass)
	}
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	switch {
	case !same(id, s.opts.ConsumerKey):
		return badToken("invalid_client_id", "client identifier invalid")
	case secret == "" && s.Knobs().PublicClient:
	case !same(secret, s.opts.ConsumerSecret):
		return badToken("invalid_client", "invalid client credentials")
	}
	return nil
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	f, e := form(r)
	if e == nil {
		if forced := s.takeTokenError(); forced != nil {
			e = forced
		}
	}
	if e == nil {
		e = s.client(r, f)
	}
	if e != nil {
		e.write(w)
		return
	}
	var out *tokenResponse
	switch f.Get("grant_type") {
	case "authorization_code":
		out, e = s.exchange(f)
	case "refresh_token":
		out, e = s.refreshAlone(f)
	default:
		e = badToken("unsupported_grant_type", "grant type not supported")
	}
	if e != nil {
		e.write(w)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// tokenResponse has no expires_in, and its issued_at is text: as the platform's.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Signature    string `json:"signature"`
	Scope        string `json:"scope"`
	InstanceURL  string `json:"instance_url"`
	ID           string `json:"id"`
	TokenType    string `json:"token_type"`
	IssuedAt     string `json:"issued_at"`
}

func (s *Server) tokenResponse(g *grant, sess *session, refresh string) *tokenResponse {
	out := &tokenResponse{
		AccessToken: sess.id, RefreshToken: refresh, Scope: strings.Join(g.Scope, " "),
		InstanceURL: s.instanceURL(), ID: s.identityURL(g.Org, g.User), TokenType: "Bearer",
		IssuedAt: strconv.FormatInt(sess.born.UnixMilli(), 10),
	}
	mac := hmac.New(sha256.New, []byte(s.opts.ConsumerSecret))
	mac.Write([]byte(out.ID + out.IssuedAt))
	out.Signature = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return out
}

// exchange turns a code into a grant.
func (s *Server) exchange(f url.Values) (*tokenResponse, *oauthError) {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	c := s.auth.codes[f.Get("code")]
	switch {
	case c == nil:
		return nil, badToken("invalid_grant", "invalid authorization code")
	case c.used, s.now().Sub(c.born) > attemptLife:
		return nil, badToken("invalid_grant", "expired authorization code")
	case f.Get("redirect_uri") != c.redirect:
		return nil, badToken("redirect_uri_mismatch", "redirect_uri must match configuration")
	}
	verifier := f.Get("code_verifier")
	if c.challenge != "" && verifier == "" {
		return nil, badToken("invalid_grant", "code verifier is required")
	}
	if c.challenge != "" {
		sum := sha256.Sum256([]byte(verifier))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			return nil, badToken("invalid_request", "invalid code verifier")
		}
	}
	c.used = true
	g := s.newGrant(c.org, c.user, c.scope)
	c.grant = g.ID
	return s.tokenResponse(g, s.newSession(g), g.Refresh), nil
}

func (g *grant) lastUsed() time.Time {
	if g.Used.After(g.Born) {
		return g.Used
	}
	return g.Born
}

// maxOld is how many rotated-out refresh tokens a grant remembers.
const maxOld = 1000

// refreshAlone is refresh for one request at a time of the same grant, and as
// slow as the knob says.
func (s *Server) refreshAlone(f url.Values) (*tokenResponse, *oauthError) {
	ms := s.Knobs().RefreshMS
	if ms == 0 {
		return s.refresh(f)
	}
	s.auth.mu.Lock()
	id := ""
	if g := s.auth.byToken[f.Get("refresh_token")]; g != nil {
		id = g.ID
	}
	taken := s.auth.busy[id]
	if !taken {
		s.auth.busy[id] = true
	}
	s.auth.mu.Unlock()
	if taken {
		return nil, badToken("invalid_request", "token request is already being processed")
	}
	defer func() {
		s.auth.mu.Lock()
		delete(s.auth.busy, id)
		s.auth.mu.Unlock()
	}()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return s.refresh(f)
}

// refresh opens a new session for a grant, and rotates as the knobs say.
func (s *Server) refresh(f url.Values) (*tokenResponse, *oauthError) {
	k := s.Knobs()
	gone := badToken("invalid_grant", "expired access/refresh token")
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	given := f.Get("refresh_token")
	g := s.auth.byToken[given]
	if g == nil || g.Revoked {
		return nil, gone
	}
	if idle := time.Duration(k.RefreshIdleSeconds) * time.Second; idle > 0 && s.now().Sub(g.lastUsed()) > idle {
		s.revokeGrant(g)
		return nil, gone
	}
	if life := time.Duration(k.RefreshLifeSeconds) * time.Second; life > 0 && s.now().Sub(g.Born) > life {
		s.revokeGrant(g)
		return nil, gone
	}
	g.Used = s.now()
	if given != g.Refresh {
		if k.ReuseRevokes {
			s.revokeGrant(g)
		}
		return nil, gone
	}
	if k.RefreshKillsSession == "always" || k.RefreshKillsSession == "auto" && k.Rotation == "on" {
		s.endSessionsOf(g.ID)
	}
	refresh := ""
	switch k.Rotation {
	case "echo":
		refresh = g.Refresh
	case "on":
		g.Old = append(g.Old, g.Refresh)
		if len(g.Old) > maxOld {
			delete(s.auth.byToken, g.Old[0])
			g.Old = g.Old[1:]
		}
		g.Refresh = "5Aep861" + tokenText(57)
		s.auth.byToken[g.Refresh] = g
		refresh = g.Refresh
	}
	s.journalGrant(g)
	return s.tokenResponse(g, s.newSession(g), refresh), nil
}

// revoke ends a grant by its refresh token, or one session by its access token.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	f, e := form(r)
	if e != nil {
		e.write(w)
		return
	}
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	token := f.Get("token")
	if g := s.auth.byToken[token]; g != nil && !g.Revoked && g.Refresh == token {
		s.revokeGrant(g)
		return
	}
	if s.auth.sessions[token] != nil {
		s.endSession(token)
		return
	}
	badToken("invalid_token", "invalid token: "+cut(token, 15)).write(w)
}

// introspect tells a client about one of its tokens.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	f, e := form(r)
	if e == nil {
		e = s.client(r, f)
	}
	if e != nil {
		e.write(w)
		return
	}
	ttl := s.Knobs().sessionTTL()
	now := s.now()
	s.auth.mu.Lock()
	token := f.Get("token")
	sess, g := s.auth.sessions[token], s.auth.byToken[token]
	var out map[string]any
	switch {
	case sess != nil && now.Sub(sess.used) <= ttl:
		out = s.introspection(sess.org, sess.user, sess.scope, "access_token", sess.born)
		out["exp"] = sess.used.Add(ttl).Unix()
	case g != nil && !g.Revoked && g.Refresh == token:
		out = s.introspection(g.Org, g.User, g.Scope, "refresh_token", g.Born)
	default:
		out = map[string]any{"active": false}
	}
	s.auth.mu.Unlock()
	if id, ok := out["user_id"].(string); ok {
		delete(out, "user_id")
		if u := s.userByID(id); u != nil {
			out["username"] = u.name
		}
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) introspection(org, user string, scope []string, kind string, born time.Time) map[string]any {
	return map[string]any{
		"active": true, "scope": strings.Join(scope, " "), "client_id": s.opts.ConsumerKey, "sub": s.identityURL(org, user),
		"token_type": kind, "iat": born.Unix(), "nbf": born.Unix(), "user_id": user,
	}
}

func (s *Server) identityURL(org, user string) string { return s.BaseURL() + "/id/" + org + "/" + user }

// instanceURL is where the API is said to be: the base unless a knob moves it.
func (s *Server) instanceURL() string {
	if u := s.Knobs().InstanceURL; u != "" {
		return u
	}
	return s.BaseURL()
}

func (s *Server) whois(w http.ResponseWriter, r *http.Request) (*session, *userInfo) {
	token := bearer(r)
	if token == "" {
		token = r.URL.Query().Get("oauth_token")
	}
	sess := s.live(token)
	if sess == nil {
		// The identity service refuses in plain text.
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("Bad_OAuth_Token"))
		return nil, nil
	}
	return sess, s.userByID(sess.user)
}

func (s *Server) serviceURLs(org, user string) map[string]string {
	base := s.instanceURL()
	return map[string]string{
		"enterprise": base + "/services/Soap/c/{version}/" + org[:15], "metadata": base + "/services/Soap/m/{version}/" + org[:15],
		"partner": base + "/services/Soap/u/{version}/" + org[:15], "rest": base + "/services/data/v{version}/",
		"sobjects": base + "/services/data/v{version}/sobjects/", "search": base + "/services/data/v{version}/search/",
		"query": base + "/services/data/v{version}/query/", "recent": base + "/services/data/v{version}/recent/",
		"profile": base + "/" + user, "custom_domain": base,
	}
}

func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) {
	sess, u := s.whois(w, r)
	if u == nil {
		return
	}
	base := s.instanceURL()
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": s.identityURL(sess.org, u.id), "user_id": u.id, "organization_id": sess.org, "preferred_username": u.name,
		"nickname": u.alias, "name": u.full, "email": u.email, "email_verified": true, "given_name": u.first, "family_name": u.last,
		"zoneinfo": u.zone, "photos": map[string]string{"picture": base + "/profilephoto/005/F", "thumbnail": base + "/profilephoto/005/T"},
		"profile": base + "/" + u.id, "picture": base + "/profilephoto/005/F", "address": map[string]string{},
		"urls": s.serviceURLs(sess.org, u.id), "active": u.active, "user_type": "STANDARD", "language": "en_US", "locale": "en_US",
		"utcOffset": 0, "updated_at": u.updated.Format("2006-01-02T15:04:05Z"), "is_salesforce_integration_user": false,
	})
}

// identity answers the id URL for the user of the token only.
func (s *Server) identity(w http.ResponseWriter, r *http.Request) {
	sess, u := s.whois(w, r)
	if u == nil {
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/id/"), "/")
	if !slices.Equal(parts, []string{sess.org, u.id}) {
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("Wrong_Org"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": s.identityURL(sess.org, u.id), "asserted_user": true, "user_id": u.id, "organization_id": sess.org,
		"username": u.name, "nick_name": u.alias, "display_name": u.full, "email": u.email, "email_verified": true,
		"first_name": u.first, "last_name": u.last, "timezone": u.zone, "active": u.active, "user_type": "STANDARD",
		"language": "en_US", "locale": "en_US", "utcOffset": 0, "urls": s.serviceURLs(sess.org, u.id),
		"is_app_installed": true, "last_modified_date": u.updated.Format(wireDatetime),
	})
}
