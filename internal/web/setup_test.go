package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

const newPath = "/integrations/new"

// entered is what somebody enters in the first step.
func (c *connector) entered() url.Values {
	return url.Values{"project": {"support"}, "integration": {"mail"}, "source": {"mail-of-support"}, "instance_url": {c.instance},
		"login_url": {c.instance}, "consumer_key": {"3MVG9simforce"}, "consumer_secret": {appSecret}}
}

// From sign-in to start, with somebody who leaves in the middle, presses twice and has two tabs.
func TestAnIntegrationIsSetUp(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	c.user("ann@acme.example", store.Grant{Project: "support", Role: access.Developer})
	br := c.browser()
	br.signIn("ann@acme.example", "/")

	first := br.get(newPath)
	require.Equal(t, http.StatusOK, first.StatusCode)
	for _, said := range []string{c.server.URL + "/external/salesforce/oauth2/callback", "(api)", "(refresh_token, offline_access)", "External Client App", "Connected App", `<option value="support">`} {
		require.Contains(t, first.html, said)
	}

	// Each mistake is named at its field; nothing is made, and what was typed is still there, but for the secret.
	for _, wrong := range []struct{ field, value, says string }{
		{"project", "sales", "needs the permission integrations-write"}, {"project", "", "Is empty"}, {"integration", "a b", "may hold only letters"},
		{"source", "../x", "may hold only letters"}, {"source", "salesforce-prod-mail", "is fed by the integration support/salesforce-prod"},
		{"instance_url", "evil.example", "is not a host of Salesforce"}, {"login_url", "http://login.salesforce.com", "plain http"},
		{"consumer_key", "3MVG9 abc", "holds a space"}, {"consumer_key", "a\nb: c", "holds a space"}, {"consumer_secret", "", "Is empty"},
		{"consumer_secret", "x y", "Holds a space"}, {"integration", "salesforce-prod", "there is an integration support/salesforce-prod already"},
	} {
		got := br.post(newPath, with(c.entered(), wrong.field, wrong.value))
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%v: %s", wrong, got.html)
		_, at, _ := strings.Cut(got.html, `id="`+wrong.field+`-about"`)
		at, _, _ = strings.Cut(at, "<label")
		require.Contains(t, strings.ToLower(at), strings.ToLower(wrong.says), "%v", wrong)
		require.Equal(t, 1, strings.Count(got.html, `class="field-error"`), "%v: %s", wrong, got.html)
		require.NotContains(t, got.html, appSecret)
	}
	_, err := c.db.Configuration(t.Context(), "support", "mail")
	require.Error(t, err)

	// Pressed twice at once, it is made once.
	var both sync.WaitGroup
	answers := make([]view, 2)
	for i := range answers {
		twin := &browser{b: &bench{t: t, server: c.server}, client: br.client}
		both.Go(func() { answers[i] = twin.post(newPath, c.entered()) })
	}
	both.Wait()
	const setup = "/integrations/support/mail/setup"
	for _, got := range answers {
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.html)
		require.Equal(t, setup, got.Header.Get("Location"))
	}
	made, err := c.db.Configuration(t.Context(), "support", "mail")
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), true}, []any{made.Version, made.HasSecret})
	require.Zero(t, c.temporal.starts(flow.WorkflowID("support", "mail")), "nothing runs yet")

	// Before the grant the later steps lead back, and a wrong key can be put right.
	for _, later := range []string{"/objects", "/objects/Case", "/check"} {
		require.Equal(t, setup, br.get(setup+later).Header.Get("Location"))
	}
	edit := br.get(setup + "/connection")
	require.NotContains(t, edit.html, appSecret)
	other := url.Values{"version": {edit.hidden(t, "version")}, "source": {"mail-of-support"}, "instance_url": {c.instance}, "login_url": {c.instance}, "consumer_key": {"3MVG9other"}}
	require.Contains(t, br.post(setup+"/connection", other).html, "another consumer key has another secret")
	require.Equal(t, http.StatusSeeOther, br.post(setup+"/connection", with(other, "consumer_secret", "other-secret-1")).StatusCode)
	stale := br.post(setup+"/connection", with(other, "consumer_key", "3MVG9simforce", "consumer_secret", appSecret))
	require.Equal(t, http.StatusUnprocessableEntity, stale.StatusCode, "the version that another tab has changed")
	require.Contains(t, stale.html, "was changed meanwhile")
	require.Equal(t, http.StatusSeeOther, br.post(setup+"/connection", with(other, "version", stale.hidden(t, "version"), "consumer_key", "3MVG9simforce", "consumer_secret", appSecret)).StatusCode)

	// The wrong scope at Salesforce: a page says what to do, and leads back into the same step.
	authorize := br.get(setup)
	require.Contains(t, authorize.html, "/integrations/support/mail/oauth2/authenticate?next=%2Fintegrations%2Fsupport%2Fmail%2Fsetup%2Fobjects")
	denied := br.get(c.consent(br.begin("/integrations/support/mail/oauth2/authenticate?next="+url.QueryEscape(setup+"/objects")), simforce.SyncUser, false))
	require.Contains(t, denied.html, "Access was not approved")
	require.Contains(t, denied.html, `oauth2/authenticate?next=%2Fintegrations%2Fsupport%2Fmail%2Fsetup%2Fobjects"`)
	back := br.get(c.consent(br.begin("/integrations/support/mail/oauth2/authenticate?next="+url.QueryEscape(setup+"/objects")), simforce.SyncUser, true))
	require.Equal(t, setup+"/objects", back.Header.Get("Location"))
	objects := br.get(setup + "/objects")
	require.Contains(t, objects.html, "The integration support/mail was configured successfully")
	for _, said := range []string{`value="EmailMessage"`, `value="Case"`, `value="LiveChatTranscript"`} {
		require.Contains(t, objects.html, said)
	}
	require.Contains(t, br.get(setup).html, "Connected as")

	// Somebody who leaves now finds the way back from another browser.
	br = c.browser()
	br.signIn("ann@acme.example", "/")
	search := url.Values{"version": {objects.hidden(t, "version")}, "object": {"Task"}, "poll_interval": {"10s"}, "q": {"survey"}, "shown": {""}, "action": {"enter"}}
	found := br.get(br.post(setup+"/objects", search).Header.Get("Location"))
	require.Contains(t, found.html, `name="edit" value="Survey_Response__c"`)
	require.Contains(t, found.html, `value="Task" checked`, "what was ticked before the search stays")
	search = with(search, "version", found.hidden(t, "version"), "shown", "survey", "edit", "Survey_Response__c")
	search.Del("object")
	require.Equal(t, setup+"/objects/Survey_Response__c", br.post(setup+"/objects", search).Header.Get("Location"))
	require.Contains(t, br.get(setup+"/objects?q=%3Cscript%3E").html, "No object that the user sees")
	fields := br.get(setup + "/objects/Survey_Response__c")
	require.Contains(t, fields.html, `value="Score__c"`)
	survey := url.Values{"version": {fields.hidden(t, "version")}, "timestamp": {"Submitted__c"}, "body": {"Feedback__c"}, "property": {"Score__c"},
		"related": {"Case Number: Case__r.CaseNumber\r\n\r\nCase: Subject: Case__r.Subject"}, "where": {"Score__c > 2"}, "deleted": {"keep"}}
	for _, wrong := range []struct{ field, value, says string }{
		{"timestamp", "", "no timestamp"}, {"where", "Score__c >", "where a value should stand"}, {"related", "no path", "Is empty"}, {"related", "A: b..c", "path"},
		{"deleted", "burn", "is not one of"},
	} {
		got := br.post(setup+"/objects/Survey_Response__c", with(survey, wrong.field, wrong.value))
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%v", wrong)
		require.Contains(t, strings.ToLower(told(got.html)), strings.ToLower(wrong.says), "%v", wrong)
		require.Contains(t, got.html, `value="Score__c" checked`, "what was ticked stays: %v", wrong)
	}
	require.Equal(t, setup+"/objects", br.post(setup+"/objects/Survey_Response__c", survey).Header.Get("Location"))
	chosen, err := c.db.Configuration(t.Context(), "support", "mail")
	require.NoError(t, err)
	require.Equal(t, []config.Object{{Object: "Survey_Response__c", Where: "Score__c > 2", Deleted: "keep", Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"},
		Properties: []config.Property{{Name: "Score", Path: "Score__c"}, {Name: "Case Number", Path: "Case__r.CaseNumber"}, {Name: "Case: Subject", Path: "Case__r.Subject"}}}}, chosen.Spec.Objects)
	again := br.get(setup + "/objects/Survey_Response__c")
	require.Contains(t, again.html, "Case Number: Case__r.CaseNumber\nCase: Subject: Case__r.Subject</textarea>")

	// Of two tabs, the one that did not see what the other chose is told.
	require.Equal(t, http.StatusUnprocessableEntity, br.post(setup+"/objects", url.Values{"version": {objects.hidden(t, "version")}, "object": {"Case"}, "poll_interval": {"1m"}}).StatusCode)
	pick := url.Values{"version": {again.hidden(t, "version")}, "object": {"EmailMessage", "Survey_Response__c"}, "poll_interval": {"1m"}, "start_from": {"2020-01-01"}, "monthly_unit_cap": {"1,000"}}
	for _, wrong := range []struct{ field, value, says string }{
		{"poll_interval", "soon", "is not a duration"}, {"start_from", "tomorrow", "is not a time"}, {"monthly_unit_cap", "some", "Must be a whole number"}, {"object", "", "Choose at least one object"},
	} {
		got := br.post(setup+"/objects", with(pick, wrong.field, wrong.value))
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%v", wrong)
		require.Contains(t, told(got.html), wrong.says, "%v", wrong)
	}
	require.Equal(t, setup+"/check", br.post(setup+"/objects", pick).Header.Get("Location"))
	checked := br.settled(setup + "/check")
	for _, said := range []string{"Nothing must be changed", "EmailMessage", "Survey_Response__c", "AI units for them", "API requests a day", "Start syncing", "1,000 AI units a month"} {
		require.Contains(t, checked.html, said)
	}
	require.NotContains(t, checked.html, "disabled")
	require.Contains(t, br.live(setup+"/check"), "What starting means")

	// Start: Temporal away says so and changes nothing; then twice is once.
	c.temporal.setDown(true)
	require.Equal(t, setup+"/check", br.post(setup+"/start", nil).Header.Get("Location"))
	require.Contains(t, br.get(setup+"/check").html, "Temporal at temporal.test does not answer")
	c.temporal.setDown(false)
	require.Equal(t, "/integrations/support/mail", br.post(setup+"/start", nil).Header.Get("Location"))
	require.Equal(t, 1, c.temporal.starts(flow.WorkflowID("support", "mail")))
	c.seed.Exec(`update integrations set watched_at = now() where name = 'mail'`)
	require.Equal(t, "/integrations/support/mail", br.get(setup+"/objects").Header.Get("Location"), "it is set up")
	require.Equal(t, []string{"user ann@acme.example"}, c.seed.Strings(`select distinct actor || ' ' || actor_name from audit_events where type = 'integration.applied' and details ->> 'integration' like '%mail'`))
}

