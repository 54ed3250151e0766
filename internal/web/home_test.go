package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
)

func TestHomeShowsIntegrationsAndNewestComments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	empty := br.get("/").html
	require.Contains(t, empty, "There is no integration yet.")
	require.Contains(t, empty, `href="/integrations/new"`)
	require.Contains(t, empty, "There are no comments yet.")

	project := b.seed.Project("support")
	source := b.seed.Source(project, "emails")
	id := b.seed.Integration(project, source, "salesforce-prod", "awaiting_authorization", "nobody has authorized it yet", "open the authenticate link")
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, problem, hint)
	             values ($1, 'EmailMessage', 1, '{}', 'config_invalid', 'there is no field Foo__c', 'correct the name')`, id)
	for i, subject := range []string{"Old", "Newer", "Newest of all"} {
		b.seed.Mail(source, strconv.Itoa(i), time.Date(2024, 1, 1+i, 12, 0, 0, 0, time.UTC), subject, "The  body\nof "+subject)
	}
	b.seed.Mail(source, "dead", time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), "Deleted one", "gone")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = 'dead'`)

	home := br.get("/").html
	for _, want := range []string{
		"salesforce-prod", "Awaiting authorization", "nobody has authorized it yet", "open the authenticate link",
		`href="/integrations/support/salesforce-prod/oauth2/authenticate"`, "there is no field Foo__c", "correct the name",
		`<dt>Comments</dt><dd class="figure">3</dd>`, `<dt>AI units</dt><dd class="figure">4</dd>`, `<a href="/integrations/support/salesforce-prod">`,
		`<a href="/comments/support/emails/2">`, "support/emails",
		"Newest of all", "Ann Example &lt;ann@example.com&gt;", "The body of Newest of all", `<time datetime="2024-01-03T12:00:00Z">`, "not known yet",
	} {
		require.Contains(t, home, want)
	}
	require.NotContains(t, home, "Deleted one")
	require.Less(t, strings.Index(home, "Newest of all"), strings.Index(home, "Newer"))

	// It moves: the fragment has what came since, and is a fragment.
	b.seed.Mail(source, "0d", time.Now(), "Just arrived", "hello")
	live := br.live("/")
	require.Contains(t, live, "Just arrived")
	require.NotContains(t, live, "<html")
	b.seed.Exec(`update integrations set status = 'idle', status_reason = '', status_hint = ''`)
	require.Contains(t, br.live("/"), "Up to date")
	require.NotContains(t, br.live("/"), "Authorize in Salesforce")

	// How often it asks is said when the quota makes it less often than the file wants.
	b.seed.Exec(`insert into quota_paces (integration_id, wanted, paced, calls, spent, paced_at) values ($1, '10s', '10s', 1, 1, now())`, id)
	require.NotContains(t, br.live("/"), "quota")
	b.seed.Exec(`update quota_paces set paced = '94.6s', reason = '20% of a lot'`)
	require.Contains(t, br.live("/"), "Asks every 1m35s instead of 10s: quota, 20% of a lot")
	b.seed.Exec(`update integrations set status = 'quota_wait'`)
	require.NotContains(t, br.live("/"), "Asks every")
}

