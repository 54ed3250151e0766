package web

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

func TestCallbackEndsAtTheFirstPage(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"", adminEmail} {
		t.Run("as "+email, func(t *testing.T) {
			t.Parallel()
			c := connecting(t)
			br := c.browser()
			path := c.linkPath()
			if email != "" {
				br.signIn(email, "/")
				path = authPath
			}
			v := br.get(c.consent(br.begin(path), simforce.SyncUser, true))
			require.Equal(t, http.StatusFound, v.StatusCode)
			require.Equal(t, "/", v.Header.Get("Location"))
			require.Equal(t, store.ConnectionGranted, c.connection().State)
			require.Equal(t, []string{"token-granted integration/support/salesforce-prod"}, c.seed.Strings(`select signal || ' ' || workflow_id from outbox`))

			const news = "The integration support/salesforce-prod was configured successfully"
			home := br.get("/")
			require.Equal(t, http.StatusOK, home.StatusCode)
			require.Contains(t, home.html, news)
			require.Contains(t, home.html, simforce.SyncUser)
			require.Equal(t, email != "", strings.Contains(home.html, `id="live"`), "the overview is for accounts only")
			again := br.get("/")
			require.NotContains(t, again.html, news, "once")
			if email == "" {
				require.Equal(t, "/sign-in", again.Header.Get("Location"))
			}
			require.NotContains(t, c.browser().get("/").html, news, "not for other browsers")
		})
	}
}

func TestAnswersThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		send func(c *connector, br *browser, back string) view
		says string
	}{
		"foreign browser": {func(c *connector, _ *browser, back string) view { return c.browser().get(back) }, "another browser"},
		"browser of another attempt": {func(c *connector, _ *browser, back string) view {
			other := c.browser()
			other.begin(c.linkPath())
			return other.get(back)
		}, "another browser"},
		"missing state": {func(c *connector, br *browser, back string) view { return br.get(without(back, "state")) }, "carries no state"},
		"missing code":  {func(c *connector, br *browser, back string) view { return br.get(without(back, "code")) }, "carries no code"},
		"nothing":       {func(c *connector, br *browser, _ string) view { return br.get(oauth.CallbackPath) }, "carries no state"},
		"made-up state": {func(c *connector, br *browser, _ string) view {
			return br.get(oauth.CallbackPath + "?state=abc&code=aPrx1")
		}, "used already or was never asked for"},
		"made-up code": {func(c *connector, br *browser, back string) view {
			return br.get(without(back, "code") + "&code=aPrxMadeUp")
		}, "authorization code is no longer valid"},
		"too late": {func(c *connector, br *browser, back string) view {
			c.seed.Exec(`update oauth_attempts set expires_at = now() - interval '1 second'`)
			return br.get(back)
		}, "ten minutes"},
		"integration deleted meanwhile": {func(c *connector, br *browser, back string) view {
			require.NoError(c.t, c.db.SetDesired(c.t.Context(), c.id, store.DesiredDeleted))
			return br.get(back)
		}, "was deleted"},
		"link spent meanwhile": {func(c *connector, br *browser, back string) view {
			c.seed.Exec(`update connect_links set spent_at = now()`)
			return br.get(back)
		}, "link was used already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connecting(t)
			br := c.browser()
			back := c.consent(br.begin(c.linkPath()), simforce.SyncUser, true)
			c.refused(tt.send(c, br, back), http.StatusBadRequest, tt.says)
			require.Equal(t, store.ConnectionNone, c.connection().State)
			require.Empty(t, c.seed.Strings(`select signal from outbox`))
		})
	}
	t.Run("used state", func(t *testing.T) {
		t.Parallel()
		c := connecting(t)
		br := c.browser()
		back := c.consent(br.begin(c.linkPath()), simforce.SyncUser, true)
		require.Equal(t, "/", br.get(back).Header.Get("Location"))
		for range 2 {
			c.refused(br.get(back), http.StatusBadRequest, "used already")
		}
		require.EqualValues(t, 1, c.connection().Generation)
		require.Equal(t, 1, c.sim.Counters().Kinds["token_code"])
	})
}

