package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestSignInJourney(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()

	to := br.get("/")
	require.Equal(t, http.StatusSeeOther, to.StatusCode)
	require.Equal(t, "/sign-in", to.Header.Get("Location"))
	form := br.get("/sign-in?next=/integrations/p/i/oauth2/authenticate")
	require.Equal(t, http.StatusOK, form.StatusCode)
	require.Contains(t, form.html, `name="next" value="/integrations/p/i/oauth2/authenticate"`)
	require.Contains(t, form.html, `<label for="email">`)
	require.Contains(t, form.html, `autocomplete="current-password"`)
	require.NotContains(t, br.get("/sign-in?next=//evil.example").html, "evil")

	wrong := br.post("/sign-in", url.Values{"email": {`"><script>x</script>`}, "password": {"wrong"}})
	require.Equal(t, http.StatusUnauthorized, wrong.StatusCode)
	require.Contains(t, wrong.html, `role="alert"`)
	require.Contains(t, wrong.html, "Email or password is wrong.")
	require.NotContains(t, wrong.html, "<script>x")
	require.NotContains(t, wrong.html, `value="wrong"`)
	require.Empty(t, br.session())

	in := br.signIn(adminEmail, "/integrations/p/i/oauth2/authenticate?a=1&b=2")
	require.Equal(t, http.StatusSeeOther, in.StatusCode)
	// A redirect chain that began with a form may not end at Salesforce: form-action.
	require.Equal(t, "/continue?next=%2Fintegrations%2Fp%2Fi%2Foauth2%2Fauthenticate%3Fa%3D1%26b%3D2", in.Header.Get("Location"))
	require.Contains(t, br.get(in.Header.Get("Location")).html, `<meta http-equiv="refresh" content="0; url=/integrations/p/i/oauth2/authenticate?a=1&amp;b=2">`)
	require.NotContains(t, br.get("/continue?next=https://evil.example").html, "evil")

	first := br.session()
	home := br.get("/")
	require.Equal(t, http.StatusOK, home.StatusCode)
	require.Contains(t, home.html, adminEmail)
	require.Equal(t, "no-store", home.Header.Get("Cache-Control"))
	require.Equal(t, "/x", br.get("/sign-in?next=/x").Header.Get("Location"), "nothing to sign in for")

	again := br.signIn(adminEmail, "//evil.example")
	require.Equal(t, "/", again.Header.Get("Location"))
	require.NotEqual(t, first, br.session(), "the session id rotates")
	_, err := b.access.Session(t.Context(), first)
	require.True(t, fault.Is(err, fault.Unauthenticated), "the old one is dead")

	second := br.session()
	out := br.post("/sign-out", nil)
	require.Equal(t, "/sign-in", out.Header.Get("Location"))
	require.Empty(t, br.session())
	_, err = b.access.Session(t.Context(), second)
	require.True(t, fault.Is(err, fault.Unauthenticated), "signed out on the server, too")
	res := br.stream("/", "")
	defer res.Body.Close()
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
}

func TestGuessingEndsInAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, br.post("/sign-in", url.Values{"email": {adminEmail}, "password": {"wrong"}}).StatusCode)
	}
	locked := br.signIn(adminEmail, "/")
	require.Equal(t, http.StatusTooManyRequests, locked.StatusCode)
	require.Contains(t, locked.html, "wait 15 minutes")
	require.NotEmpty(t, locked.Header.Get("Retry-After"))
	require.Empty(t, br.session())
}

func TestCookies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for public, secure := range map[string]bool{"http://localhost:8080": false, "https://sync.acme.example": true} {
		web, err := New(b.db, b.access, noOAuth{}, Options{PublicURL: public})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(url.Values{"email": {adminEmail}, "password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		web.ServeHTTP(w, r)
		require.Equal(t, http.StatusSeeOther, w.Code)
		cookies := w.Result().Cookies()
		require.Len(t, cookies, 1)
		c := cookies[0]
		require.Equal(t, secure, c.Secure)
		require.Equal(t, secure, strings.HasPrefix(c.Name, "__Host-"))
		require.Equal(t, http.SameSiteLaxMode, c.SameSite)
		require.True(t, c.HttpOnly)
		require.Equal(t, "/", c.Path)
		require.Empty(t, c.Domain)
		require.Equal(t, secure, w.Header().Get("Strict-Transport-Security") != "")
		r = httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		require.Equal(t, c.Value, web.SessionOf(r).Reveal())
	}
	_, err := New(b.db, b.access, noOAuth{}, Options{PublicURL: "nonsense"})
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		header map[string]string
		ok     bool
	}{
		{map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false},
		{map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{map[string]string{"Origin": "https://evil.example"}, false},
		{map[string]string{"Origin": "null"}, false},
		{map[string]string{"Origin": b.server.URL}, true},
		{map[string]string{"Origin": "http://sync.example.com"}, true}, // PUBLIC_URL, behind a proxy that changes Host
		{map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{nil, true}, // no browser
	} {
		for _, path := range []string{"/sign-in", "/sign-out"} {
			br := b.browser()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+path,
				strings.NewReader(url.Values{"email": {adminEmail}, "password": {password}}.Encode()))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			got := br.send(req)
			if tt.ok {
				require.Equal(t, http.StatusSeeOther, got.StatusCode, "%v", tt.header)
			} else {
				require.Equal(t, http.StatusForbidden, got.StatusCode, "%v", tt.header)
				require.Contains(t, got.html, "another site")
				require.Empty(t, got.Cookies())
			}
		}
	}
}
