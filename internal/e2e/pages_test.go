package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/browser"
	"salesforcesync/internal/simforce"
)

// reader is somebody in front of a browser, who wants every page to be in order.
type reader struct {
	*browser.Tab
	s     *stack
	pages int // looked at
}

func newReader(s *stack, b *browser.Browser) *reader {
	s.t.Helper()
	tab, err := b.Open()
	require.NoError(s.t, err)
	s.t.Cleanup(tab.Close)
	return &reader{Tab: tab, s: s}
}

// do is for everything that is to work.
func (r *reader) do(errs ...error) {
	r.s.t.Helper()
	for _, err := range errs {
		require.NoError(r.s.t, err)
	}
}

// fine holds the page that is shown to what every page must keep, on a wide screen and on a narrow one, in
// the light and in the dark.
func (r *reader) fine(what string) {
	r.s.t.Helper()
	r.pages++
	for _, as := range []struct {
		width, height int
		dark          bool
	}{{1280, 900, false}, {390, 844, true}} {
		r.do(r.Show(as.width, as.height, as.dark))
		found, err := r.Check()
		require.NoError(r.s.t, err, what)
		require.Empty(r.s.t, browser.Serious(found), "%s, %d wide, dark %v", what, as.width, as.dark)
		wider, err := browser.Evaluate[bool](r.Tab, `document.documentElement.scrollWidth > innerWidth + 1`)
		require.NoError(r.s.t, err)
		require.False(r.s.t, wider, "%s: nothing reaches out of a window %d wide", what, as.width)
	}
	r.do(r.Show(1280, 900, false))
	require.Empty(r.s.t, r.Complaints(), what)
}

// follow follows the first link to a page below a path. Lists move, so a link may be another one a moment later.
func (r *reader) follow(below string) error {
	return r.Until("follow a link to "+below, fmt.Sprintf(`(() => {
		if (location.pathname.startsWith(%[1]q)) return document.readyState === "complete";
		document.querySelector('main a[href^=%[1]q]')?.click();
		return false;
	})()`, below))
}

// answered takes the one complaint that the browser itself has about a page with such a status.
func (r *reader) answered(status string) {
	r.s.t.Helper()
	said := r.Complaints()
	require.Len(r.s.t, said, 1)
	require.Contains(r.s.t, said[0], "responded with a status of "+status)
}

// signIn signs in on the page that is shown.
func (r *reader) signIn(email, password string) {
	r.s.t.Helper()
	r.do(r.Fill("Email", email), r.Fill("Password", password), r.Press("Sign in"))
}

// consent walks through Salesforce's own pages, which are on another host.
func (r *reader) consent() {
	r.s.t.Helper()
	r.do(r.Until("come to Salesforce", fmt.Sprintf(`location.origin === %q`, r.s.simURL)))
	r.do(r.Fill("Username", simforce.SyncUser), r.Press("Log In"), r.Press("Allow"))
	r.do(r.Until("be sent back", fmt.Sprintf(`location.origin === %q`, r.s.public)))
	_ = r.Complaints() // those pages are Salesforce's
}