// without takes a parameter out of an address.
func without(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Del(name)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestProviderErrorsBecomeAdvice(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	link := c.link(c.id)
	denied := br.get(c.consent(br.begin(authPath+"?link="+link), simforce.SyncUser, false))
	c.refused(denied, http.StatusBadRequest, "Access was not approved", "access_denied", "press Allow")
	require.False(t, c.spent(link), "a refusal does not spend the link")
	for code, says := range map[string]string{
		"OAUTH_APP_BLOCKED": "Unblock", "OAUTH_APP_ACCESS_DENIED": "pre-authorized", "OAUTH_EC_APP_NOT_FOUND": "External Client App Manager",
		"invalid_client": "not installed", "OAUTH_APPROVAL_ERROR_GENERIC": "admit the integration user", "redirect_uri_mismatch": c.server.URL + oauth.CallbackPath,
		"invalid_client_id": "does not know the consumer key", "unsupported_response_type": "web server flow",
		"invalid_scope": "refresh_token, offline_access", "SOMETHING_NEW": "list of OAuth flow errors",
	} {
		c.knobs(func(k *simforce.Knobs) {
			k.AuthorizeError = &simforce.OAuthFault{Error: code, Description: "said by a test"}
		})
		v := br.get(c.consent(br.begin(authPath+"?link="+link), simforce.SyncUser, true))
		c.refused(v, http.StatusBadRequest, says, code, "said by a test")
		require.NotContains(t, v.html, "Try again", "whoever came by a link opens the link again")
	}
	// Who is signed in gets a button.
	br.signIn(adminEmail, "/")
	for code, leads := range map[string]string{"OAUTH_APP_BLOCKED": authPath, "invalid_client_id": "/integrations/support/salesforce-prod/setup/connection"} {
		c.knobs(func(k *simforce.Knobs) { k.AuthorizeError = &simforce.OAuthFault{Error: code} })
		c.refused(br.get(c.consent(br.begin(authPath), simforce.SyncUser, true)), http.StatusBadRequest, `href="`+leads+`"`)
	}
	require.Equal(t, store.ConnectionNone, c.connection().State)
}

func TestTokenEndpointErrorsBecomeAdvice(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	for _, tt := range []struct {
		status            int
		code, description string
		want              int
		says              []string
	}{
		{400, "invalid_client_id", "client identifier invalid", 400, []string{"does not know the consumer key", "Compare consumer key and consumer secret"}},
		{400, "invalid_client", "invalid client credentials", 400, []string{"refuses the app&#39;s credentials", "Compare consumer key and consumer secret"}},
		{400, "invalid_client_credentials", "invalid client secret", 400, []string{"refuses the consumer secret", "Compare consumer key and consumer secret"}},
		{400, "invalid_grant", "user hasn't approved this consumer", 400, []string{"has not approved the app", "then open the link again"}},
		{400, "invalid_grant", "expired authorization code", 400, []string{"no longer valid", "Start the authorization again"}},
		{400, "invalid_grant", "inactive user", 400, []string{"inactive", "Activate the integration user"}},
		{400, "inactive_user", "user is inactive", 400, []string{"Activate the user"}},
		{400, "inactive_org", "org is locked", 400, []string{"Ask Salesforce to reopen the org"}},
		{400, "app_not_found", "External client app is not installed in this org", 400, []string{"not installed", "Install and approve the app"}},
		{400, "invalid_request", "invalid code verifier", 400, []string{"PKCE", "Start the authorization again"}},
		{400, "invalid_request", "no", 400, []string{"web server flow must be enabled"}},
		{400, "unsupported_grant_type", "grant type not supported", 400, []string{"Enable the web server flow"}},
		{400, "invalid_scope", "the requested scope is not allowed", 400, []string{"Add the scopes api and refresh_token, offline_access"}},
		{500, "server_error", "unexpected", 502, []string{"has a fault", "in a minute"}},
		{400, "invalid_grant", "ip restricted", 400, []string{"IP address", "Login IP Ranges"}},
		{400, "invalid_grant", "invalid login hours", 502, []string{"login hours", "Widen the login hours"}},
		{400, "redirect_uri_mismatch", "redirect_uri must match configuration", 400, []string{"callback URL", c.server.URL + oauth.CallbackPath}},
		{503, "temporarily_unavailable", "down", 502, []string{"not available", "in a minute"}},
		{400, "rate_limit_exceeded", "login rate exceeded", 502, []string{"login rate", "in a minute"}},
		{400, "never_heard_of", `<img src=x onerror="alert(1)">`, 400, []string{"list of OAuth flow errors"}},
	} {
		c.knobs(func(k *simforce.Knobs) {
			k.TokenError = &simforce.OAuthFault{Status: tt.status, Error: tt.code, Description: tt.description, Times: 1}
		})
		link := c.link(c.id)
		br := c.browser()
		v := br.get(c.consent(br.begin(authPath+"?link="+link), simforce.SyncUser, true))
		c.refused(v, tt.want, tt.says...)
		require.NotContains(t, v.html, "<img src=x", tt.code)
		require.NotContains(t, v.html, "starter ", "%s: whoever came by a link has no terminal", tt.code)
		require.False(t, c.spent(link), tt.code)
	}
	require.Equal(t, store.ConnectionNone, c.connection().State)
}

func TestAnotherOrgIsNamed(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	require.Equal(t, http.StatusFound, c.connect(c.browser(), simforce.SyncUser).StatusCode)
	before := c.connection()
	link := c.link(c.id)
	br := c.browser()
	v := br.get(c.consent(br.begin(authPath+"?link="+link), simforce.OtherUser, true))
	orgs := c.sim.Orgs()
	c.refused(v, http.StatusConflict, "support/salesforce-prod", orgs[0].ID, simforce.SyncUser, orgs[1].ID, simforce.OtherUser, "Nothing was changed")
	require.Equal(t, before, c.connection())
	require.False(t, c.spent(link))
	require.Zero(t, c.sim.RevokeGrants(simforce.OtherUser), "the other org's access was given back")
}

// confirmField is the secret in the form that asks whether another user is meant.
func (c *connector) confirmField(v view) string {
	c.t.Helper()
	require.Equal(c.t, http.StatusOK, v.StatusCode, v.html)
	_, rest, found := strings.Cut(v.html, `name="confirm" value="`)
	require.True(c.t, found, v.html)
	value, _, _ := strings.Cut(rest, `"`)
	require.NotEmpty(c.t, value)
	return value
}

const confirmPath = "/external/salesforce/oauth2/confirm"

// asked connects as one user, approves as another and returns what confirms it.
func asked(t *testing.T) (*connector, *browser, string) {
	t.Helper()
	c := connecting(t)
	require.Equal(t, http.StatusFound, c.connect(c.browser(), simforce.SyncUser).StatusCode)
	br := c.browser()
	v := c.connect(br, lena)
	kept := c.confirmField(v)
	require.Contains(t, v.html, "was connected as <strong><bdi>"+simforce.SyncUser)
	require.Contains(t, v.html, "You approved it as <strong><bdi>"+lena)
	require.Contains(t, v.html, `value="allow"`)
	require.Contains(t, v.html, `value="deny"`)
	require.Equal(t, simforce.SyncUser, c.connection().Username, "nothing is changed before the answer")
	return c, br, kept
}

func TestAnotherUserIsConfirmed(t *testing.T) {
	t.Parallel()
	c, br, kept := asked(t)
	v := br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {"allow"}})
	require.Equal(t, http.StatusFound, v.StatusCode)
	require.Equal(t, "/", v.Header.Get("Location"))
	require.Contains(t, br.get("/").html, "connected to Salesforce as "+lena)
	require.Equal(t, lena, c.connection().Username)
	require.Equal(t, []string{"true"}, c.seed.Strings(`select deletes_held::text from connections where integration_id = $1`, c.id), "no delete before its rights are checked")
	for _, decision := range []string{"allow", "deny"} {
		c.refused(br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {decision}}), http.StatusBadRequest, "nothing to confirm")
	}
	require.Equal(t, lena, c.connection().Username)
	require.EqualValues(t, 2, c.connection().Generation)
}