func TestHomeShowsOnlyWhatOneMaySee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"support", "sales"} {
		project := b.seed.Project(name)
		source := b.seed.Source(project, name+"-mail")
		b.seed.Integration(project, source, name+"-integration", "awaiting_authorization", "reason of "+name, "")
		b.seed.Mail(source, "0a", time.Now(), "subject of "+name, "body of "+name)
	}
	b.user("reader@example.com", store.Grant{Project: "support", Permission: access.SourcesRead})
	b.user("operator@example.com", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	b.user("nothing@example.com")

	for email, want := range map[string]struct{ has, hasNot []string }{
		"reader@example.com":   {[]string{"subject of support", "body of support", "integrations-read"}, []string{"support-integration", "reason of", "sales"}},
		"operator@example.com": {[]string{"support-integration", "reason of support", "sources-read"}, []string{"subject of", "body of", "sales", "AI units", "Authorize in"}},
		"nothing@example.com":  {[]string{"integrations-read", "sources-read"}, []string{"support", "sales"}},
		adminEmail:             {[]string{"support-integration", "sales-integration", "subject of sales", "Authorize in"}, nil},
	} {
		br := b.browser()
		br.signIn(email, "/")
		for path, html := range map[string]string{"page": br.get("/").html, "moving part": br.live("/")} {
			for _, s := range want.has {
				require.Contains(t, html, s, "%s as %s", path, email)
			}
			for _, s := range want.hasNot {
				require.NotContains(t, html, s, "%s as %s", path, email)
			}
		}
	}
}

func TestHostileMailIsText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source := b.seed.Source(b.seed.Project("support"), "emails")
	hostile := `</p></li><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>{{.}}` + "\u202e\x01"
	b.seed.Comment(source, comment.Comment{ID: `"><script>`, Timestamp: time.Now(), Messages: []comment.Message{{
		Body: comment.Text{Text: hostile}, Subject: &comment.Text{Text: hostile}, From: hostile,
	}}})
	br := b.browser()
	br.signIn(adminEmail, "/")
	html := br.get("/").html
	require.Contains(t, html, "&lt;script&gt;alert(1)")
	for _, never := range []string{"<script>", "<img src=x", `<a href="javascript`, "\x01"} {
		require.NotContains(t, html, never)
	}
}

func TestNoticeIsShownOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withNotice := func(level string) *browser {
		br := b.browser()
		w := httptest.NewRecorder()
		require.NoError(t, b.web.notify(t.Context(), w, level, "Salesforce <org> is connected."))
		c := w.Result().Cookies()[0]
		require.True(t, c.HttpOnly)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/", nil)
		require.NoError(t, err)
		br.client.Jar.SetCookies(req.URL, []*http.Cookie{c})
		return br
	}

	br := withNotice("success")
	ahead, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/", nil)
	require.NoError(t, err)
	ahead.Header.Set("Sec-Purpose", "prefetch")
	require.Equal(t, http.StatusSeeOther, br.send(ahead).StatusCode, "fetching ahead does not use it up")
	shown := br.get("/")
	require.Equal(t, http.StatusOK, shown.StatusCode, "without an account")
	require.Contains(t, shown.html, "Salesforce &lt;org&gt; is connected.")
	require.Contains(t, shown.html, `role="status"`)
	require.NotContains(t, shown.html, "Integrations")
	require.Equal(t, http.StatusSeeOther, br.get("/").StatusCode, "once")

	br = withNotice("error")
	br.signIn(adminEmail, "/")
	shown = br.get("/")
	require.Contains(t, shown.html, `role="alert"`)
	require.Contains(t, shown.html, "Integrations")
	require.NotContains(t, br.get("/").html, "is connected.")

	br = withNotice("success")
	b.seed.Exec(`update notices set expires_at = now() - interval '1 second'`)
	require.Equal(t, http.StatusSeeOther, br.get("/").StatusCode)
}

// Every route × with and without a session.
func TestEveryRouteAsksForASession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Comment(b.seed.Source(b.seed.Project("support"), "emails"), comment.Comment{ID: "0a", Timestamp: time.Now(), ThreadID: "t", Messages: []comment.Message{{}}})
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		path = strings.NewReplacer("{$}", "", "{version}", "x", "{name}", "app.css", "{project}", "support", "{integration}", "prod", "{source}", "emails", "{id}", "0a", "{thread}", "t").Replace(path)
		send := func(br *browser) view {
			if method == http.MethodPost {
				return br.post(path, nil)
			}
			return br.get(path)
		}
		stranger, known := send(b.browser()), func() view {
			br := b.browser()
			br.signIn(adminEmail, "/")
			return send(br)
		}()
		if r.needs >= signedIn {
			require.Contains(t, []int{http.StatusSeeOther, http.StatusUnauthorized}, stranger.StatusCode, r.pattern)
			if method == http.MethodGet && !strings.Contains(r.pattern, "{") {
				require.Equal(t, http.StatusOK, known.StatusCode, r.pattern)
			}
			require.NotContains(t, known.Header.Get("Location"), "/sign-in", r.pattern)
		}
		require.Less(t, stranger.StatusCode, 500, r.pattern)
		require.Less(t, known.StatusCode, 500, r.pattern)
	}
}

func TestUnknownPagesAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	for _, path := range []string{"/nothing", "/sign-in/x", "/assets/x/none.css", "/assets/x/..%2froute.go", "/templates/home.html"} {
		got := br.get(path)
		require.Equal(t, http.StatusNotFound, got.StatusCode, path)
		require.Contains(t, got.html, "What to do")
		require.Contains(t, got.html, got.Header.Get(request.HeaderID))
	}
	require.Equal(t, http.StatusMethodNotAllowed, br.get("/sign-out").StatusCode)
	require.Equal(t, http.StatusMethodNotAllowed, br.post("/docs/api", nil).StatusCode)
}

func TestAssets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	for name, kind := range map[string]string{"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		path, err := assetPath(name)
		require.NoError(t, err)
		require.Contains(t, br.get("/sign-in").html, path)
		got := br.get(path)
		require.Equal(t, http.StatusOK, got.StatusCode)
		require.Equal(t, kind, got.Header.Get("Content-Type"))
		require.Contains(t, got.Header.Get("Cache-Control"), "immutable")
		require.NotContains(t, br.get("/assets/old/"+name).Header.Get("Cache-Control"), "immutable")
	}
	for _, file := range assets {
		require.NotContains(t, string(file.body), "http://cdn")
		require.NotContains(t, string(file.body), "https://")
	}
}

type broken struct {
	Store
	err error
}

func (b broken) Projects(context.Context) ([]store.Project, error) { return nil, b.err }

func TestTroubleBecomesAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	for _, tt := range []struct {
		err    error
		status int
	}{
		{fault.Wrap(fault.Unreachable, errors.New("dial 10.1.2.3"), "list projects"), http.StatusServiceUnavailable},
		{errors.New("secret of the house"), http.StatusInternalServerError},
		{fault.New(fault.Forbidden, "this needs integrations-write"), http.StatusForbidden},
		{nil, http.StatusInternalServerError}, // no store behind: a panic
		{fault.New(fault.Transient, "wait to hash a password"), http.StatusServiceUnavailable},
	} {
		web, err := New(broken{err: tt.err}, b.access, noOAuth{}, Options{PublicURL: "http://sync.example.com"})
		require.NoError(t, err)
		var record request.Record
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: br.session().Reveal()})
		w := httptest.NewRecorder()
		request.Handler(web, func(got request.Record) { record = got }).ServeHTTP(w, r)
		require.Equal(t, tt.status, w.Code)
		require.NotContains(t, w.Body.String(), "10.1.2.3")
		require.NotContains(t, w.Body.String(), "secret of the house")
		require.Contains(t, w.Body.String(), record.ID)
		require.Equal(t, tt.status >= 500, record.Err != nil)
		require.Equal(t, tt.status == http.StatusServiceUnavailable, w.Header().Get("Retry-After") != "")
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b c", oneLine(" a\r\n\tb\x00c ", 10))
	require.Equal(t, "äöü", oneLine("äöü", 3))
	require.Equal(t, "äö…", oneLine("äöü", 2))
	require.Equal(t, "word word…", oneLine("word word word", 12))
	require.Empty(t, oneLine("", 3))
}

func TestGroupDigits(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		require.Equal(t, want, groupDigits(n))
	}
}