// TestPages is the day of people who never open a terminal, in a real browser: an administrator who connects
// an org, an operator who stops it and mends it, an analyst who reads.
func TestPages(t *testing.T) {
	s := newStackWith(t, simforce.Options{Generate: 60, Seed: 21})
	b, err := browser.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	r := newReader(s, b)

	// Sign in, and see that there is nothing yet and what to do about it.
	r.do(r.Go(s.public+"/"), r.See("Sign in"))
	r.fine("sign-in")
	r.signIn(adminEmail, adminPassword)
	r.do(r.See("There is no integration yet"))
	r.fine("empty overview")

	// Make an integration, authorise it at Salesforce, choose, check and start.
	r.do(r.Go(s.public+"/integrations/new"), r.See(s.public+callbackPath))
	r.fine("new integration")
	r.do(r.Fill("Project", "support"), r.Fill("Name of the integration", "salesforce-prod"), r.Fill("Source", "salesforce-emails"),
		r.Fill("Instance URL", "not an address"), r.Fill("Consumer key", consumerKey), r.Fill("Consumer secret", consumerSecret), r.Press("Create and go on"))
	r.do(r.Until("see what is wrong", `document.querySelector("#instance_url[aria-invalid=true]")`))
	r.answered("422")
	r.fine("new integration with a mistake")
	r.do(r.Fill("Instance URL", s.simURL), r.Fill("Consumer secret", consumerSecret), r.Press("Create and go on"), r.See("Or let somebody else do it"))
	r.fine("authorize")
	r.do(r.Press("Authorize in Salesforce"))
	r.consent()
	r.do(r.See("configured successfully"))
	r.fine("notification")
	for _, step := range []string{"connection", "objects/EmailMessage"} {
		r.do(r.Go(s.public + "/integrations/support/salesforce-prod/setup/" + step))
		r.fine("setup, " + step)
	}
	r.do(r.Go(s.public+"/integrations/support/salesforce-prod/setup/objects"), r.Click("#o-EmailMessage"), r.Fill("Look for news every", "2s"))
	r.fine("objects")
	r.do(r.Press("Save and check"), r.See("What the check found"))
	r.fine("check")
	page, err := r.Text("body")
	require.NoError(t, err)
	require.NotContains(t, page, consumerSecret)
	r.do(r.Press("Start syncing"))

	// Comments arrive without anybody reloading.
	r.do(r.Until("come to its page", `location.pathname === "/integrations/support/salesforce-prod"`), r.See("Up to date"))
	s.equal(source)
	r.do(r.Until("see all comments", `[...document.querySelectorAll("dd.figure")].some(e => e.innerText === "60")`))
	r.fine("integration")
	r.do(r.Press("Overview"), r.See("Newest comments"))
	write := func(subject, text, html string) {
		t.Helper()
		_, err := s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": subject, "TextBody": text, "HtmlBody": html,
			"Incoming": true, "FromName": "Ann Example", "FromAddress": "ann@example.com", "ToAddress": "help@acme.example", "MessageDate": time.Now().UTC()}})
		require.NoError(t, err)
	}
	write("The purple invoice", "Could you send the purple invoice again?", "<p>Could you send the purple invoice again?</p>")
	r.do(r.See("The purple invoice"))
	r.fine("overview")

	// Hostile mail is text, wherever it is shown.
	hostile := `<script>document.title="owned"</script><style>body{display:none}</style><img src="https://tracker.example/x.png" onerror="document.title='owned'"><a href="javascript:document.title='owned'">click</a><iframe src="data:text/html,owned"></iframe>`
	write(`Hostile "><script>document.title="owned"</script>`, hostile, "")
	r.do(r.See("Hostile"))
	r.fine("overview with a hostile mail")

	// Search, read one, read a conversation.
	r.do(r.Press("Comments"), r.Until("come to the comments", `location.pathname === "/comments"`))
	r.fine("comments")
	r.do(r.Fill("Words to look for", "purple"), r.Press("Search"),
		r.Until("come to what is found", `location.search.includes("purple") && document.readyState === "complete"`), r.See("The purple invoice"))
	r.fine("comments found")
	r.do(r.Click("ol.comments a"), r.See("Could you send the purple invoice again?"))
	r.fine("comment")
	for _, view := range []string{"revisions", "record"} {
		r.do(r.Go(s.public+"/comments"), r.follow("/comments/"))
		r.do(r.Go(r.Address() + "?view=" + view))
		r.fine("comment, " + view)
	}
	title, err := browser.Evaluate[string](r.Tab, `document.title`)
	require.NoError(t, err)
	require.NotEqual(t, "owned", title)
	r.do(r.Go(s.public+"/comments"), r.follow("/threads/"))
	r.fine("conversation")

	// Usage and access.
	for _, path := range []string{"/usage", "/usage/units", "/access", "/access/roles", "/access/tokens", "/access/audit", "/access/account", "/docs/api",
		"/integrations/support/salesforce-prod/settings", "/nothing-here"} {
		r.do(r.Go(s.public + path))
		if path == "/nothing-here" {
			r.answered("404")
		}
		r.fine(path)
	}

	r.do(r.Go(s.public+"/access"), r.follow("/access/users/"))
	r.fine("a user")

	// Pause and go on, with the keyboard alone.
	r.do(r.Go(s.public+"/integrations/support/salesforce-prod"), r.See("Up to date"))
	r.do(r.Until("focus the button", `(() => { const b = document.getElementById("pause"); b?.focus(); return document.activeElement === b })()`), r.Key(kb.Enter))
	r.do(r.See("is paused"), r.See("Paused"))
	r.fine("paused")
	s.starter("backfill", name, "--object", "EmailMessage")
	s.starter("backfill", name, "--object", "EmailMessage", "--pause")
	r.do(r.Press("Resume"), r.See("Go on with the load of EmailMessage"))
	r.fine("a load paused")
	r.do(r.Press("Go on with the load of EmailMessage"), r.See("goes on with the load where it was"), r.See("Backfill of EmailMessage is done"), r.See("Up to date"))

	// The administrator of Salesforce takes the access back: the page says so, and what to do.
	require.Positive(t, s.sim.RevokeGrants(simforce.SyncUser))
	r.do(r.See("Awaiting authorization"), r.See("Next step"))
	r.fine("not authorised")
	r.do(r.Press("Reconnect Salesforce"))
	r.consent()
	r.do(r.See("configured successfully"))
	write("After the break", "It goes on.", "<p>It goes on.</p>")
	r.do(r.Go(s.public+"/"), r.See("After the break"))
	s.equal(source)

	// Somebody without a right on the project is not told that it is there.
	add := exec.CommandContext(t.Context(), filepath.Join(s.bin, "starter"), "user", "add", "reader@example.com", "--password")
	add.Env, add.Stdin = s.env, strings.NewReader("a password of the reader\n")
	out, err := add.CombinedOutput()
	require.NoError(t, err, "%s", out)
	other := newReader(s, b)
	other.do(other.Go(s.public+"/integrations/support/salesforce-prod"), other.See("Sign in"))
	other.signIn("reader@example.com", "a password of the reader")
	other.do(other.See("There is no integration support/salesforce-prod."))
	other.answered("404")
	other.do(other.Go(s.public + "/comments"))
	body, err := other.Text("main")
	require.NoError(t, err)
	require.NotContains(t, body, "purple")
	other.fine("comments of somebody else")

	// A form on another site cannot press a button here, whoever is signed in.
	r.do(r.Go(s.simURL + "/services/data"))
	r.do(r.Until("send a form from there", fmt.Sprintf(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = %q; document.body.append(f); f.submit(); return true })()`,
		s.public+"/integrations/support/salesforce-prod/pause")))
	r.do(r.Until("be refused", `document.body?.innerText.includes("came from another site") || document.body?.innerText.includes("Sign in")`))
	status := s.starter("status", name)
	require.NotContains(t, strings.ToLower(status), "paused")
	t.Logf("measured: %d pages held to axe-core, the console and the policy, each wide, narrow, light and dark", r.pages+other.pages)
}
