package simforce

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const verifier = "a-verifier-that-is-long-enough-for-the-rules-0123456789"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ask is an authorize URL; pairs replace or, when empty, remove parameters.
func (b *bench) ask(pairs ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {b.opts.ConsumerKey}, "redirect_uri": {testCallback}, "scope": {"api refresh_token"},
		"state": {"st&1"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return b.url + "/services/oauth2/authorize?" + q.Encode()
}

func (b *bench) consent(user string, allow bool, pairs ...string) url.Values {
	b.t.Helper()
	back, err := Consent(context.Background(), b.ask(pairs...), user, allow)
	require.NoError(b.t, err)
	u, err := url.Parse(back)
	require.NoError(b.t, err)
	require.True(b.t, strings.HasPrefix(back, testCallback+"?"))
	return u.Query()
}

func (b *bench) exchange(code string, pairs ...string) answer {
	b.t.Helper()
	f := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testCallback}, "code_verifier": {verifier},
		"client_id": {b.opts.ConsumerKey}, "client_secret": {b.opts.ConsumerSecret},
	}
	for i := 0; i < len(pairs); i += 2 {
		if f.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			f.Del(pairs[i])
		}
	}
	return b.form("/services/oauth2/token", f)
}

func (b *bench) refreshWith(token string) answer {
	b.t.Helper()
	return b.form("/services/oauth2/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {b.opts.ConsumerKey}, "client_secret": {b.opts.ConsumerSecret},
	})
}

func (a answer) oauthError(t *testing.T) string {
	t.Helper()
	require.GreaterOrEqual(t, a.status, 400, a.body)
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	a.into(t, &e)
	return e.Error + ": " + e.Description
}

func (a answer) tokens(t *testing.T) map[string]string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	var m map[string]string // every value is a string, issued_at too
	a.into(t, &m)
	return m
}

func TestWebServerFlow(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	q := b.consent(AdminUser, true)
	require.Equal(t, "st&1", q.Get("state"))
	require.Regexp(t, `^aPrx.+==$`, q.Get("code"))
	tok := b.exchange(q.Get("code")).tokens(t)
	require.NotContains(t, tok, "expires_in")
	require.Equal(t, "Bearer", tok["token_type"])
	require.Equal(t, "api refresh_token", tok["scope"])
	require.Equal(t, b.url, tok["instance_url"])
	require.Equal(t, "1795428000000", tok["issued_at"])
	require.Regexp(t, "^"+b.orgs[0].id[:15]+"!", tok["access_token"])
	mac := hmac.New(sha256.New, []byte(b.opts.ConsumerSecret))
	mac.Write([]byte(tok["id"] + tok["issued_at"]))
	require.Equal(t, base64.StdEncoding.EncodeToString(mac.Sum(nil)), tok["signature"])

	b.token = tok["access_token"]
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	var me map[string]any
	b.do(http.MethodGet, "/services/oauth2/userinfo", nil).into(t, &me)
	require.Equal(t, AdminUser, me["preferred_username"])
	require.Equal(t, b.orgs[0].id, me["organization_id"])
	require.Equal(t, tok["id"], me["sub"])
	b.do(http.MethodGet, strings.TrimPrefix(tok["id"], b.url), nil).into(t, &me)
	require.Equal(t, AdminUser, me["username"])
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/id/"+b.orgs[1].id+"/005000000000000AAA", nil).status)

	require.Equal(t, "invalid_grant: expired authorization code", b.exchange(q.Get("code")).oauthError(t), "a code works once")
}

