package simforce

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// scopes are those the connected app may ask for, with the words of the
// consent page. refresh_token and offline_access are one scope.
var scopes = map[string]string{
	"api":                "Manage user data via APIs",
	"refresh_token":      "Perform requests at any time",
	"offline_access":     "Perform requests at any time",
	"id":                 "Access the identity URL service",
	"openid":             "Access unique user identifiers",
	"profile":            "Access your profile",
	"email":              "Access your email address",
	"web":                "Manage user data via Web browsers",
	"full":               "Full access",
	"chatter_api":        "Access Connect REST API resources",
	"custom_permissions": "Access custom permissions",
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43,128}$`)

func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; path {
	case "/services/oauth2/authorize":
		s.authorize(w, r)
	case "/services/oauth2/token":
		s.token(w, r)
	case "/services/oauth2/revoke":
		s.revoke(w, r)
	case "/services/oauth2/introspect":
		s.introspect(w, r)
	case "/services/oauth2/userinfo":
		s.userinfo(w, r)
	case "/.well-known/openid-configuration":
		s.configuration(w)
	default:
		if strings.HasPrefix(path, "/id/") && path != "/id/keys" {
			s.identity(w, r)
			return
		}
		writeHTML(w, http.StatusNotFound, "URL No Longer Exists", "The simulator has no such page.")
	}
}

// authorize shows the login page on GET and takes the answers on POST.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.authorizeStart(w, r)
	case http.MethodPost:
		s.authorizeAnswer(w, r)
	default:
		writeHTML(w, http.StatusMethodNotAllowed, "Method not allowed", "Use GET or POST.")
	}
}

func oauthPage(w http.ResponseWriter, code, description string) {
	writeHTML(w, http.StatusBadRequest, "OAuth Error", "error="+code+"&error_description="+description)
}

func (s *Server) authorizeStart(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a := &attempt{
		redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge"),
		hint: q.Get("login_hint"), born: s.now(),
	}
	// With a bad app or address there is nobody to call back: the user reads it.
	switch {
	case q.Get("client_id") != s.opts.ConsumerKey:
		oauthPage(w, "invalid_client_id", "client identifier invalid")
		return
	case !slices.Contains(s.opts.CallbackURLs, a.redirect):
		oauthPage(w, "redirect_uri_mismatch", "redirect_uri must match configuration")
		return
	case q.Get("response_type") != "code":
		oauthPage(w, "unsupported_response_type", "response type not supported")
		return
	}
	a.scope = strings.Fields(q.Get("scope"))
	if len(a.scope) == 0 {
		a.scope = []string{"api", "refresh_token"}
	}
	for _, name := range a.scope {
		if scopes[name] == "" {
			oauthPage(w, "invalid_scope", "the requested scope is not allowed")
			return
		}
	}
	if e := s.Knobs().AuthorizeError; e != nil {
		callback(w, r, a, url.Values{"error": {e.Error}, "error_description": {e.Description}})
		return
	}
	if a.challenge == "" && s.Knobs().RequirePKCE {
		callback(w, r, a, url.Values{"error": {"invalid_request"}, "error_description": {"missing required code challenge"}})
		return
	}
	method := q.Get("code_challenge_method")
	if method != "" && method != "S256" || a.challenge == "" && method != "" || a.challenge != "" && !challengeForm.MatchString(a.challenge) {
		callback(w, r, a, url.Values{"error": {"invalid_request"}, "error_description": {"invalid code challenge"}})
		return
	}
	id := randomHex(16)
	s.auth.mu.Lock()
	for old, x := range s.auth.attempts {
		if a.born.Sub(x.born) > attemptLife {
			delete(s.auth.attempts, old)
		}
	}
	for old, c := range s.auth.codes {
		if a.born.Sub(c.born) > 2*attemptLife {
			delete(s.auth.codes, old)
		}
	}
	s.auth.attempts[id] = a
	s.auth.mu.Unlock()
	s.showLogin(w, id, a.hint, "")
}

// callback sends the browser back to the app.
func callback(w http.ResponseWriter, r *http.Request, a *attempt, values url.Values) {
	if a.state != "" {
		values.Set("state", a.state)
	}
	sep := "?"
	if strings.Contains(a.redirect, "?") {
		sep = "&"
	}
	http.Redirect(w, r, a.redirect+sep+values.Encode(), http.StatusFound) //nolint:gosec // one of the registered callbacks, byte for byte
}

// authorizeAnswer takes the login form (attempt, username) and the consent form
// (attempt, username, decision). A script may send the second at once.
func (s *Server) authorizeAnswer(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeHTML(w, http.StatusBadRequest, "Bad form", err.Error())
		return
	}
	id, username, decision := r.PostForm.Get("attempt"), r.PostForm.Get("username"), r.PostForm.Get("decision")
	s.auth.mu.Lock()
	a := s.auth.attempts[id]
	s.auth.mu.Unlock()
	if a == nil || s.now().Sub(a.born) > attemptLife {
		writeHTML(w, http.StatusBadRequest, "Login expired", "Start again from the application.")
		return
	}
	u := s.userNamed(username)
	if u == nil || !u.active {
		s.showLogin(w, id, username, "Please check your username. If you still can't log in, contact your Salesforce administrator.")
		return
	}
	switch decision {
	case "":
		s.showConsent(w, id, u, a)
		return
	case "allow", "deny":
	default:
		writeHTML(w, http.StatusBadRequest, "Bad form", "decision must be allow or deny.")
		return
	}
	s.auth.mu.Lock()
	delete(s.auth.attempts, id)
	if decision == "deny" {
		s.auth.mu.Unlock()
		callback(w, r, a, url.Values{"error": {"access_denied"}, "error_description": {"end-user denied authorization"}})
		return
	}
	text := "aPrx" + tokenText(44) + "=="
	s.auth.codes[text] = &code{attempt: *a, org: u.org, user: u.id}
	s.auth.codes[text].born = s.now()
	s.auth.mu.Unlock()
	callback(w, r, a, url.Values{"code": {text}})
}

func (s *Server) configuration(w http.ResponseWriter) {
	base := s.BaseURL()
	at := func(name string) string { return base + "/services/oauth2/" + name }
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": base, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
		"revocation_endpoint": at("revoke"), "userinfo_endpoint": at("userinfo"), "introspection_endpoint": at("introspect"),
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"scopes_supported":                      slices.Sorted(mapKeys(scopes)),
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
	})
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-cache, no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client may be gone
}
