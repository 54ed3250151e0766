package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// bearer opens a path as a program with an API token does.
func (br *browser) bearer(path, scheme string, token secret.Text) view {
	br.b.t.Helper()
	req, err := http.NewRequestWithContext(br.b.t.Context(), http.MethodGet, br.b.server.URL+path, nil)
	require.NoError(br.b.t, err)
	req.Header.Set("Authorization", scheme+" "+token.Reveal())
	return br.send(req)
}

func (c *connector) token(email string) secret.Text {
	c.t.Helper()
	token, err := c.access.CreateToken(c.t.Context(), email, "test", time.Time{})
	require.NoError(c.t, err)
	c.wire.know(token.Reveal())
	return token
}

const (
	operator = "operator@example.com" // may connect the integrations of support
	reader   = "reader@example.com"   // may only look
)

func (c *connector) people() {
	c.seed.Project("other")
	c.user(operator, store.Grant{Project: "support", Permission: access.IntegrationsWrite})
	c.user(reader, store.Grant{Project: "support", Permission: access.IntegrationsRead}, store.Grant{Project: "other", Permission: access.IntegrationsWrite})
}

func TestAuthenticateTakesFourCredentials(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	c.people()
	for name, begin := range map[string]func(*browser) view{
		"session of the administrator": func(br *browser) view { br.signIn(adminEmail, "/"); return br.get(authPath) },
		"session with the right":       func(br *browser) view { br.signIn(operator, "/"); return br.get(authPath) },
		"token with the right":         func(br *browser) view { return br.bearer(authPath, "Bearer", c.token(operator)) },
		"scheme in lower case":         func(br *browser) view { return br.bearer(authPath, "bearer", c.token(operator)) },
		"link":                         func(br *browser) view { return br.get(c.linkPath()) },
		"link, signed in without right": func(br *browser) view {
			br.signIn(reader, "/")
			return br.get(c.linkPath())
		},
	} {
		c.seed.Exec(`delete from oauth_attempts`)
		br := c.browser()
		v := begin(br)
		require.Equal(t, http.StatusFound, v.StatusCode, "%s: %s", name, v.html)
		to, err := url.Parse(v.Header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, c.connection().LoginURL, to.Scheme+"://"+to.Host)
		require.Equal(t, c.server.URL+oauth.CallbackPath, to.Query().Get("redirect_uri"))
		byLink := strings.HasPrefix(name, "link")
		require.Equal(t, []string{map[bool]string{true: "link", false: "user"}[byLink]}, c.seed.Strings(
			`select case when user_id is null and link_hash is not null then 'link' when link_hash is null then 'user' end from oauth_attempts`), name)
		// And what was begun ends.
		require.Equal(t, "/", br.get(c.consent(to.String(), simforce.SyncUser, true)).Header.Get("Location"), name)
	}
}

func TestAuthenticateRefusals(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	c.people()
	other := c.apply("second", c.connection().InstanceURL)
	spent, expired, foreign := c.link(c.id), c.link(c.id), c.link(other)
	c.seed.Exec(`update connect_links set spent_at = now() where hash = $1`, oauth.Hash(spent))
	c.seed.Exec(`update connect_links set expires_at = now() - interval '1 second' where hash = $1`, oauth.Hash(expired))
	unknown := strings.Replace(authPath, "salesforce-prod", "nowhere", 1)
	as := func(email string) *browser {
		br := c.browser()
		br.signIn(email, "/")
		return br
	}
	for name, tt := range map[string]struct {
		got    view
		status int
		says   string
	}{
		"session without the right":          {as(reader).get(authPath), 403, "integrations-write"},
		"session without the right, unknown": {as(reader).get(unknown), 403, "integrations-write"},
		"session with the right, unknown":    {as(operator).get(unknown), 404, "There is no integration support/nowhere"},
		"token without the right":            {c.browser().bearer(authPath, "Bearer", c.token(reader)), 403, "integrations-write"},
		"token that is none":                 {c.browser().bearer(authPath, "Bearer", "sfsync_xyz"), 401, "starter token create"},
		"token that is none, signed in":      {as(operator).bearer(authPath, "Bearer", "sfsync_xyz"), 401, "starter token create"},
		"link of another integration":        {c.browser().get(authPath + "?link=" + foreign), 403, "not valid for this integration"},
		"spent link":                         {c.browser().get(authPath + "?link=" + spent), 403, "used already"},
		"expired link":                       {c.browser().get(authPath + "?link=" + expired), 403, "24 hours"},
		"garbage for a link":                 {c.browser().get(authPath + "?link=%00%ff%3Cscript%3E"), 403, "not valid for this integration"},
		"link, unknown":                      {c.browser().get(unknown + "?link=" + foreign), 403, "not valid for this integration"},
		"bad link, signed in":                {as(operator).get(authPath + "?link=" + expired), 403, "24 hours"},
	} {
		require.Equal(t, tt.status, tt.got.StatusCode, "%s: %s", name, tt.got.html)
		c.refused(tt.got, tt.status, tt.says)
		require.NotContains(t, tt.got.html, "<script>", name)
		require.Equal(t, tt.status == 401, tt.got.Header.Get("WWW-Authenticate") != "", name)
	}
	// A stranger learns nothing from what a link answers.
	same := func(path string) string {
		v := c.browser().get(path)
		return strings.ReplaceAll(v.html, v.Header.Get(request.HeaderID), "")
	}
	require.Equal(t, same(authPath+"?link=x"), same(unknown+"?link=x"))
	require.Equal(t, same(authPath+"?link=x"), same("/integrations/nobody/nothing/oauth2/authenticate?link=x"))
	require.Equal(t, []string{"0"}, c.seed.Strings(`select count(*)::text from oauth_attempts`))
}