// What Salesforce hides from the user, and a check that cannot be made, are said with what to do.
func TestSettingUpSaysWhatSalesforceHides(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	const setup = "/integrations/support/salesforce-prod/setup"
	br.get(c.consent(br.begin(authPath+"?next="+url.QueryEscape(setup+"/objects")), simforce.SyncUser, true))
	page := br.get(setup + "/objects")
	pick := url.Values{"version": {page.hidden(t, "version")}, "object": {"EmailMessage", "Case"}, "poll_interval": {"10s"}}
	require.NoError(t, c.sim.FailNext(simforce.Fault{PathPrefix: "/services/data", Times: 200, Status: http.StatusServiceUnavailable, Body: "busy"}))
	br.post(setup+"/objects", pick)
	failed := br.settled(setup + "/check")
	require.Contains(t, failed.html, "It could not be checked")
	require.Contains(t, failed.html, ">Check<")
	require.Equal(t, setup+"/check", br.post(setup+"/start", nil).Header.Get("Location"), "what was not checked does not start")
	require.Zero(t, c.temporal.starts(flow.WorkflowID("support", "salesforce-prod")))
	c.sim.ClearFaults()
	br.post(setup+"/check", nil)
	require.Contains(t, br.settled(setup+"/check").html, "Start syncing")
	require.Equal(t, http.StatusNotFound, br.get(setup+"/objects/Nothing__c").StatusCode)
	require.Equal(t, http.StatusNotFound, br.get(setup+"/objects/a%27%20b").StatusCode)
}