func TestAnotherUserIsDeclined(t *testing.T) {
	t.Parallel()
	c, br, kept := asked(t)
	v := br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {"deny"}})
	require.Equal(t, http.StatusSeeOther, v.StatusCode)
	require.Equal(t, "/", v.Header.Get("Location"))
	home := br.get("/").html
	require.Contains(t, home, "stays as it was")
	require.Contains(t, home, lena)
	require.Equal(t, simforce.SyncUser, c.connection().Username)
	require.Zero(t, c.sim.RevokeGrants(lena), "the access was given back")
	c.refused(br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {"allow"}}), http.StatusBadRequest, "nothing to confirm")
}

func TestOnlyTheSameBrowserAndPageConfirm(t *testing.T) {
	t.Parallel()
	c, br, kept := asked(t)
	form := url.Values{"confirm": {kept}, "decision": {"allow"}}
	// Somebody who saw the page's source, without and with a cookie of their own.
	c.refused(c.browser().post(confirmPath, form), http.StatusBadRequest, "nothing to confirm")
	other := c.browser()
	other.begin(c.linkPath())
	c.refused(other.post(confirmPath, form), http.StatusBadRequest, "nothing to confirm")
	for _, garbage := range []string{"", "x", "\x00", strings.Repeat("a", 10_000)} {
		c.refused(br.post(confirmPath, url.Values{"confirm": {garbage}, "decision": {"allow"}}), http.StatusBadRequest)
	}
	// Another site's form in the right browser.
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.URL+confirmPath, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, v := range header {
			req.Header.Set(k, v)
		}
		c.refused(br.send(req), http.StatusForbidden, "another site")
	}
	require.Equal(t, http.StatusMethodNotAllowed, br.get(confirmPath+"?"+form.Encode()).StatusCode, "a link cannot confirm")
	require.Equal(t, simforce.SyncUser, c.connection().Username)
	// All that spoiled nothing for the one who was asked.
	require.Equal(t, http.StatusFound, br.post(confirmPath, form).StatusCode)
	require.Equal(t, lena, c.connection().Username)
}

