package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every segment, parameter and field of every page takes any bytes, and none of them is our fault.
func TestAnyBytesInPages(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	bad := []string{"%00", "%ff", "a%00", "%c3%28", "%0a", "%f0%9f%98%80"}
	names := []string{"next", "link", "state", "code", "error", "error_description", "confirm", "decision", "email", "password", "unknown", "object", "skipped",
		"month", "from", "to", "project", "source", "integration", "reason", "after", "q", "who", "what", "role", "do", "name", "days", "may", "permission", "present", "again",
		"direction", "property", "before", "view", "message"}
	fine := func(got view, what string) {
		t.Helper()
		require.Less(t, got.StatusCode, 500, "%s: %s", what, got.html)
		require.NotContains(t, got.Header.Get("Location"), "%00", what)
	}
	reader, err := c.access.CreateUser(t.Context(), "reader@example.com", "", nil)
	require.NoError(t, err)
	tested := 0
	for k, r := range routes {
		method, pattern, _ := strings.Cut(r.pattern, " ")
		path := strings.NewReplacer("{$}", "", "{project}", "support", "{integration}", "salesforce-prod", "{source}", "emails", "{object}", "Case", "{user}", reader,
			"{token}", "00000000-0000-4000-8000-000000000000").Replace(pattern)
		for j, text := range bad {
			segments := strings.Split(path, "/")
			for i := 1; i < len(segments); i++ {
				changed := slices.Clone(segments)
				changed[i] = text
				fine(br.do(method, strings.Join(changed, "/"), nil), r.pattern+" "+text)
				tested++
			}
			for i, name := range names {
				if (i+j+k)%3 != 0 { // each name has two of the six, others on the next page
					continue
				}
				value, err := url.QueryUnescape(text)
				require.NoError(t, err)
				if path == "/sign-out" { // once is enough
					continue
				}
				fine(br.do(method, path+"?"+name+"="+text, url.Values{name: {value}}), r.pattern+" "+name+"="+text)
				tested++
			}
		}
	}
	require.Greater(t, tested, 300)

	// In an authorization that is under way, too.
	for _, text := range bad {
		for _, name := range []string{"code", "error", "error_description"} {
			to, err := url.Parse(br.get(authPath).Header.Get("Location"))
			require.NoError(t, err)
			query := "?state=" + to.Query().Get("state") + "&" + name + "=" + text
			if name == "error_description" {
				query += "&error=access_denied"
			}
			require.Equal(t, http.StatusBadRequest, br.get("/external/salesforce/oauth2/callback"+query).StatusCode, query)
		}
	}
}

// do is a request of any method: a form for those that send one.
func (br *browser) do(method, path string, form url.Values) view {
	br.b.t.Helper()
	if method == http.MethodPost {
		return br.post(path, form)
	}
	return br.get(path)
}
