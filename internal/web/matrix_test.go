package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

// Every page × every role, and somebody with no right on the project, and nobody at all. A page that is
// added to the table is tested here without anybody thinking of it.
func TestEveryPageForEveryRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project := b.seed.Project("support")
	inbox := b.seed.Source(project, "inbox-7c1")
	b.seed.Integration(project, inbox, "prod", "idle", "", "")
	b.seed.Comment(inbox, comment.Comment{ID: "0a", Timestamp: time.Now(), ThreadID: "case/1", Messages: []comment.Message{{Body: comment.Text{Text: "body-7c1"}}}})
	type visitor struct {
		*browser
		grants []store.Grant
	}
	visitors := map[string]visitor{"nobody": {b.browser(), nil}, "no role": {b.browser(), []store.Grant{}}}
	for _, role := range access.Roles() {
		visitors[role.Name] = visitor{b.browser(), []store.Grant{{Project: role.Place("support"), Role: role.Name}}}
	}
	server, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	for name, v := range visitors {
		if v.grants != nil {
			email := strings.ReplaceAll(name, " ", "-") + "@example.com"
			_, err := b.access.CreateUser(t.Context(), email, "", v.grants)
			require.NoError(t, err)
			session, err := b.access.SignInAs(t.Context(), access.Identity{Issuer: "https://id.example.com", Subject: name, Email: email}, false, "")
			require.NoError(t, err)
			v.client.Jar.SetCookies(server, []*http.Cookie{{Name: sessionCookie, Value: session.Reveal(), Path: "/"}})
		}
	}
	reader, err := b.access.CreateUser(t.Context(), "reader@example.com", "", []store.Grant{{Project: "support", Permission: access.SourcesRead}})
	require.NoError(t, err)
	rules := Rules()
	for i, r := range routes {
		rule := rules[i]
		path := strings.NewReplacer("{$}", "", "{project}", "support", "{integration}", "prod", "{version}/{name}", "x/app.css", "{source}", "inbox-7c1", "{id}", "0a", "{thread}", "case%2F1",
			"{object}", "EmailMessage", "{user}", reader, "{token}", "00000000-0000-4000-8000-000000000000").Replace(rule.Path)
		require.NotContains(t, path, "{", "say how to fill it")
		if rule.Path == "/sign-out" {
			continue // it is anybody's, and ends the session that the rest needs
		}
		for name, v := range visitors {
			at := v.get
			if rule.Method == http.MethodPost {
				at = func(path string) view { return v.post(path, nil) }
			}
			got := at(path)
			what := []any{"%s %s as %s: %s", rule.Method, path, name, got.html}
			if v.grants == nil && (r.needs >= signedIn || rule.Reach == access.ReachProject) {
				require.True(t, got.StatusCode == http.StatusUnauthorized || strings.HasPrefix(got.Header.Get("Location"), "/sign-in"), what...)
				require.NotRegexp(t, `[xy]-7c1`, strings.ReplaceAll(got.html, url.QueryEscape(path), ""), what...) // the visitor said where to
				continue
			}
			switch rule.For(v.grants, "support") {
			case access.Allowed:
				require.NotEqual(t, http.StatusForbidden, got.StatusCode, what...)
			case access.Forbidden:
				require.Equal(t, http.StatusForbidden, got.StatusCode, what...)
				require.Contains(t, got.html, rule.Permission, what...)
			case access.Hidden:
				require.Equal(t, http.StatusNotFound, got.StatusCode, what...)
				if rule.Reach == access.ReachUser {
					other := at(strings.ReplaceAll(path, reader, "0123456789abcdef"))
					require.Contains(t, other.html, "There is no user &#34;0123456789abcdef&#34;.")
					require.Contains(t, got.html, "There is no user &#34;"+reader+"&#34;.")
					break
				}
				other := at(strings.ReplaceAll(path, "support", "nowhere"))
				require.Equal(t, http.StatusNotFound, other.StatusCode)
				words := "There is no integration %s/prod."
				if strings.Contains(rule.Path, "{source}") {
					words = "There is no source &#34;%s/inbox-7c1&#34;."
				}
				require.Contains(t, other.html, fmt.Sprintf(words, "nowhere"))
				require.Contains(t, got.html, fmt.Sprintf(words, "support"))
				got.html = strings.ReplaceAll(got.html, "support/inbox-7c1", "") // the visitor said so
			}
			if rule.Method == http.MethodGet && v.grants != nil && len(access.PermissionsOf(store.Account{Grants: v.grants}, "support")) == 0 {
				require.NotRegexp(t, `[xy]-7c1`, got.html, "no page tells of what is there: %s", path)
			}
		}
	}
}

func TestASessionRotatesWithAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	first := br.session()
	br.get("/")
	require.Equal(t, first, br.session())
	b.seed.Exec(`update sessions set rotated_at = now() - interval '1 hour'`)
	require.Empty(t, br.get("/assets/x/app.css").Header.Values("Set-Cookie"), "what browsers and proxies keep carries no cookie")
	require.Equal(t, http.StatusOK, br.get("/").StatusCode)
	second := br.session()
	require.NotEqual(t, first, second)
	require.Equal(t, http.StatusOK, br.get("/").StatusCode)
	require.Equal(t, second, br.session())
	old := b.browser()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/", nil)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: sessionCookie, Value: first.Reveal()})
	require.Equal(t, http.StatusOK, old.send(req).StatusCode, "within the grace")
	b.seed.Exec(`update sessions set previous_until = now()`)
	require.Equal(t, http.StatusSeeOther, old.send(req).StatusCode, "it is asked to sign in")
}
