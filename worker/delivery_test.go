package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
)

// From Salesforce to a tenant: nobody but the integration's workflow starts the delivery, and
// neither a log nor history has the token.
func TestDeliversWhatComesFromSalesforce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	var mu sync.Mutex
	got := map[string]bool{}
	tenant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Comments []struct {
				ID string `json:"id"`
			} `json:"comments"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		mu.Lock()
		defer mu.Unlock()
		for _, c := range body.Comments {
			got[c.ID] = true
		}
		_, _ = io.WriteString(w, `{"status":"ok","statistics":{"num_comments":5}}`)
	}))
	t.Cleanup(tenant.Close)
	b.env["DELIVERY_EXTRA_HOSTS"] = strings.TrimPrefix(tenant.URL, "http://")
	sim, address := b.salesforce(5)
	b.destination = &config.Destination{Endpoint: tenant.URL, Project: "cm", Source: "mail", Token: "re_hunter2"}
	b.integration(sim, address)
	w := b.start()
	b.eventually("the tenant has all of it", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 5 })
	id := flow.DeliveryID("support", "salesforce-prod")
	b.eventually("nothing is left", func() bool {
		d, err := b.db.Delivery(t.Context(), "support", "salesforce-prod")
		return err == nil && d.State == flow.StateIdle && d.Counts.Sent >= 5 && d.Counts.Uncounted == d.Counts.Sent
	})
	answer, err := b.temporal.QueryWorkflow(t.Context(), id, "", flow.QueryStatus)
	require.NoError(t, err)
	var s flow.DeliveryStatus
	require.NoError(t, answer.Get(&s))
	require.Contains(t, []string{flow.StateIdle, flow.StateSyncing}, s.State)
	history := b.temporal.GetWorkflowHistory(t.Context(), id, "", false, 0)
	events := 0
	for ; history.HasNext(); events++ {
		event, err := history.Next()
		require.NoError(t, err)
		require.NotContains(t, event.String(), "hunter2")
	}
	require.Less(t, events, 60)
	require.Equal(t, app.ExitOK, w.stop(), w.said())
	require.NotContains(t, w.said(), "hunter2")
}
