package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// paths gives every way to spell a route's path for support/emails.
func paths(b *bench, r route) []string {
	var out []string
	for _, pattern := range r.patterns {
		p := strings.NewReplacer("{project}", "support", "{source}", "emails", "{integration}", "prod", "{tenant}", tenantName,
			"{object}/{id}", "EmailMessage/"+recordID, "{id}", madeOfRecord, "{thread}", "5f", "{user}", b.users["reader"], "{token}", "0190f3c2-7d1e-7a55-9d4c-2f6d3d1c9a10").Replace(pattern)
		if !strings.Contains(p, "{name}") {
			out = append(out, p)
			continue
		}
		names := []string{"support%2Femails", "support%2femails"}
		if r.on != onNewSource {
			names = append(names, "id:"+b.source)
		}
		if strings.Contains(p, "/integrations/") {
			names = []string{"support%2Fprod"}
		} else if r.on == onProject {
			names = append(names, "support")
		}
		for _, name := range names {
			out = append(out, strings.ReplaceAll(p, "{name}", name))
		}
	}
	return out
}

// writes reports a route that changes something, or wants a body.
func writes(r route) bool {
	return r.method != http.MethodGet && !strings.HasSuffix(r.patterns[0], "/statistics") && !strings.HasSuffix(r.patterns[0], "/refresh-user-permissions") &&
		!strings.HasSuffix(r.patterns[0], "/query")
}

func TestUnknownThingsAndWrongMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, path := range []string{
		"/api", "/api/", "/api/v1", "/api/v2/sources", "/auth", "/auth/login", "/api/v1/sources/", "/api//v1/sources",
		"/api/v1/../v1/sources", "/api/v1/sources/support/emails/", "/api/v1/sources/a/b/c/d/e",
		"/api/v1/sources/nowhere", "/api/v1/sources/nowhere/emails", "/api/v1/sources/support/nothing", "/api/v1/sources/support%2Fnothing",
		"/api/v1/sources/id:0000000000000000", "/api/v1/sources/id:xyz", "/api/v1/sources/id:", "/api/v1/sources/sup%00port/emails",
		"/api/v1/sources/a%2Fb%2Fc", "/api/v1/sources/%ff/emails", "/api/v1/sources/" + strings.Repeat("x", 3000) + "/emails",
		"/api/v1/sources/support/emails/comments/nope", "/api/v1/sources/support/emails/comments/with%2Fslash",
		"/api/v1/sources/support/emails/comments/%00", "/api/_private/sources/support/comments", "/api/_private/sources/id:zz/comments",
	} {
		a := b.do(http.MethodGet, path, "everywhere", "")
		require.Equal(t, http.StatusNotFound, a.status, "%s: %s", path, a.raw)
		require.Contains(t, a.body["message"], "404 Not Found")
	}
	for path, allow := range map[string]string{
		"/api/v1/sources":                               "GET, HEAD",
		"/auth/refresh-user-permissions":                "POST",
		"/api/v1/sources/support%2Femails/statistics":   "POST",
		"/api/v1/sources/support/statistics":            "DELETE, GET, HEAD, POST, PUT", // a source called statistics
		"/api/_private/sources/support/emails/comments": "GET, HEAD, PUT",
	} {
		a := b.do(http.MethodPatch, path, "everywhere", "{}")
		require.Equal(t, http.StatusMethodNotAllowed, a.status, path)
		require.Equal(t, allow, a.header.Get("Allow"), path)
	}
	a := b.do(http.MethodHead, "/api/v1/sources", "reader", "")
	require.Equal(t, http.StatusOK, a.status)
	require.Empty(t, a.raw)
	require.True(t, Serves("/api/v1/sources") && Serves("/auth/user") && Serves("//api/x") && Serves("/api"))
	require.False(t, Serves("/") || Serves("/sign-in") || Serves("/apiary"))
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for header, want := range map[string]int{
		"bearer " + b.tokens["reader"]:     http.StatusOK,
		"Bearer  " + b.tokens["reader"]:    http.StatusOK,
		"Basic dXNlcjpwYXNz":               http.StatusUnauthorized,
		"Bearer":                           http.StatusUnauthorized,
		b.tokens["reader"]:                 http.StatusUnauthorized,
		"Bearer " + b.tokens["reader"][1:]: http.StatusUnauthorized,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/auth/user", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", header)
		a := b.send(req)
		require.Equal(t, want, a.status)
		if want == http.StatusUnauthorized {
			require.Contains(t, a.header.Get("WWW-Authenticate"), `error="invalid_token"`)
			require.NotContains(t, a.raw, b.tokens["reader"][1:])
		}
	}
	require.Equal(t, "unknown", func() string { b.do(http.MethodGet, "/api/x", "", ""); return b.record.Route }())
}

