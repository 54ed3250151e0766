package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

const settingsPath = "/integrations/support/salesforce-prod/settings"

// file gives what the text area of a page holds.
func (v view) file(t *testing.T) string {
	t.Helper()
	_, text, found := strings.Cut(v.html, `name="file"`)
	require.True(t, found, v.html)
	_, text, _ = strings.Cut(text, ">")
	text, _, _ = strings.Cut(text, "</textarea>")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(text)
}

// The file in force is shown, a change of it is applied only after its plan was seen, and each change is kept.
func TestSettingsAreChanged(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	br.get(c.consent(br.begin(authPath), simforce.SyncUser, true))
	c.seed.Exec(`update integrations set watched_at = now()`)
	workflow := flow.WorkflowID("support", "salesforce-prod")

	page := br.get(settingsPath)
	file := page.file(t)
	require.Contains(t, file, "consumer_key: 3MVG9simforce")
	require.NotContains(t, page.html, appSecret)
	form := func(v view, action, file string) url.Values {
		f := url.Values{"version": {v.hidden(t, "version")}, "action": {action}, "file": {strings.ReplaceAll(file, "\n", "\r\n")}}
		if strings.Contains(v.html, `name="planned"`) {
			f.Set("planned", v.hidden(t, "planned"))
		}
		return f
	}
	require.Contains(t, br.post(settingsPath, form(page, "plan", file)).html, "Nothing would change")

	for text, says := range map[string]string{
		"": "the file is empty", "a: [": "not YAML", strings.Replace(file, "poll_interval", "pole_interval", 1): "unknown key",
		file + "objects:\n  - object: Case\n": "no preset", strings.Replace(file, "project: support", "project: sales", 1): "cannot be changed",
		strings.Replace(file, "  consumer_key", "  consumer_secret_env: HOME\n  consumer_key", 1):         "secrets have fields of their own",
		strings.Replace(file, "  consumer_key", "  consumer_secret_file: /etc/passwd\n  consumer_key", 1): "secrets have fields of their own",
		file + "&a [*a,*a]": "not YAML", strings.Repeat("#", 70<<10): "",
	} {
		got := br.post(settingsPath, form(page, "plan", text))
		require.GreaterOrEqual(t, got.StatusCode, 400, says)
		require.Less(t, got.StatusCode, 500, says)
		require.Contains(t, strings.ToLower(got.html), strings.ToLower(says))
		require.NotContains(t, got.html, `value="apply"`, says)
	}

	// What cannot be taken back is said before.
	c.seed.Mail(c.seed.Strings(`select source_id from integrations`)[0], "0a", time.Now().Add(-100*24*time.Hour), "subject", "body")
	require.Contains(t, br.post(settingsPath, form(page, "plan", file+"comment_retention: 90d\n")).html, "One comment that is older than <code>comment_retention</code> is erased for good.")

	changed := file + "monthly_unit_cap: 5000\nobjects:\n  - object: Case\n    preset: case\n"
	plan := br.post(settingsPath, form(page, "plan", changed))
	require.Equal(t, http.StatusOK, plan.StatusCode, plan.html)
	for _, said := range []string{"This would change", "monthly_unit_cap", "objects[Case]", "Read from the start: <strong>Case</strong>", "API requests a day"} {
		require.Contains(t, plan.html, said)
	}
	before, err := c.db.Configuration(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Empty(t, before.Spec.Objects, "a plan changes nothing")

	// What was planned is what is applied: not another text, not over another version, not without Temporal.
	other := br.post(settingsPath, form(plan, "apply", changed+"  - object: Task\n    preset: task\n"))
	require.Contains(t, other.html, "another one than the plan was made for")
	c.temporal.setDown(true)
	require.Contains(t, br.post(settingsPath, form(plan, "apply", changed)).html, "Nothing was changed")
	c.temporal.setDown(false)
	_, err = c.db.ApplyIntegration(t.Context(), func() config.Integration { s := before.Spec; s.PollInterval *= 2; return s }())
	require.NoError(t, err)
	stale := br.post(settingsPath, form(plan, "apply", changed))
	require.Contains(t, stale.html, "were changed meanwhile")
	require.Contains(t, stale.html, "poll_interval", "the plan is against what is in force now")
	require.Equal(t, settingsPath, br.post(settingsPath, form(stale, "apply", changed)).Header.Get("Location"))
	done := br.get(settingsPath)
	for _, said := range []string{"are in force as version 3", adminEmail, "not known by whom", "Created."} {
		require.Contains(t, done.html, said)
	}
	require.Equal(t, 1, c.temporal.starts(workflow))
	require.Equal(t, settingsPath, br.post(settingsPath, form(stale, "apply", changed)).Header.Get("Location"), "sent twice it is applied once")
	require.NotContains(t, br.get(settingsPath).html, "version 4")

	// Another app: its secret is asked for, sealed, and Salesforce must be connected again.
	page = br.get(settingsPath)
	app := strings.Replace(page.file(t), "3MVG9simforce", "3MVG9second", 1)
	plan = br.post(settingsPath, form(page, "plan", app))
	require.Contains(t, plan.html, "must be authorized again")
	require.Contains(t, br.post(settingsPath, form(plan, "apply", app)).html, "consumer secret is missing")
	c.wire.know("another-secret-91")
	require.Equal(t, settingsPath, br.post(settingsPath, with(form(plan, "apply", app), "consumer_secret", "another-secret-91")).Header.Get("Location"))
	require.Equal(t, store.ConnectionLost, c.connection().State)
	require.Equal(t, "another-secret-91", c.connection().ConsumerSecret.Reveal())

	// A destination wants its token.
	page = br.get(settingsPath)
	to := page.file(t) + "destination:\n  endpoint: https://tenant.example\n  project: p\n  source: s\n"
	plan = br.post(settingsPath, form(page, "plan", to))
	require.Contains(t, plan.html, "Token of https://tenant.example")
	require.Contains(t, br.post(settingsPath, form(plan, "apply", to)).html, "The token is missing")
	c.wire.know("tenant-token-17")
	require.Equal(t, settingsPath, br.post(settingsPath, with(form(plan, "apply", to), "token", "tenant-token-17")).Header.Get("Location"))
	require.Contains(t, br.get(settingsPath).html, "token of the destination replaced")
}

// Who may not see a sensitive property cannot have it shown under another name: not at once, nor by way of a file
// without it.
func TestSettingsDoNotUnveil(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	c.user("dev@example.com", store.Grant{Project: "support", Role: access.Developer})
	owner, dev := c.browser(), c.browser()
	owner.signIn(adminEmail, "/")
	dev.signIn("dev@example.com", "/")
	change := func(br *browser, from, to string) (view, bool) {
		page := br.get(settingsPath)
		file := page.file(t)
		require.Contains(t, file, from)
		file = strings.Replace(file, from, to, 1)
		form := url.Values{"version": {page.hidden(t, "version")}, "action": {"plan"}, "file": {file}}
		page = br.post(settingsPath, form)
		if page.StatusCode != http.StatusOK {
			require.NotContains(t, page.html, `value="apply"`)
			digest := sha256.Sum256([]byte(file)) // as if a plan had been shown
			require.Equal(t, http.StatusForbidden, br.post(settingsPath, with(with(form, "action", "apply"), "planned", hex.EncodeToString(digest[:]))).StatusCode)
			return page, false
		}
		return br.post(settingsPath, with(with(form, "action", "apply"), "planned", page.hidden(t, "planned"))), true
	}
	const objects = "objects:\n  - object: Case\n    preset: case\n    properties:\n"
	page, ok := change(owner, "poll_interval", objects+"      Salary: Contact.Salary__c\n      Pay grade: Contact.Grade__c\npoll_interval")
	require.True(t, ok, page.html)
	c.seed.Exec(`update sources set sensitive_properties = '{Salary}'`)

	page, ok = change(dev, "Salary: Contact.Salary__c", "Pay: Contact.Salary__c")
	require.False(t, ok)
	require.Contains(t, page.html, "Contact.Salary__c of Case feeds the sensitive property Salary of support/salesforce-prod-mail, and here Pay, which is none of support/salesforce-prod-mail: "+
		"this needs the permission sources-read-sensitive on project support.")
	require.Contains(t, page.html, "Make Pay a sensitive property of the source first")
	page, ok = change(dev, "      Salary: Contact.Salary__c\n", "")
	require.True(t, ok, page.html)
	_, ok = change(dev, "Pay grade: Contact.Grade__c", "Pay grade: Contact.Salary__c")
	require.False(t, ok, "what was sensitive in an earlier file is so still")
	_, ok = change(dev, "source: salesforce-prod-mail", "source: other-mail")
	require.True(t, ok, "nothing of it is shown there")
	_, ok = change(owner, "Pay grade: Contact.Grade__c", "Pay grade: Contact.Salary__c")
	require.True(t, ok, "the owner may")
	_, ok = change(dev, "Pay grade: Contact.Salary__c", "Grade: Contact.Grade__c\n      Pay grade: Contact.Salary__c")
	require.True(t, ok, "what is in force stays")
}

// Access is given back, and an integration goes when its name is typed; its comments stay unless they are to go, too.
func TestDisconnectAndDelete(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	br.get(c.consent(br.begin(authPath), simforce.SyncUser, true))
	require.Contains(t, br.get(settingsPath).html, "Disconnect from Salesforce")
	require.Equal(t, settingsPath, br.post(settingsPath+"/disconnect", nil).Header.Get("Location"))
	page := br.get(settingsPath).html
	require.Contains(t, page, "the access was given back")
	require.Contains(t, page, "It is not connected")
	require.Empty(t, c.connection().Refresh)

	for _, typed := range []string{"", "support", "support/salesforce-pro", "SUPPORT/SALESFORCE-PROD"} {
		got := br.post(settingsPath+"/delete", url.Values{"confirm": {typed}, "erase": {"yes"}})
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
		require.Contains(t, got.html, "Nothing was deleted")
	}
	c.temporal.setDown(true)
	require.Equal(t, settingsPath, br.post(settingsPath+"/delete", url.Values{"confirm": {"support/salesforce-prod"}}).Header.Get("Location"))
	require.Contains(t, br.get(settingsPath).html, "It is not deleted yet")
	c.temporal.setDown(false)
	require.Equal(t, "/", br.post(settingsPath+"/delete", url.Values{"confirm": {"support/salesforce-prod"}}).Header.Get("Location"))
	require.Contains(t, br.get("/").html, "support/salesforce-prod is deleted. Its comments stay readable in support/salesforce-prod-mail.")
	require.Equal(t, http.StatusNotFound, br.get(settingsPath).StatusCode)

	// One whose deletion was interrupted can be deleted to the end.
	c.id = c.apply("salesforce-prod", c.instance)
	require.NoError(t, c.db.SetDesired(t.Context(), c.id, store.DesiredDeleted))
	half := br.get(settingsPath)
	require.Contains(t, half.html, "It is being deleted")
	require.NotContains(t, half.html, `name="file"`)
	require.Equal(t, "/", br.post(settingsPath+"/delete", url.Values{"confirm": {"support/salesforce-prod"}, "erase": {"yes"}}).Header.Get("Location"))
	require.Contains(t, br.get("/").html, "are erased")
}

// Names of users are for those who may know them.
func TestWhoChangedSettingsIsNotForEverybody(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	c.user("dev@acme.example", store.Grant{Project: "support", Role: access.Developer})
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.ActorUser, Name: "boss@acme.example"})
	before, err := c.db.Configuration(ctx, "support", "salesforce-prod")
	require.NoError(t, err)
	before.Spec.PollInterval *= 3
	_, err = c.db.ApplyIntegration(ctx, before.Spec)
	require.NoError(t, err)
	br := c.browser()
	br.signIn("dev@acme.example", "/")
	page := br.get(settingsPath).html
	require.NotContains(t, page, "boss@acme.example")
	require.Contains(t, page, "a user")
	require.Contains(t, page, "<bdi>10s</bdi> → <bdi>30s</bdi>")
}
