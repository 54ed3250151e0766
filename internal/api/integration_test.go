package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/flow"
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

func TestIntegrationShowsLargeLoads(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	id := b.seed.Strings(`select id from integrations`)[0]
	b.seed.Exec(`insert into connections (integration_id, instance_url, login_url, consumer_key, state, org_id, user_id, access_token)
		values ($1, 'https://acme.my.salesforce.com', 'https://login.salesforce.com', 'key', 'granted', 'o', 'u', 'sealed')`, id)
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 0, '{}', 'ok', '{}'), ($1, 'Case', 1, '{}', 'ok', '{}')`, id)
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch, verified_to) select $1, name, 'live', 1, now() from objects`, id)
	load := b.seed.Backfill(id, "EmailMessage", true, 3000)
	b.seed.Part(load, 1000, store.PartReady, true)
	part := b.seed.Part(load, 500, store.PartRunning, false)
	b.seed.Exec(`update backfill_parts set api = 'rest', why_rest = 'Bulk does not take it' where part = $1`, part)
	object := func(i int) map[string]any {
		t.Helper()
		return b.get("/api/v1/integrations/support/prod", "operator")["objects"].([]any)[i].(map[string]any)
	}
	mail := object(0)
	require.Nil(t, mail["complete_to"], "not before the first load is done")
	require.NotNil(t, object(1)["complete_to"])
	require.Nil(t, object(1)["backfill"])
	require.Nil(t, b.get("/api/v1/integrations/support/prod", "operator")["integration"].(map[string]any)["complete_to"])
	got := mail["backfill"].(map[string]any)
	require.InDelta(t, 60, got["eta_seconds"], 1)
	require.NotEmpty(t, got["started_at"])
	require.NotEmpty(t, got["requested_at"])
	for _, moving := range []string{"eta_seconds", "started_at", "requested_at"} {
		delete(got, moving)
	}
	require.Equal(t, map[string]any{"state": "open", "desired": "running", "first": true, "reason": "first load", "from": nil, "until": nil,
		"rows": 1500., "expected": 3000., "rate_per_second": 25., "parts": 2., "parts_done": 1., "planned": true, "jobs": 1.,
		"over_rest": 1., "why_rest": "Bulk does not take it", "created": 1500., "text_changed": 0., "units": 1500., "finished_at": nil, "waits_for": nil}, got)

	b.seed.Exec(`update backfills set fault_kind = 'Quota', fault_message = 'the share is used', fault_hint = 'wait', retry_at = '2026-11-25T12:00:00Z', from_stamp = '2026-01-01Z'`)
	got = object(0)["backfill"].(map[string]any)
	require.Equal(t, map[string]any{"kind": "Quota", "message": "the share is used", "hint": "wait", "retry_at": "2026-11-25T12:00:00.000000+00:00"}, got["waits_for"])
	require.Nil(t, got["eta_seconds"])
	require.Equal(t, "2026-01-01T00:00:00.000000+00:00", got["from"])
	require.NoError(t, b.db.SteerBackfill(t.Context(), "support", "prod", "EmailMessage", flow.SignalPause))
	got = object(0)["backfill"].(map[string]any)
	require.Equal(t, "paused", got["desired"])
	require.Equal(t, "run `starter backfill support/prod --object EmailMessage --resume`", got["waits_for"].(map[string]any)["hint"])

	b.seed.Exec(`update backfills set rows_expected = null, state = 'done', finished_at = started_at + interval '10 seconds', from_stamp = null`)
	mail = object(0)
	require.NotNil(t, mail["complete_to"])
	got = mail["backfill"].(map[string]any)
	require.Equal(t, "done", got["state"])
	require.Nil(t, got["expected"])
	require.InDelta(t, 150, got["rate_per_second"], 0)
	require.Nil(t, got["waits_for"])
}
