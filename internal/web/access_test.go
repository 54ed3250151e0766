package web

import (
	"encoding/csv"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// after gives the page that a form led to, with what it says.
func (br *browser) after(v view) view {
	br.b.t.Helper()
	require.Equal(br.b.t, http.StatusSeeOther, v.StatusCode, v.html)
	return br.get(v.Header.Get("Location"))
}

var shownOnce = regexp.MustCompile(`<p class="once"><input id="\w+" readonly value="([^"]+)"`)

// shown is what a page shows once: a link or a token.
func (v view) shown(t *testing.T) string {
	t.Helper()
	m := shownOnce.FindStringSubmatch(v.html)
	require.NotNil(t, m, v.html)
	return html.UnescapeString(m[1])
}

func (b *bench) account(email string) store.Account {
	b.t.Helper()
	a, err := b.access.User(b.t.Context(), email)
	require.NoError(b.t, err)
	return *a
}

func (b *bench) events(kind string) []string {
	b.t.Helper()
	return b.seed.Strings(`select actor_name || ' ' || details::text from audit_events where type = $1 order by id`, kind)
}

// An administrator invites somebody, who chooses a password and works; all of it without a terminal.
func TestAUserIsInvited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Project("support")
	admin := b.browser()
	admin.signIn(adminEmail, "/")
	list := admin.get("/access")
	require.Contains(t, list.html, `<a href="/access/users/`+b.account(adminEmail).ID+`">`)
	require.Contains(t, list.html, `<option value="*">Every project, present and future</option><option value="support">support</option>`)

	for email, want := range map[string]string{
		"nonsense": "is not an email address. Write it as name@example.com.", strings.ToUpper(adminEmail): "There is a user with this address already.",
		`"><script>x</script>`: "is not an email address",
	} {
		wrong := admin.post("/access/users", url.Values{"email": {email}})
		require.GreaterOrEqual(t, wrong.StatusCode, 400)
		require.Contains(t, wrong.html, want)
		require.Contains(t, wrong.html, `aria-invalid="true" aria-describedby="email-wrong"`)
		require.Contains(t, wrong.html, `value="`+html.EscapeString(email)+`"`, "what was typed stays")
		require.NotContains(t, wrong.html, "<script>x")
	}
	for _, form := range []url.Values{{"role": {"viewer"}}, {"role": {"emperor"}, "project": {"*"}}, {"role": {"administrator"}, "project": {"support"}}, {"role": {"viewer"}, "project": {"nowhere"}}} {
		form.Set("email", "ann@example.com")
		wrong := admin.post("/access/users", form)
		require.GreaterOrEqual(t, wrong.StatusCode, 400)
		require.Contains(t, wrong.html, `id="role-wrong"`, form)
	}
	require.Empty(t, b.events("user.created"), "nothing of it was done")

	made := admin.post("/access/users", url.Values{"email": {"Ann@example.com"}, "role": {"analyst"}, "project": {"support"}})
	require.Equal(t, http.StatusOK, made.StatusCode)
	require.Equal(t, []string{`admin@example.com {"email": "Ann@example.com", "granted": ["analyst on support"]}`}, b.events("user.created"))
	link := made.shown(t)
	path, found := strings.CutPrefix(link, "http://sync.example.com")
	require.True(t, found)
	id := b.account("ann@example.com").ID
	require.NotContains(t, admin.get("/access/users/"+id).html, "password?link=", "it is shown once")
	require.Contains(t, admin.get("/access/users/"+id).html, "none")

	ann := b.browser()
	require.Contains(t, ann.get(path).html, "ann@example.com")
	require.Contains(t, ann.get(path).html, "ann@example.com", "to look does not spend it")
	at, err := url.Parse(path)
	require.NoError(t, err)
	choose := func(one, two string) view {
		return ann.post("/password", url.Values{"link": {at.Query().Get("link")}, "password": {one}, "again": {two}})
	}
	require.Contains(t, choose("a new password", "another one").html, "The two passwords differ. Type the same one twice.")
	require.Contains(t, choose("short", "short").html, "must have 8 characters or more")
	require.Equal(t, "/", choose("a new password", "a new password").Header.Get("Location"))
	require.Contains(t, ann.get("/").html, "ann@example.com")
	require.Equal(t, http.StatusGone, choose("again and again", "again and again").StatusCode)
	require.Contains(t, ann.get(path).html, "used already")
	require.Equal(t, []string{"ann@example.com {}"}, b.events("user.password_chosen"))
	require.NotContains(t, strings.Join(b.seed.Strings(`select audit_events::text from audit_events`), ""), at.Query().Get("link"))
	require.Contains(t, admin.get("/access").html, `data-ago>`, "signed in last")

	// A user with nothing to see of others gets their own account.
	require.Equal(t, "/access/account", ann.get("/access").Header.Get("Location"))
	mine := ann.get("/access/account").html
	require.Contains(t, mine, "analyst")
	require.NotContains(t, mine, "Audit log")
	require.Equal(t, http.StatusForbidden, ann.get("/access/audit").StatusCode)
	require.Equal(t, http.StatusNotFound, ann.get("/access/users/"+id).StatusCode)

	// Links end when a newer one is made, when a right is given, and with the user.
	for name, end := range map[string]func(){
		"a newer one": func() { admin.post("/access/users/"+id+"/link", nil) },
		"a right": func() {
			admin.post("/access/users/"+id+"/grants", url.Values{"role": {"sources-admin"}, "project": {"support"}})
		},
		"disabled": func() {
			admin.post("/access/users/"+id+"/disabled", url.Values{"disabled": {"yes"}})
			admin.post("/access/users/"+id+"/disabled", url.Values{"disabled": {"no"}})
		},
	} {
		link := strings.TrimPrefix(admin.post("/access/users/"+id+"/link", nil).shown(t), "http://sync.example.com")
		require.Equal(t, http.StatusOK, b.browser().get(link).StatusCode)
		end()
		require.Equal(t, http.StatusGone, b.browser().get(link).StatusCode, name)
	}
}