// A link is shown once, is good for one grant, and needs no account.
func TestALinkForSomebodyElse(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	const setup = "/integrations/support/salesforce-prod/setup"
	made := br.post(setup+"/link", nil)
	require.Equal(t, http.StatusOK, made.StatusCode)
	_, link, found := strings.Cut(made.html, `readonly value="`+c.server.URL)
	require.True(t, found)
	link, _, _ = strings.Cut(link, `"`)
	require.NotContains(t, br.get(setup).html, "?link=")
	somebody := c.browser()
	done := somebody.get(c.consent(somebody.begin(link), simforce.SyncUser, true))
	require.Equal(t, "/", done.Header.Get("Location"), "nobody is led to a page they may not see")
	require.Contains(t, somebody.get("/").html, "was configured successfully")
	_, secret, _ := strings.Cut(link, "link=")
	require.True(t, c.spent(secret))
}

// A grant leads back only to pages of the integration that it is of.
func TestWhereAGrantLeads(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	for next, want := range map[string]string{
		"/integrations/support/salesforce-prod": "/integrations/support/salesforce-prod", "/integrations/support/salesforce-prod/settings": "/integrations/support/salesforce-prod/settings",
		"/integrations/support/other": "/", "https://evil.example/": "/", "//evil.example": "/", "/integrations/support/salesforce-prod2/setup": "/",
		authPath: "/", "/sign-out": "/", "": "/",
	} {
		got := br.get(c.consent(br.begin(authPath+"?next="+url.QueryEscape(next)), simforce.SyncUser, true))
		require.Equal(t, want, got.Header.Get("Location"), next)
	}
}