// A token that is over opens nothing and changes nothing, and is told no more than one that never was.
func TestTokensThatAreOver(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.sync(one("0a", "text"))
	never := b.do(http.MethodGet, "/api/v1/sources/sales/calls/comments/0a", "bad", "")
	require.Equal(t, http.StatusUnauthorized, never.status)
	before := b.everything()
	for _, end := range []string{
		`update api_tokens set expires_at = now() - interval '1 second'`,
		`update api_tokens set expires_at = null, revoked_at = now()`,
		`update api_tokens set revoked_at = null; update users set disabled_at = now()`,
	} {
		for statement := range strings.SplitSeq(end, ";") {
			b.seed.Exec(statement)
		}
		for _, r := range []struct{ method, path string }{
			{http.MethodGet, "/api/v1/sources/sales/calls/comments/0a"}, {http.MethodGet, "/api/v1/sources/nowhere/none"},
			{http.MethodPost, syncPath}, {http.MethodPost, mailsPath}, {http.MethodDelete, deletePath + "?id=0a"},
		} {
			a := b.do(r.method, r.path, "writer", batchOf(one("0a", "other")))
			require.Equal(t, http.StatusUnauthorized, a.status, "%s: %s", end, a.raw)
			require.Equal(t, never.raw, a.raw)
			require.Contains(t, a.header.Get("WWW-Authenticate"), `error="invalid_token"`)
		}
	}
	b.seed.Exec(`update users set disabled_at = null`)
	require.Equal(t, before, b.everything())
}

func TestSessionIsForReadingOnly(t *testing.T) {
	t.Parallel()
	var cookie secret.Text
	b := setup(t, Options{Session: session(&cookie)})
	_, err := b.access.CreateUser(t.Context(), "ann@example.com", "a long password", []store.Grant{{Project: "support", Permission: access.SourcesRead}})
	require.NoError(t, err)
	cookie, err = b.access.SignIn(t.Context(), "ann@example.com", "a long password", "192.0.2.1", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/api/v1/sources/support/emails", "", "").status)
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "", "{}").status)
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "bad", "").status, "a bad token is not saved by a session")
	cookie = "gone"
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "", "").status)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 0.001, Burst: 3})
	for range 3 {
		require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/auth/user", "reader", "").status)
	}
	a := b.do(http.MethodGet, "/auth/user", "reader", "")
	require.Equal(t, http.StatusTooManyRequests, a.status)
	require.Equal(t, "1000", a.header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/auth/user", "sensitive", "").status, "each token has its own")
	for range 3 {
		require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "bad", "").status)
	}
	require.Equal(t, http.StatusTooManyRequests, b.do(http.MethodGet, "/auth/user", "", "").status)
}

func TestDefaultRateLimit(t *testing.T) {
	t.Parallel()
	l := New(nil, nil, Options{}).limits
	for range 400 {
		require.NoError(t, l.take("token:1"))
	}
	require.EqualValues(t, 200, l.rate)
	l.swept = time.Now().Add(-2 * sweepEvery)
	l.buckets["idle"] = l.buckets["token:1"]
	delete(l.buckets, "token:1")
	require.NoError(t, l.take("token:2"))
	require.Contains(t, l.buckets, "idle", "a bucket in use is kept")
}