func TestWithoutCredentialsSignInComesFirst(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	first := br.get(authPath)
	require.Equal(t, http.StatusSeeOther, first.StatusCode)
	require.Equal(t, "/sign-in?next="+url.QueryEscape(authPath), first.Header.Get("Location"))
	require.Contains(t, br.get(first.Header.Get("Location")).html, `name="next" value="`+authPath+`"`)
	in := br.signIn(adminEmail, authPath)
	require.Equal(t, "/continue?next="+url.QueryEscape(authPath), in.Header.Get("Location"))
	require.Contains(t, br.get(in.Header.Get("Location")).html, `content="0; url=`+authPath+`"`)
	home := br.get(c.consent(br.begin(authPath), simforce.SyncUser, true))
	require.Equal(t, http.StatusFound, home.StatusCode)
	require.Equal(t, "/", home.Header.Get("Location"))

	// An empty link is none, and an unknown integration is no different.
	for _, path := range []string{authPath + "?link=", "/integrations/nobody/nothing/oauth2/authenticate"} {
		v := c.browser().get(path)
		require.Equal(t, http.StatusSeeOther, v.StatusCode)
		require.True(t, strings.HasPrefix(v.Header.Get("Location"), "/sign-in?next="), v.Header.Get("Location"))
	}
}

func TestScannersDoNotSpendTheLink(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	link := c.link(c.id)
	br := c.browser()
	login := br.begin(authPath + "?link=" + link)
	for i := range 30 {
		req, err := http.NewRequestWithContext(t.Context(), []string{http.MethodGet, http.MethodHead}[i%2], c.server.URL+authPath+"?link="+link, nil)
		require.NoError(t, err)
		req.Header.Set("User-Agent", "LinkScanner/1.0")
		require.Equal(t, http.StatusFound, c.browser().send(req).StatusCode)
	}
	require.False(t, c.spent(link))
	// The person's own attempt outlives them all, and only a grant spends the link.
	require.Equal(t, http.StatusFound, br.get(c.consent(login, simforce.SyncUser, true)).StatusCode)
	require.True(t, c.spent(link))
	c.refused(c.browser().get(authPath+"?link="+link), http.StatusForbidden, "used already")
}

func TestStrangeNamesNeverBreakThePage(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	signed := c.browser()
	signed.signIn(adminEmail, "/")
	for _, name := range []string{
		"%00", "a%00b", "%2F", "a%2Fb", "%2e%2e", "..", ".", "%ff%fe", "%E2%80%AE", "a%20b", "%3Cscript%3E", "'", "%27%3B--", "%5C", "%25",
		strings.Repeat("a", 200), strings.Repeat("a", 20_000), strings.Repeat("%C3%A4", 3_000), "a%0d%0aSet-Cookie:x=y",
	} {
		for _, path := range []string{
			"/integrations/" + name + "/salesforce-prod/oauth2/authenticate",
			"/integrations/support/" + name + "/oauth2/authenticate",
			authPath + "?link=" + name,
			oauth.CallbackPath + "?state=" + name,
			oauth.CallbackPath + "?state=" + name + "&error=" + name + "&error_description=" + name,
			oauth.CallbackPath + "?code=" + name,
		} {
			for _, q := range []string{"", "?link=x"} {
				if strings.Contains(path, "?") && q != "" {
					continue
				}
				for who, br := range map[string]*browser{"nobody": c.browser(), "administrator": signed} {
					v := br.get(path + q)
					require.Less(t, v.StatusCode, 500, "%.80s as %s: %s", path, who, v.html)
					require.GreaterOrEqual(t, v.StatusCode, 300, "%.80s as %s", path, who)
					require.NotContains(t, v.html, "<script>")
					for _, cookie := range v.Cookies() {
						require.NotEqual(t, "x", cookie.Name)
					}
				}
			}
		}
	}
	c.refused(signed.get("/integrations/support/a%2Fb/oauth2/authenticate"), http.StatusNotFound)
	for _, r := range c.records {
		require.NoError(t, r.Err)
	}
}

func TestCookiesOfTheFlow(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	for public, secure := range map[string]bool{"http://localhost:8080": false, "https://sync.acme.example": true} {
		page, err := New(c.db, c.access, c.web.oauth, Options{PublicURL: public})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.linkPath(), nil))
		require.Equal(t, http.StatusFound, w.Code)
		cookies := w.Result().Cookies()
		w = httptest.NewRecorder()
		require.NoError(t, page.notify(t.Context(), w, "success", "x"))
		cookies = append(cookies, w.Result().Cookies()...)
		require.Len(t, cookies, 2)
		for _, cookie := range cookies {
			require.Equal(t, secure, cookie.Secure, cookie.Name)
			require.Equal(t, secure, strings.HasPrefix(cookie.Name, "__Host-"), cookie.Name)
			require.Equal(t, http.SameSiteLaxMode, cookie.SameSite, "Strict would not come back from Salesforce")
			require.True(t, cookie.HttpOnly)
			require.Equal(t, "/", cookie.Path)
			require.Empty(t, cookie.Domain)
			require.Positive(t, cookie.MaxAge)
			require.LessOrEqual(t, cookie.MaxAge, 3600)
		}
	}
}

// Two tabs of one browser may be under way at once.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	first, second := br.begin(c.linkPath()), br.begin(c.linkPath())
	require.Equal(t, "/", br.get(c.consent(first, simforce.SyncUser, true)).Header.Get("Location"))
	require.Equal(t, "/", br.get(c.consent(second, simforce.SyncUser, true)).Header.Get("Location"))
	require.EqualValues(t, 2, c.connection().Generation)
}