func TestWhoMayNotMakeIntegrations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed.Project("support")
	b.user("reader@acme.example", store.Grant{Project: "support", Role: access.ModelTrainer})
	br := b.browser()
	br.signIn("reader@acme.example", "/")
	got := br.get(newPath)
	require.Contains(t, got.html, access.IntegrationsWrite)
	require.NotContains(t, got.html, "consumer_secret")
	require.Equal(t, http.StatusUnprocessableEntity, br.post(newPath, url.Values{"project": {"support"}, "integration": {"a"}}).StatusCode)
}

// told is what a page says is wrong.
func told(html string) string {
	var b strings.Builder
	for _, class := range []string{`class="field-error"`, `role="alert"`} {
		for _, after := range strings.Split(html, class)[1:] {
			text, _, _ := strings.Cut(after, "</p>")
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}

// slowOrg is a Salesforce that takes until it is told how it went.
type slowOrg struct {
	noOrg
	asked chan struct{}
	went  chan error
}

func (o slowOrg) Examine(ctx context.Context, _ flow.CheckParams) error {
	o.asked <- struct{}{}
	select {
	case err := <-o.went:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Behind a balancer each look at a check may reach another authsvc than the one that makes it.
func TestACheckIsKnownToEveryAuthsvc(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	i, err := c.db.IntegrationByName(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	org := slowOrg{asked: make(chan struct{}, 1), went: make(chan error)}
	one, two := handOf(t, c.db, c.temporal, nil, nil), handOf(t, c.db, c.temporal, nil, nil)
	one.Org, two.Org = org, org
	seen := func() store.Examination {
		e, err := two.Examination(t.Context(), i.ID)
		require.NoError(t, err)
		return e
	}
	ends := func(problem string) {
		t.Helper()
		require.Eventually(t, func() bool { return !seen().Running }, time.Minute, 10*time.Millisecond)
		require.Equal(t, problem, seen().Problem)
	}
	require.Zero(t, seen())
	require.NoError(t, one.Examine(t.Context(), i))
	<-org.asked
	require.Equal(t, store.Examination{Running: true}, seen())
	br := c.browser()
	br.signIn(adminEmail, "/")
	br.get(c.consent(br.begin(authPath), simforce.SyncUser, true))
	c.seed.Exec(`update integrations set spec = jsonb_set(spec, '{objects}', '[{"object": "Case", "preset": "case", "deleted": "keep"}]')`)
	require.Contains(t, br.get("/integrations/support/salesforce-prod/setup/check").html, "Asking Salesforce what the integration user may read", "on the page of a third one")
	require.NoError(t, two.Examine(t.Context(), i))
	require.Empty(t, org.asked, "it is under way")
	org.went <- fault.New(fault.Permission, "the user may not").WithHint("give the right")
	ends("the user may not")
	require.Contains(t, br.get("/integrations/support/salesforce-prod/setup/check").html, "The user may not. Give the right.")

	require.NoError(t, two.Examine(t.Context(), i))
	<-org.asked
	org.went <- nil
	ends("")

	// One that is stopped says so; of one that is killed it is known when its time is up, and what it says later is of no use.
	require.NoError(t, one.Examine(t.Context(), i))
	<-org.asked
	one.Stop()
	ends("the program that made the check was stopped")
	gone, ok, err := c.db.BeginExamination(t.Context(), i.ID, -time.Second)
	require.NoError(t, err)
	require.True(t, ok)
	ends("the check was not finished")
	require.NoError(t, two.Examine(t.Context(), i))
	<-org.asked
	require.NoError(t, c.db.EndExamination(t.Context(), i.ID, gone, "late", ""))
	require.True(t, seen().Running)
	org.went <- nil
	ends("")
}