func TestConfirmationRunsOut(t *testing.T) {
	t.Parallel()
	c, br, kept := asked(t)
	c.seed.Exec(`update pending_grants set expires_at = now() - interval '1 second'`)
	c.refused(br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {"allow"}}), http.StatusBadRequest, "took too long")
	require.Equal(t, simforce.SyncUser, c.connection().Username)
}

func TestWhatSalesforceSaysIsText(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e\x01{{.}}"
	c.knobs(func(k *simforce.Knobs) {
		k.AuthorizeError = &simforce.OAuthFault{Error: `<script>x</script>`, Description: hostile + strings.Repeat(" long", 5_000)}
	})
	br := c.browser()
	v := br.get(c.consent(br.begin(c.linkPath()), simforce.SyncUser, true))
	c.refused(v, http.StatusBadRequest, "&lt;script&gt;")
	require.Less(t, len(v.html), 8_000, "bounded")
	c.knobs(func(k *simforce.Knobs) { k.AuthorizeError = nil })

	names := []string{`"><script>alert(1)</script>@acme.example`, `<img/src=x/onerror=alert(2)>@acme.example`}
	for _, name := range names {
		_, err := c.sim.CreateRecord("User", simforce.Write{Fields: simforce.Row{
			"Username": name, "LastName": "Hostile", "Email": "h@acme.example", "Alias": "h", "IsActive": true}})
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusFound, c.connect(br, names[0]).StatusCode)
	require.Contains(t, br.get("/").html, "&lt;script&gt;alert(1)")
	ask := c.connect(br, names[1])
	kept := c.confirmField(ask)
	require.Contains(t, ask.html, "&lt;img/src")
	br.post(confirmPath, url.Values{"confirm": {kept}, "decision": {"deny"}})
	br.get("/")
	c.refused(c.connect(br, simforce.OtherUser), http.StatusConflict, "&lt;script&gt;alert(1)")
	for _, page := range c.seen {
		for _, never := range []string{"<script>", "<img src=x", "<img/src", "\x01"} {
			require.NotContains(t, page, never)
		}
	}
}

// When the database goes away in the middle, the visitor learns that and the record why.
func TestDatabaseGoneInTheMiddle(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	back := c.consent(br.begin(c.linkPath()), simforce.SyncUser, true)
	c.seed.Exec(`alter table oauth_attempts rename to elsewhere`)
	v := br.get(back)
	c.refused(v, http.StatusInternalServerError)
	require.NotContains(t, v.html, "oauth_attempts")
	last := c.records[len(c.records)-1]
	require.Equal(t, v.Header.Get(request.HeaderID), last.ID)
	require.True(t, fault.Is(last.Err, fault.Internal), "%v", last.Err)
	require.Equal(t, "GET "+oauth.CallbackPath, last.Route)
	c.seed.Exec(`alter table elsewhere rename to oauth_attempts`)
	require.Equal(t, "/", br.get(back).Header.Get("Location"), "nothing was used up")
}

// A key ring that does not fit is the operator's trouble, not the visitor's.
func TestWrongKeyRing(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	link := c.linkPath()
	for _, id := range []string{"test", "other"} { // another key of the same id, and a ring without the key
		ring, err := secret.ParseKeyRing(id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, secret.KeySize)))
		require.NoError(t, err)
		db, err := store.Open(t.Context(), c.seed.URL(), store.Options{Keys: ring, MaxConns: 4})
		require.NoError(t, err)
		t.Cleanup(db.Close)
		service := *c.web.oauth.(*oauth.Service)
		service.Store = db
		wrong, err := New(db, c.access, &service, Options{PublicURL: service.PublicURL})
		require.NoError(t, err)
		fresh := c.consent(br.begin(link), simforce.SyncUser, true)
		for _, path := range []string{link, fresh} {
			var record request.Record
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			here, err := url.Parse(c.server.URL)
			require.NoError(t, err)
			for _, cookie := range br.client.Jar.Cookies(here) {
				r.AddCookie(cookie)
			}
			request.Handler(wrong, func(r request.Record) { record = r }).ServeHTTP(w, r)
			require.Equal(t, http.StatusInternalServerError, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), "request id below")
			require.NotContains(t, w.Body.String(), "ENCRYPTION_KEYS")
			require.ErrorContains(t, record.Err, "ENCRYPTION_KEYS", "the operator reads it in the log")
		}
	}
}