func TestOtherOrgIsAnotherWorld(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 3})
	tok := b.exchange(b.consent(OtherUser, true).Get("code")).tokens(t)
	require.Contains(t, tok["id"], "/id/"+b.orgs[1].id+"/005")
	b.token = tok["access_token"]
	rows := b.rows("SELECT TextBody FROM EmailMessage")
	require.Len(t, rows, 1)
	require.Equal(t, "Only Globex may read this.", rows[0]["TextBody"])
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	// Without a trustworthy address nobody is called back.
	for part, pairs := range map[string][]string{
		"invalid_client_id":         {"client_id", "nope"},
		"redirect_uri_mismatch":     {"redirect_uri", testCallback + "/"},
		"unsupported_response_type": {"response_type", "token"},
		"invalid_scope":             {"scope", "api everything"},
	} {
		_, err := Consent(context.Background(), b.ask(pairs...), AdminUser, true)
		require.ErrorContains(t, err, part)
		res := b.do(http.MethodGet, strings.TrimPrefix(b.ask(pairs...), b.url), nil)
		require.Equal(t, http.StatusBadRequest, res.status)
		require.Contains(t, res.header.Get("Content-Type"), "text/html")
	}
	require.Equal(t, "invalid_request", b.consent(AdminUser, true, "code_challenge_method", "plain").Get("error"))
	require.Equal(t, "invalid_request", b.consent(AdminUser, true, "code_challenge", "short").Get("error"))
	q := b.consent(AdminUser, false)
	require.Equal(t, []string{"access_denied", "end-user denied authorization", "st&1"}, []string{q.Get("error"), q.Get("error_description"), q.Get("state")})
	_, err := Consent(context.Background(), b.ask(), "nobody@acme.example", true)
	require.ErrorContains(t, err, "Please check your username")
	require.NoError(t, b.SetKnobs(func(k *Knobs) {
		k.AuthorizeError = &OAuthFault{Error: "OAUTH_APP_BLOCKED", Description: "this app is blocked by admin"}
	}))
	require.Equal(t, "OAUTH_APP_BLOCKED", b.consent(AdminUser, true).Get("error"))
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	code := b.consent(AdminUser, true).Get("code")
	for want, pairs := range map[string][]string{
		"invalid_request: invalid code verifier":                       {"code_verifier", "another"},
		"invalid_grant: code verifier is required":                     {"code_verifier", ""},
		"invalid_client: invalid client credentials":                   {"client_secret", "wrong"},
		"invalid_client_id: client identifier invalid":                 {"client_id", "wrong"},
		"redirect_uri_mismatch: redirect_uri must match configuration": {"redirect_uri", "http://evil.example/"},
		"invalid_grant: invalid authorization code":                    {"code", "aPrxNope=="},
		"unsupported_grant_type: grant type not supported":             {"grant_type", "password"},
		"invalid_request: the simulator has no format xml":             {"format", "xml"},
	} {
		a := b.exchange(code, pairs...)
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Equal(t, want, a.oauthError(t))
	}
	require.Equal(t, "invalid_request: must use HTTP POST", b.do(http.MethodGet, "/services/oauth2/token", nil).oauthError(t))
	b.clock.add(16 * time.Minute)
	require.Equal(t, "invalid_grant: expired authorization code", b.exchange(code).oauthError(t))

	code = b.consent(AdminUser, true, "code_challenge", "", "code_challenge_method", "").Get("code")
	b.exchange(code, "code_verifier", "").tokens(t)

	// The app may present itself as Basic instead, not both ways.
	code = b.consent(AdminUser, true, "code_challenge_method", "").Get("code")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(b.opts.ConsumerKey+":"+b.opts.ConsumerSecret))
	f := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testCallback}, "code_verifier": {verifier}, "client_secret": {"x"}}
	require.Contains(t, b.form("/services/oauth2/token", f, "Authorization", basic).oauthError(t), "twice")
	f.Del("client_secret")
	b.form("/services/oauth2/token", f, "Authorization", basic).tokens(t)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	works := func(b *bench, token string) bool {
		b.token = token
		return b.query("SELECT Id FROM Case LIMIT 1").status == http.StatusOK
	}
	fresh := func(t *testing.T, mode string) (*bench, Tokens) {
		b := start(t, Options{})
		require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Rotation = mode }))
		tok, err := b.Grant(SyncUser)
		require.NoError(t, err)
		return b, tok
	}
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		b, tok := fresh(t, "off")
		for range 3 {
			next := b.refreshWith(tok.RefreshToken).tokens(t)
			require.NotContains(t, next, "refresh_token")
			require.True(t, works(b, next["access_token"]))
		}
		require.True(t, works(b, tok.AccessToken), "without rotation the old session lives on")
	})
	t.Run("echo", func(t *testing.T) {
		t.Parallel()
		b, tok := fresh(t, "echo")
		require.Equal(t, tok.RefreshToken, b.refreshWith(tok.RefreshToken).tokens(t)["refresh_token"])
		require.Equal(t, tok.RefreshToken, b.refreshWith(tok.RefreshToken).tokens(t)["refresh_token"])
	})
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		b, tok := fresh(t, "on")
		second := b.refreshWith(tok.RefreshToken).tokens(t)
		require.NotEqual(t, tok.RefreshToken, second["refresh_token"])
		require.False(t, works(b, tok.AccessToken), "a rotating refresh ends the session before it")
		require.True(t, works(b, second["access_token"]))
		third := b.refreshWith(second["refresh_token"]).tokens(t)
		// Using a rotated-out token again destroys the grant.
		require.Equal(t, "invalid_grant: expired access/refresh token", b.refreshWith(tok.RefreshToken).oauthError(t))
		require.False(t, works(b, third["access_token"]))
		require.Equal(t, "invalid_grant: expired access/refresh token", b.refreshWith(third["refresh_token"]).oauthError(t))
	})
	t.Run("on, reuse forgiven, sessions kept", func(t *testing.T) {
		t.Parallel()
		b, tok := fresh(t, "on")
		require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ReuseRevokes, k.RefreshKillsSession = false, "never" }))
		second := b.refreshWith(tok.RefreshToken).tokens(t)
		require.True(t, works(b, tok.AccessToken))
		require.Contains(t, b.refreshWith(tok.RefreshToken).oauthError(t), "invalid_grant")
		b.refreshWith(second["refresh_token"]).tokens(t)
	})
	t.Run("answer lost after rotation", func(t *testing.T) {
		t.Parallel()
		b, tok := fresh(t, "on")
		require.NoError(t, b.FailNext(Fault{PathPrefix: "/services/oauth2/token", Stage: "after", Drop: true}))
		_, err := http.PostForm(b.url+"/services/oauth2/token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {b.opts.ConsumerKey}, "client_secret": {b.opts.ConsumerSecret},
		})
		require.Error(t, err)
		require.Contains(t, b.refreshWith(tok.RefreshToken).oauthError(t), "invalid_grant")
	})
}

