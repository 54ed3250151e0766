package web

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// The buttons do what starter does, and say what happened in words for who has no terminal.
func TestButtonsActAndSayWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	c := connecting(t)
	br := c.browser()
	br.signIn(adminEmail, "/")
	const at = "/integrations/support/salesforce-prod"
	press := func(button string, object ...string) string {
		t.Helper()
		got := br.post(at+"/"+button, url.Values{"object": object})
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.html)
		page := br.get(at).html
		require.NotContains(t, told(page), "starter", button)
		return page
	}
	desired := func() string { return c.seed.Strings(`select desired from integrations`)[0] }
	require.Contains(t, press("sync-now"), "is not connected to Salesforce. Authorize it in Salesforce first.")
	br.get(c.consent(br.begin(authPath+"?next="+url.QueryEscape(at)), simforce.SyncUser, true))

	c.temporal.setDown(true)
	require.Contains(t, press("pause"), "is paused, and Salesforce is not asked any more; Temporal does not answer, so that is shown late.")
	require.Equal(t, store.DesiredPaused, desired(), "it is written down all the same")
	c.temporal.setDown(false)
	require.Contains(t, press("sync-now"), "is paused. Resume it first.")
	press("resume")
	require.Equal(t, store.DesiredRunning, desired())
	require.Equal(t, 1, c.temporal.starts(flow.WorkflowID("support", "salesforce-prod")), "where no workflow runs, one is started")
	require.Equal(t, http.StatusNotFound, br.post(at+"/backfill", url.Values{"object": {"Case"}}).StatusCode, "there is no such object")
	require.Contains(t, press("backfill"), "has no objects. Choose objects first.")

	// A load that was paused goes on by its button, which is there for as long as that is what it waits for.
	c.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'Case', 1, '{}', 'ok', '{}')`, c.id)
	load := c.seed.Backfill(c.id, "Case", false, 100)
	const button = `action="/integrations/support/salesforce-prod/backfill/resume"><input type="hidden" name="object" value="Case">`
	require.NotContains(t, br.get(at).html, button)
	require.NoError(t, c.db.SteerBackfill(t.Context(), "support", "salesforce-prod", "Case", flow.SignalPause))
	require.Contains(t, br.get(at).html, button)
	require.NotContains(t, told(br.get(at).html), "starter")
	require.NotContains(t, press("pause"), button, "it would not go on")
	require.Contains(t, press("resume"), button)
	c.user("looker@example.com", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	looker := c.browser()
	looker.signIn("looker@example.com", "/")
	require.NotContains(t, looker.get(at).html, button)
	require.Contains(t, looker.get(at).html, "paused by an operator")
	require.Equal(t, http.StatusForbidden, looker.post(at+"/backfill/resume", url.Values{"object": {"Case"}}).StatusCode)
	page := press("backfill/resume", "Case")
	require.Contains(t, page, "goes on with the load where it was.")
	require.NotContains(t, page, button)
	require.Equal(t, []string{"running"}, c.seed.Strings(`select desired from backfills`))
	require.Equal(t, []string{adminEmail + " resume"}, c.seed.Strings(`select actor_name || ' ' || (details->>'signal') from audit_events where type = $1 and actor_name = $2`, store.EventBackfillSteered, adminEmail))
	require.NoError(t, c.db.EndBackfill(t.Context(), load, store.BackfillDone))
	require.Contains(t, press("backfill/resume", "Case"), "No backfill of Case is under way in support/salesforce-prod. It has ended; the page shows what became of it.")
}
