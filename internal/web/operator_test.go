package web

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

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
}