func TestSessions(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	status := func() int { return b.query("SELECT Id FROM Case LIMIT 1").status }
	b.clock.add(110 * time.Minute)
	require.Equal(t, http.StatusOK, status())
	b.clock.add(110 * time.Minute)
	require.Equal(t, http.StatusOK, status(), "use extends a session")
	b.clock.add(121 * time.Minute)
	a := b.query("SELECT Id FROM Case LIMIT 1")
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.JSONEq(t, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, a.body)

	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	b.token = tok.AccessToken
	require.Equal(t, http.StatusOK, status())
	require.Equal(t, 1, b.KillSessions(SyncUser))
	require.Equal(t, http.StatusUnauthorized, status())
	b.token = b.refreshWith(tok.RefreshToken).tokens(t)["access_token"]
	require.Equal(t, http.StatusOK, status())

	client := url.Values{"client_id": {b.opts.ConsumerKey}, "client_secret": {b.opts.ConsumerSecret}}
	ask := func(token string) (m map[string]any) {
		client.Set("token", token)
		b.form("/services/oauth2/introspect", client).into(t, &m)
		return m
	}
	about := ask(b.token)
	require.Equal(t, true, about["active"])
	require.Equal(t, SyncUser, about["username"])
	require.Equal(t, 7200.0, about["exp"].(float64)-float64(b.clock.now().Unix()))
	require.Equal(t, map[string]any{"active": false}, ask("nope"))

	require.Equal(t, http.StatusOK, b.form("/services/oauth2/revoke", url.Values{"token": {tok.RefreshToken}}).status)
	require.Equal(t, http.StatusUnauthorized, status())
	require.Contains(t, b.refreshWith(tok.RefreshToken).oauthError(t), "invalid_grant")
	require.Contains(t, b.form("/services/oauth2/revoke", url.Values{"token": {"nope"}}).oauthError(t), "invalid_token")

	b.token = b.exchange(b.consent(SyncUser, true, "scope", "id").Get("code")).tokens(t)["access_token"]
	_, message := b.query("SELECT Id FROM Case").error(t)
	require.Equal(t, "This session is not valid for use with the REST API", message)
	b.token = ""
	require.Equal(t, http.StatusUnauthorized, status())

	require.NoError(t, b.SetKnobs(func(k *Knobs) {
		k.TokenError = &OAuthFault{Error: "inactive_user", Description: "user is inactive", Times: 2}
	}))
	require.Contains(t, b.refreshWith("x").oauthError(t), "inactive_user")
	require.Contains(t, b.refreshWith("x").oauthError(t), "inactive_user")
	require.Contains(t, b.refreshWith("x").oauthError(t), "invalid_grant")
}

