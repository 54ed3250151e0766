package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/app"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// A used-up share makes the workflow wait, visibly and with the time at which it ends;
// nothing is asked meanwhile, and it goes on by itself.
func TestQuotaIsWaitedForAndItGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforce(3)
	require.NoError(t, sim.SetKnobs(func(k *simforce.Knobs) { k.QuotaMax = 10_000 }))
	id := b.integration(sim, address)
	w := b.start()
	comments := func() int { return len(b.seed.Strings(`select id from comments`)) }
	b.eventually("everything is there and it watches", func() bool { return comments() == 3 && b.watching(id) })

	// Calls of yesterday that leave the day in twenty seconds.
	b.seed.Exec(`insert into quota_calls (org_id, bucket, calls) values ($1, now() - interval '24 hours 10 minutes' + interval '20 seconds', 5000)`, sim.Orgs()[0].ID)
	b.eventually("it waits", func() bool { return strings.HasPrefix(b.status(), flow.StateQuotaWait+" | ") })
	require.Contains(t, b.status(), "the share of the org's API requests is used: 5,0")
	require.Contains(t, b.status(), "(20% of 10,000)")
	var until, ends time.Time
	b.seed.Row(`select i.status_until, q.bucket + interval '24 hours 10 minutes' from integrations i, quota_calls q where q.calls = 5000`).Scan(&until, &ends)
	require.WithinDuration(t, ends, until, time.Second)
	calls := len(sim.Requests())
	_, err := sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{
		"Subject": "meanwhile", "TextBody": "written while the share was used", "FromAddress": "ann@example.com", "ToAddress": "support@acme.example",
		"Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
	require.NoError(t, err)
	b.eventually("it goes on by itself and has the fourth", func() bool { return comments() == 4 })
	require.False(t, sim.Requests()[calls].Time.Before(until), "nothing is asked before")
	b.eventually("it says so", func() bool { return !strings.HasPrefix(b.status(), flow.StateQuotaWait) })
	status, body := w.get("/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Regexp(t, `(?m)^salesforcesync_quota_admissions_total\{outcome="admitted"\} [1-9]`, body)
	require.Regexp(t, `(?m)^salesforcesync_quota_admissions_total\{outcome="share"\} [1-9]`, body)
	require.Contains(t, body, "\nsalesforcesync_quota_org_requests_max 10000\n")
	require.Contains(t, body, "\nsalesforcesync_quota_own_requests_max 2000\n")
	require.Regexp(t, `(?m)^salesforcesync_quota_own_requests_used [1-9]`, body)
	require.Regexp(t, `(?m)^salesforcesync_quota_org_requests_used [1-9]`, body)
	require.Equal(t, app.ExitOK, w.stop(), w.said())
}