func TestNobodyGivesWhatTheyDoNotHave(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Project("support")
	b.seed.Project("sales")
	b.user("lead@example.com", store.Grant{Project: "support", Role: access.ProjectAdmin})
	b.user("service@example.com", store.Grant{Role: access.ServiceAdmin})
	b.user("ann@example.com", store.Grant{Project: "support", Role: access.Viewer}, store.Grant{Project: "sales", Role: access.Developer})
	b.user("far@example.com", store.Grant{Project: "sales", Role: access.Viewer})
	ann, far, admin := b.account("ann@example.com"), b.account("far@example.com"), b.account(adminEmail)

	lead := b.browser()
	lead.signIn("lead@example.com", "/")
	list := lead.get("/access").html
	require.Contains(t, list, "ann@example.com")
	require.Contains(t, list, adminEmail)
	require.NotContains(t, list, "far@example.com")
	require.NotContains(t, list, "sales", "what is elsewhere is not told")
	require.NotContains(t, list, "Add a user")
	require.Equal(t, http.StatusNotFound, lead.get("/access/users/"+far.ID).StatusCode)
	page := lead.get("/access/users/" + ann.ID).html
	require.NotContains(t, page, "sales")
	require.NotContains(t, page, `value="administrator"`)
	require.NotContains(t, page, "API tokens</h2>")
	require.NotContains(t, page, "Remove the user")

	grants := func(br *browser, id, do, role, project string) view {
		return br.post("/access/users/"+id+"/grants", url.Values{"do": {do}, "role": {role}, "project": {project}})
	}
	before := b.account("ann@example.com").Grants
	for _, try := range [][2]string{{"administrator", "*"}, {"viewer", "*"}, {"viewer", "sales"}, {"tenant-admin", "*"}, {"viewer", "nowhere"}, {"viewer", "sup\x00port"}, {"", "support"}, {"viewer", ""}} {
		got := grants(lead, ann.ID, "add", try[0], try[1])
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, got.StatusCode, try)
		require.Contains(t, got.html, `id="role-wrong"`, try)
	}
	require.Equal(t, http.StatusForbidden, grants(lead, ann.ID, "remove", "developer", "sales").StatusCode)
	require.Equal(t, before, b.account("ann@example.com").Grants)
	require.Contains(t, lead.after(grants(lead, ann.ID, "add", "analyst", "support")).html, "ann@example.com is analyst on support now.")
	require.Contains(t, lead.after(grants(lead, ann.ID, "remove", "analyst", "support")).html, "does not have analyst on support any more.")
	require.Equal(t, "/access", grants(lead, ann.ID, "remove", "viewer", "support").Header.Get("Location"), "there is nothing left to see")
	require.Equal(t, []string{"lead@example.com", "lead@example.com", "lead@example.com"}, b.seed.Strings(`select actor_name from audit_events where type = 'user.changed'`))
	for _, path := range []string{"/link", "/disabled", "/remove"} {
		require.Equal(t, http.StatusForbidden, lead.post("/access/users/"+ann.ID+path, url.Values{"disabled": {"yes"}, "sure": {"yes"}}).StatusCode)
	}

	// Who adds and removes users cannot become one of them who may more.
	service := b.browser()
	service.signIn("service@example.com", "/")
	for _, user := range []store.Account{admin, far} {
		require.Contains(t, service.after(service.post("/access/users/"+user.ID+"/link", nil)).html, "which you do not have yourself")
	}
	require.Contains(t, service.get("/access/users/"+admin.ID).html, "No password link: The user has administrator on every project, which you do not have yourself.")
	got := service.post("/access/users", url.Values{"email": {"x@example.com"}, "role": {"viewer"}, "project": {"*"}})
	require.Equal(t, http.StatusForbidden, got.StatusCode)
	require.Contains(t, service.post("/access/users", url.Values{"email": {"x@example.com"}}).shown(t), "/password?link=")

	// The last administrator stays.
	root := b.browser()
	root.signIn(adminEmail, "/")
	own := "/access/users/" + admin.ID
	for path, form := range map[string]url.Values{"/remove": {"sure": {"yes"}}, "/disabled": {"disabled": {"yes"}}} {
		require.Contains(t, root.after(root.post(own+path, form)).html, "This is the last administrator. Make somebody else an administrator first.")
	}
	refused := grants(root, admin.ID, "remove", "administrator", "*")
	require.Equal(t, http.StatusConflict, refused.StatusCode)
	require.Contains(t, refused.html, "This is the last administrator.")
	require.Equal(t, http.StatusBadRequest, root.post("/access/users/"+far.ID+"/remove", nil).StatusCode, "a form that does not say that one is sure")
	require.Contains(t, root.after(root.post("/access/users/"+far.ID+"/remove", url.Values{"sure": {"yes"}})).html, "far@example.com is removed")
	require.Equal(t, []string{"far@example.com"}, b.seed.Strings(`select names ->> user_ids[1] from audit_events where type = 'user.removed'`))
	require.Equal(t, http.StatusNotFound, root.post("/access/users/"+far.ID+"/remove", url.Values{"sure": {"yes"}}).StatusCode)
}

func TestTokensOfOnesOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Project("support")
	b.seed.Project("sales")
	b.user("ann@example.com", store.Grant{Project: "support", Role: access.Developer})
	ann := b.browser()
	ann.signIn("ann@example.com", "/")
	require.Contains(t, ann.get("/access/tokens").html, "You have no token.")
	for field, form := range map[string]url.Values{
		"name":  {"name": {"  "}},
		"days":  {"name": {"x"}, "days": {"36500"}},
		"scope": {"name": {"x"}, "may": {"some"}, "project": {"support"}},
	} {
		got := ann.post("/access/tokens", form)
		require.Equal(t, http.StatusBadRequest, got.StatusCode)
		require.Contains(t, got.html, `id="`+field+`-wrong"`)
	}
	for _, form := range []url.Values{
		{"project": {"support"}, "permission": {"users-write"}}, {"project": {"sales"}, "permission": {"sources-read"}}, {"project": {"*"}, "permission": {"sources-read"}},
		{"project": {"support"}, "permission": {"tenant-admin"}}, {"project": {"support"}, "permission": {"no-such"}},
	} {
		form.Set("name", "x")
		form.Set("may", "some")
		got := ann.post("/access/tokens", form)
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, got.StatusCode, form)
		require.Contains(t, got.html, `id="scope-wrong"`, form)
	}
	require.Empty(t, b.seed.Strings(`select name from api_tokens`))

	made := ann.post("/access/tokens", url.Values{"name": {"<b>export</b>"}, "days": {"30"}, "may": {"some"}, "project": {"support"}, "permission": {"sources-read", "streams-read"}})
	require.Equal(t, http.StatusOK, made.StatusCode)
	require.Equal(t, "no-store", made.Header.Get("Cache-Control"))
	require.NotContains(t, made.html, "<b>export")
	who, err := b.access.Authenticate(t.Context(), secret.Text(made.shown(t)))
	require.NoError(t, err)
	require.True(t, who.Can("support", access.SourcesRead) && !who.Can("support", access.SourcesAddComments))
	require.WithinDuration(t, time.Now().AddDate(0, 0, 30), *who.ExpiresAt, time.Hour)
	list := ann.get("/access/tokens").html
	require.NotContains(t, list, made.shown(t))
	require.Contains(t, list, "sources-read on support")
	whole := ann.post("/access/tokens", url.Values{"name": {"all"}, "days": {"0"}, "may": {"all"}})
	who, err = b.access.Authenticate(t.Context(), secret.Text(whole.shown(t)))
	require.NoError(t, err)
	require.Nil(t, who.ExpiresAt)
	require.True(t, who.Can("support", access.SourcesAddComments))
	require.Len(t, b.events("token.created"), 2)

	// Another's token is not there; who runs the installation sees names and can end them.
	admin := b.browser()
	admin.signIn(adminEmail, "/")
	require.Equal(t, http.StatusNotFound, admin.post("/access/tokens/"+who.TokenID+"/revoke", nil).StatusCode)
	page := "/access/users/" + b.account("ann@example.com").ID
	require.Contains(t, admin.get(page).html, "&lt;b&gt;export&lt;/b&gt;")
	require.Contains(t, admin.after(admin.post(page+"/tokens/"+who.TokenID+"/revoke", nil)).html, "The token is revoked")
	require.Equal(t, http.StatusForbidden, ann.post(page+"/tokens/"+who.TokenID+"/revoke", nil).StatusCode)
	_, err = b.access.Authenticate(t.Context(), secret.Text(whole.shown(t)))
	require.True(t, fault.Is(err, fault.Unauthenticated))
	require.Contains(t, ann.get("/access/tokens").html, ">revoked<")
}

func TestMyAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user("ann@example.com")
	here, there := b.browser(), b.browser()
	here.signIn("ann@example.com", "/")
	there.signIn("ann@example.com", "/")
	page := here.get("/access/account").html
	require.Contains(t, page, "Nothing yet. An administrator can give you a role on a project.")
	require.Equal(t, 1, strings.Count(page, "this browser"))
	require.Equal(t, 2, strings.Count(page, "<td>127.0.0.1</td>"))

	change := func(present, one, two string) view {
		return here.post("/access/account/password", url.Values{"present": {present}, "password": {one}, "again": {two}})
	}
	require.Contains(t, change("wrong", "a new password", "a new password").html, "That is not your present password.")
	require.Contains(t, change(password, "a new password", "another").html, "The two passwords differ.")
	short := change(password, "short", "short")
	require.Contains(t, short.html, `id="password-wrong"`)
	require.NotContains(t, short.html, `value="short"`)
	require.Contains(t, here.after(change(password, "a new password", "a new password")).html, "You have a new password.")
	require.Equal(t, http.StatusSeeOther, there.get("/access/account").StatusCode, "signed out there")
	require.Equal(t, http.StatusUnauthorized, there.signIn("ann@example.com", "/").StatusCode)
	require.Len(t, b.events("user.password_changed"), 1)

	there.post("/sign-in", url.Values{"email": {"ann@example.com"}, "password": {"a new password"}})
	require.Equal(t, http.StatusBadRequest, here.post("/access/account/sessions", nil).StatusCode)
	require.Contains(t, here.after(here.post("/access/account/sessions", url.Values{"which": {"others"}})).html, "You are signed out everywhere else.")
	require.Equal(t, http.StatusSeeOther, there.get("/access/account").StatusCode)
	require.Equal(t, http.StatusOK, here.get("/access/account").StatusCode)
	require.Equal(t, "/sign-in", here.post("/access/account/sessions", url.Values{"which": {"all"}}).Header.Get("Location"))
	require.Empty(t, here.session())
	require.Empty(t, b.seed.Strings(`select user_id from sessions`))

	// Guessing a password through this door is guessing.
	here.post("/sign-in", url.Values{"email": {"ann@example.com"}, "password": {"a new password"}})
	for range 10 {
		require.Equal(t, http.StatusForbidden, change("wrong", "a new password", "a new password").StatusCode)
	}
	locked := change("a new password", "yet another one", "yet another one")
	require.Equal(t, http.StatusTooManyRequests, locked.StatusCode)
	require.Contains(t, locked.html, "Wait 15 minutes")
}

func TestAuditLogOnAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	support := b.seed.Project("support")
	admin := b.browser()
	admin.signIn(adminEmail, "/")
	hostile := `=cmd|'/C calc'!A0<script>x</script>`
	for i := range 130 {
		require.NoError(t, b.db.Audit(store.WithActor(t.Context(), store.Actor{Kind: store.ActorStarter, Name: "mallory"}),
			store.AuditEvent{Type: store.EventIntegrationDesired, Projects: []string{support}, Details: map[string]any{"n": i, "desired": hostile, "empty": nil, "list": []string{"a", "b"}, "deep": map[string]any{"x": true}}}))
	}
	require.NoError(t, b.db.Audit(store.WithActor(t.Context(), store.Actor{Kind: store.ActorToken, Name: "Ann", Token: "0b1c"}), store.AuditEvent{Type: "future.thing_done"}))
	page := admin.get("/access/audit").html
	for _, want := range []string{"future: thing done", "with the API token 0b1c", "Steered an integration", "project support", "desired: =cmd|&#39;/C calc&#39;!A0&lt;script&gt;", "list: a, b", "deep: {&#34;x&#34;:true}", "at the command line"} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "empty:")
	require.NotContains(t, page, "<script>x")
	older := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, older)
	second := admin.get(html.UnescapeString(older[1])).html
	require.Contains(t, second, "Signed in")
	require.NotContains(t, second, `rel="next"`)

	count := func(query string) int { return strings.Count(admin.get("/access/audit?"+query).html, "<td title=") }
	today := time.Now().UTC().Format(time.DateOnly)
	for query, want := range map[string]int{
		"who=mallory": 100, "who=nobody": 0, "who=ADMIN@example.com&what=user.signed_in": 1, "what=integration": 100, "what=integration.desired&who=Ann": 0, "what=future": 1,
		"project=support&who=mallory": 100, "project=sales": 0, "from=" + today + "&to=" + today + "&what=future.thing_done": 1, "to=2001-01-01": 0, "from=2101-01-01": 0, "who=%25&what=_&project=%27": 0,
	} {
		require.Equal(t, want, count(query), query)
	}
	require.Contains(t, admin.get("/access/audit?who=nobody").html, "No event is like that.")
	for _, bad := range []string{"from=x", "to=2026-02-30", "after=x"} {
		require.Equal(t, http.StatusBadRequest, admin.get("/access/audit?"+bad).StatusCode, bad)
	}

	file := admin.get("/access/audit/export?who=mallory")
	require.Equal(t, `attachment; filename="audit-log.csv"`, file.Header.Get("Content-Disposition"))
	lines, err := csv.NewReader(strings.NewReader(file.html)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 131)
	require.Equal(t, exportHeader, lines[0])
	require.Equal(t, "project support", lines[1][9])
	require.Len(t, b.events("audit.read"), 1, "whoever reads the log is in it, once an hour")
}

// Every kind of event that the programs write has words.
func TestEveryEventHasALabel(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../store/audit.go", nil, 0)
	require.NoError(t, err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Event") {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		require.True(t, ok)
		found++
		require.Contains(t, eventLabels, strings.Trim(literal.Value, `"`))
		return true
	})
	require.Equal(t, len(eventLabels), found)
	require.Equal(t, "Ran starter token create", eventLabel("starter.token_create"))
}

func TestUsersAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Exec(`insert into users (id, email, username) select lpad(to_hex(g), 16, '0'), 'user-' || g || '@example.com', 'u' from generate_series(1, 300) g`)
	admin := b.browser()
	admin.signIn(adminEmail, "/")
	require.Contains(t, admin.get("/access").html, "And 101 more")
	require.Contains(t, admin.get("/access?q=USER-299@").html, "user-299@example.com")
	none := admin.get("/access?q=%3Cscript%3Ex").html
	require.Contains(t, none, "No address has “<bdi>&lt;script&gt;x</bdi>” in it.")
	require.Equal(t, http.StatusRequestEntityTooLarge, admin.post("/access/users", url.Values{"email": {strings.Repeat("x", 1<<20)}}).StatusCode)
}

func TestRolesPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user("ann@example.com")
	ann := b.browser()
	ann.signIn("ann@example.com", "/")
	page := ann.get("/access/roles").html
	brought := 0
	for _, role := range access.Roles() {
		require.Contains(t, page, html.EscapeString(role.Meaning))
		brought += len(role.Permissions)
	}
	require.Equal(t, brought, strings.Count(page, `<span class="hidden">yes</span>`))
}