func TestControlEndpoint(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 3})
	for name, req := range map[string]*http.Request{
		"from elsewhere": httptest.NewRequest(http.MethodGet, "/_sim/orgs", nil),
		"from a page": func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/_sim/orgs", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Origin", "http://x")
			return r
		}(),
		"by a proxy": func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/_sim/orgs", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("X-Forwarded-For", "1.2.3.4")
			return r
		}(),
	} {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, req)
		require.Equal(t, http.StatusForbidden, w.Code, name)
	}
	sim := func(method, path string, body any) answer { return b.do(method, "/_sim/"+path, body) }
	var row map[string]any
	a := sim(http.MethodPost, "records/Case", map[string]any{"fields": map[string]any{"Subject": "made", "CreatedDate": "2020-01-01T00:00:00Z"}, "stamp": "2026-11-23T09:00:00Z", "user": SyncUser})
	require.Equal(t, http.StatusOK, a.status, a.body)
	a.into(t, &row)
	require.Equal(t, "2026-11-23T09:00:00.000+0000", row["SystemModstamp"])
	require.Equal(t, "2020-01-01T00:00:00.000+0000", row["CreatedDate"])
	id := row["Id"].(string)
	sim(http.MethodPatch, "records/Case/"+id, map[string]any{"fields": map[string]any{"Priority": "High"}, "quiet": true}).into(t, &row)
	require.Equal(t, "2026-11-23T10:00:00.000+0000", row["SystemModstamp"])
	require.Equal(t, "2026-11-23T09:00:00.000+0000", row["LastModifiedDate"])
	require.Equal(t, http.StatusOK, sim(http.MethodDelete, "records/Case/"+id, nil).status)
	var rows []map[string]any
	sim(http.MethodGet, "records/Case", nil).into(t, &rows)
	require.Equal(t, true, find(rows, id)["IsDeleted"])
	require.Equal(t, http.StatusOK, sim(http.MethodPost, "records/Case/"+id+"/undelete", nil).status)
	require.Equal(t, http.StatusOK, sim(http.MethodDelete, "records/Case/"+id+"?hard=true", nil).status)
	require.Equal(t, http.StatusNotFound, sim(http.MethodGet, "records/Case/"+id, nil).status)
	require.Equal(t, http.StatusBadRequest, sim(http.MethodPost, "records/Case", map[string]any{"fields": map[string]any{}, "nonsense": 1}).status)

	var k Knobs
	sim(http.MethodPatch, "knobs", map[string]any{"rotation": "on"}).into(t, &k)
	require.Equal(t, "on", k.Rotation)
	require.Equal(t, http.StatusBadRequest, sim(http.MethodPatch, "knobs", map[string]any{"rotation": "sideways"}).status)
	require.Equal(t, http.StatusBadRequest, sim(http.MethodPatch, "knobs", map[string]any{"session_ttl_seconds": 5, "typo": 1}).status)
	require.Equal(t, 7200, b.Knobs().SessionTTLSeconds)

	require.Equal(t, http.StatusOK, sim(http.MethodPost, "faults", Fault{PathPrefix: "/services/data", Contains: "FROM Case", Status: 503, Body: "<html>", Headers: map[string]string{"Content-Type": "text/html"}, Times: 2}).status)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Account").status)
	for _, want := range []int{503, 503, 200} {
		require.Equal(t, want, b.query("SELECT Id FROM Case").status)
	}
	require.NoError(t, b.FailNext(Fault{Status: 500}))
	sim(http.MethodDelete, "faults", nil)
	require.Empty(t, b.Faults())
	require.Error(t, b.FailNext(Fault{}))

	sim(http.MethodDelete, "counters", nil)
	b.query("SELECT Id FROM Case")
	b.get("/sobjects/Nope/describe")
	var c Counters
	sim(http.MethodGet, "counters", nil).into(t, &c)
	require.Equal(t, Counters{Kinds: map[string]int{"query": 1, "describe": 1}, Refused: map[string]int{"describe": 1}, Total: 2}, c)
	require.Equal(t, "SELECT Id FROM Case", b.Requests()[0].SOQL)

	var tok Tokens
	sim(http.MethodPost, "login", map[string]any{"username": OtherUser}).into(t, &tok)
	require.NotEmpty(t, tok.RefreshToken)
	require.Equal(t, http.StatusOK, sim(http.MethodPost, "visibility", map[string]any{"what": "Task", "visible": false}).status)
	require.Equal(t, http.StatusNotFound, b.get("/sobjects/Task/describe").status)
	require.Equal(t, http.StatusOK, sim(http.MethodPost, "objects", map[string]any{"object": json.RawMessage(`{"name":"Review__c","label":"Review","plural":"Reviews","keyPrefix":"a01","fields":[{"name":"Text__c","type":"textarea","length":3000},{"name":"Case__c","type":"reference","relationship":"Case__r","referenceTo":["Case"]}]}`)}).status)
	b.create("Review__c", Row{"Text__c": "fine"})
	require.Len(t, b.rows("SELECT Id, Text__c, Case__r.CaseNumber FROM Review__c"), 1)
	before := b.rows("SELECT Id, Subject FROM Case ORDER BY Id")
	require.Equal(t, http.StatusOK, sim(http.MethodPost, "objects", map[string]any{"object": json.RawMessage(`{"name":"Case","fields":[{"name":"Tier__c","type":"picklist","values":["Gold"]}]}`)}).status)
	require.Equal(t, before, b.rows("SELECT Id, Subject FROM Case ORDER BY Id"))
	require.Nil(t, b.rows("SELECT Tier__c FROM Case LIMIT 1")[0]["Tier__c"])
	require.Equal(t, http.StatusNotFound, sim(http.MethodGet, "nothing", nil).status)
	require.Contains(t, sim(http.MethodGet, "", nil).body, "/_sim/records")

	n := len(b.ids("SELECT Id FROM EmailMessage"))
	require.Equal(t, http.StatusOK, sim(http.MethodPost, "write", map[string]any{"count": 40}).status)
	require.Greater(t, len(b.ids("SELECT Id FROM EmailMessage")), n)
}

func find(rows []map[string]any, id string) map[string]any {
	for _, r := range rows {
		if r["Id"] == id {
			return r
		}
	}
	return nil
}
