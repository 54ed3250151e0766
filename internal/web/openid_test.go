package web

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/openid"
	"salesforcesync/internal/openid/openidtest"
)

// organisation is the door with an identity provider behind it.
type organisation struct {
	*bench
	provider *openidtest.Provider
}

func organised(t *testing.T, domains ...string) *organisation {
	t.Helper()
	o := &organisation{bench: setup(t), provider: openidtest.New(t)}
	o.web.openid = openid.New(o.db, openid.Options{
		Issuer: o.provider.URL, ClientID: openidtest.ClientID, ClientSecret: openidtest.ClientSecret, PublicURL: "http://sync.example.com", Domains: domains,
	})
	return o
}

// begin opens the address of the button and signs in at the provider.
func (o *organisation) begin(br *browser, next string) (back *url.URL) {
	o.t.Helper()
	v := br.get("/sign-in/openid?next=" + url.QueryEscape(next))
	require.Equal(o.t, http.StatusSeeOther, v.StatusCode, v.html)
	return o.provider.Consent(v.Header.Get("Location"))
}

func (o *organisation) refused(br *browser, back *url.URL, status int, says string) {
	o.t.Helper()
	v := br.get(back.RequestURI())
	require.Equal(o.t, status, v.StatusCode, "%s: %s", says, v.html)
	require.Contains(o.t, v.html, says)
	require.Contains(o.t, v.html, `role="alert"`)
	require.Empty(o.t, br.session())
}

func TestSignInAtAnIdentityProvider(t *testing.T) {
	t.Parallel()
	o := organised(t)
	o.user("ann@acme.example")
	br := o.browser()
	require.Contains(t, br.get("/sign-in?next=/integrations/p/i/oauth2/authenticate").html, `href="/sign-in/openid?next=%2Fintegrations%2Fp%2Fi%2Foauth2%2Fauthenticate"`)
	v := br.get(o.begin(br, "/integrations/p/i/oauth2/authenticate").RequestURI())
	require.Equal(t, http.StatusSeeOther, v.StatusCode, v.html)
	require.Equal(t, "/continue?next=%2Fintegrations%2Fp%2Fi%2Foauth2%2Fauthenticate", v.Header.Get("Location"))
	require.Contains(t, br.get("/").html, "ann@acme.example")

	first := br.session()
	require.Equal(t, "/", br.get(o.begin(br, "//evil.example").RequestURI()).Header.Get("Location"))
	require.NotEqual(t, first, br.session())
	_, err := o.access.Session(t.Context(), first)
	require.Error(t, err, "the session before ends")
	require.Empty(t, o.seed.Strings(`select next from sign_ins`))

	// Who owns the address now is another subject: not let in as the one before.
	o.provider.Lie(func(claims map[string]any) { claims["sub"] = "another" })
	other := o.browser()
	o.refused(other, o.begin(other, "/"), http.StatusUnauthorized, "has no access here")
}

func TestAnswersOfAnIdentityProviderThatAreNoProof(t *testing.T) {
	t.Parallel()
	o := organised(t)
	o.user("ann@acme.example")
	for says, lie := range map[string]func(map[string]any){
		"belongs to another sign-in": func(c map[string]any) { c["nonce"] = "of another sign-in" },
		"belongs to another":         func(c map[string]any) { delete(c, "nonce") },
		"cannot be trusted":          func(c map[string]any) { c["aud"] = "another-program" },
		"cannot be":                  func(c map[string]any) { c["iss"] = "https://evil.example" },
		"cannot":                     func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"is for another program":     func(c map[string]any) { c["azp"] = "another-program" },
		"is for another":             func(c map[string]any) { c["aud"] = []string{openidtest.ClientID, "another-program"} },
		"that your address is yours": func(c map[string]any) { c["email_verified"] = false },
		"your address is yours":      func(c map[string]any) { delete(c, "email_verified") },
		"address is yours":           func(c map[string]any) { c["email_verified"] = "false" },
		"is yours":                   func(c map[string]any) { delete(c, "email") },
		"has no access here":         func(c map[string]any) { c["email"], c["sub"] = "eve@acme.example", "eve" },
	} {
		o.provider.Lie(lie)
		br := o.browser()
		o.refused(br, o.begin(br, "/"), http.StatusUnauthorized, says)
	}
	o.provider.Forge()
	br := o.browser()
	o.refused(br, o.begin(br, "/"), http.StatusUnauthorized, "cannot be trusted")
	o.provider.Lie(nil)

	// A state is good once, in the browser that began, and with the code that was asked for with it.
	back := o.begin(br, "/")
	jar := *br
	cookies := jar.client.Jar.Cookies(mustParse(t, o.server.URL+"/"))
	require.Equal(t, http.StatusSeeOther, br.get(back.RequestURI()).StatusCode)
	again := o.browser()
	again.client.Jar.SetCookies(mustParse(t, o.server.URL+"/"), cookies)
	o.refused(again, back, http.StatusBadRequest, "was used already")

	victim, attacker := o.browser(), o.browser()
	o.begin(victim, "/")
	o.refused(victim, o.begin(attacker, "/"), http.StatusBadRequest, "not begun in this browser")

	br = o.browser()
	back = o.begin(br, "/")
	q := back.Query()
	q.Set("code", o.begin(attacker, "/").Query().Get("code"))
	back.RawQuery = q.Encode()
	o.refused(br, back, http.StatusUnauthorized, "did not take the code")

	for name, value := range map[string]string{"iss": "https://evil.example", "state": "x", "error": "access_denied", "code": ""} {
		br, status, says := o.browser(), http.StatusBadRequest, "not begun in this browser"
		if name == "error" || name == "code" {
			status, says = http.StatusUnauthorized, "did not sign you in"
		}
		back := o.begin(br, "/")
		q := back.Query()
		q.Set(name, value)
		back.RawQuery = q.Encode()
		o.refused(br, back, status, says)
	}
	br = o.browser()
	back = o.begin(br, "/")
	o.seed.Exec(`update sign_ins set expires_at = now()`)
	o.refused(br, back, http.StatusBadRequest, "has run out")
	for _, page := range o.seen {
		require.NotContains(t, page, openidtest.ClientSecret)
	}
}

func TestAllowedDomainsAndAProviderThatIsAway(t *testing.T) {
	t.Parallel()
	o := organised(t, "acme.example")
	br := o.browser()
	require.Equal(t, http.StatusSeeOther, br.get(o.begin(br, "/").RequestURI()).StatusCode)
	who, err := o.access.Session(t.Context(), br.session())
	require.NoError(t, err)
	require.Equal(t, "ann@acme.example", who.Email)
	require.Empty(t, who.GlobalPermissions())
	require.False(t, who.Knows("support"))
	require.NoError(t, o.access.SetDisabled(t.Context(), who.UserID, true))
	br = o.browser()
	o.refused(br, o.begin(br, "/"), http.StatusUnauthorized, "has no access here")
	o.provider.Lie(func(c map[string]any) { c["email"], c["sub"] = "eve@notacme.example", "eve" })
	o.refused(br, o.begin(br, "/"), http.StatusUnauthorized, "has no access here")

	away := organised(t)
	away.provider.Close()
	v := away.browser().get("/sign-in/openid")
	require.Equal(t, http.StatusServiceUnavailable, v.StatusCode)
	require.Contains(t, v.html, "does not answer")
	require.Contains(t, v.html, `id="password"`, "a password still does")
	require.Equal(t, http.StatusNotFound, setup(t).browser().get("/sign-in/openid").StatusCode, "none is set up")
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
