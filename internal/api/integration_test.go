package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

func TestIntegrationShowsCompleteness(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) select id, 'EmailMessage', 0, '{}', 'ok', '{}' from integrations`)
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch, verified_to, salesforce_rows, stored_rows, counted_to, counted_at, repaired)
		select id, 'EmailMessage', 'live', 1, '2026-11-25T12:04:31Z', 10, 8, '2026-11-25T12:04:31Z', '2026-11-25T12:05:00Z', 3 from integrations`)
	b.seed.Exec(`insert into completeness (stream_id, month, salesforce_rows, rows, checked_at)
		select id, m, n, n - 1, '2026-11-25T12:05:00Z' from streams, (values (date '2026-10-01', 4), (date '2026-11-01', 6)) as v (m, n)`)

	got := b.get("/api/v1/integrations/support/prod", "operator")
	require.Equal(t, "prod", got["integration"].(map[string]any)["name"])
	object := got["objects"].([]any)[0].(map[string]any)
	require.Equal(t, "2026-11-25T12:04:31.000000+00:00", object["complete_to"])
	require.EqualValues(t, 10, object["salesforce_rows"])
	require.EqualValues(t, 8, object["stored_rows"])
	require.EqualValues(t, 2, object["missing"])
	require.Equal(t, []any{
		map[string]any{"month": "2026-10", "salesforce_rows": 4., "stored_rows": 3., "checked_at": "2026-11-25T12:05:00.000000+00:00"},
		map[string]any{"month": "2026-11", "salesforce_rows": 6., "stored_rows": 5., "checked_at": "2026-11-25T12:05:00.000000+00:00"},
	}, object["completeness"])

	list := b.get("/api/v1/integrations", "operator")["integrations"].([]any)
	require.Len(t, list, 1)
	require.Empty(t, b.get("/api/v1/integrations", "reader")["integrations"].([]any), "only what the caller may read")
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/integrations/support/none", "operator", "").status)
}
