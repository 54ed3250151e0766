package api

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

const auditPath = "/api/v1/audit_events/query"

func auditor(b *bench) {
	b.user("auditor", store.Grant{Permission: access.AuditRead}, store.Grant{Permission: access.TenantQuotaRead})
}

// events gives the log without what stands there for reading it, newest first, by type.
func events(b *bench, body string) (map[string]map[string]any, map[string]any) {
	b.t.Helper()
	a := b.do(http.MethodPost, auditPath, "auditor", body)
	require.Equal(b.t, http.StatusOK, a.status, a.raw)
	found := map[string]map[string]any{}
	for _, item := range a.body["audit_events"].([]any) {
		event := item.(map[string]any)
		found[event["event_type"].(string)] = event
	}
	return found, a.body
}

func TestTheLogSaysWhoReadWroteAndDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	auditor(b)
	calls := b.seed.Strings(`select s.id from sources s where s.name = 'calls'`)[0]
	for i := range 3 {
		body := fmt.Sprintf(`{"comments":[{"id":"0%d","timestamp":"2026-01-01T00:00:00Z","messages":[{"body":{"text":"a text of a customer"}}]}]}`, i)
		require.Equal(t, http.StatusOK, b.do(http.MethodPost, "/api/v1/sources/sales/calls/sync", "writer", body).status)
		b.get("/api/_private/sources/sales%2Fcalls/comments", "writer")
	}
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, "/api/v1/sources/sales/calls/comments?id=00&id=01", "writer", "").status)
	require.Equal(t, http.StatusConflict, b.do(http.MethodDelete, "/api/v1/sources/support/emails/comments?id=00", "editor", "").status, "an integration feeds it")
	b.get("/api/v1/sources", "writer")

	found, body := events(b, `{"filter":{"timestamp":{}}}`)
	require.ElementsMatch(t, []string{"comments.written", "comments.read", "comments.deleted"}, slices.Collect(keysOf(found)), "nothing of what was refused, nothing of what is no bulk")
	require.Equal(t, []any{3.0, 3.0}, []any{found["comments.written"]["requests"], found["comments.written"]["rows"]})
	require.Equal(t, []any{3.0, 6.0}, []any{found["comments.read"]["requests"], found["comments.read"]["rows"]})
	require.Equal(t, map[string]any{"ids": []any{"00", "01"}}, found["comments.deleted"]["details"])
	for _, event := range found {
		require.Equal(t, []any{calls}, event["source_ids"])
		actor := event["actor"].(map[string]any)
		require.Equal(t, []any{"token", "writer@example.com"}, []any{actor["kind"], actor["name"]})
		require.NotEmpty(t, actor["token_id"])
		require.NotEmpty(t, actor["address"])
		require.NotEmpty(t, actor["request_id"])
	}
	lookedUp(t, body)
	require.NotContains(t, fmt.Sprint(body), "a text of a customer")

	found, _ = events(b, "")
	require.Contains(t, found, "audit.read", "who reads the log is in it")
	// What is gone still has its name.
	b.seed.Exec(`delete from users where email = 'writer@example.com'`)
	b.seed.Exec(`delete from projects where name = 'sales'`)
	_, body = events(b, `{"limit":1024}`)
	lookedUp(t, body)
	require.Contains(t, body["sources"], map[string]any{"id": calls, "name": "sales/calls", "tenant_id": tenantID})
}

func keysOf[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// lookedUp demands of an answer that every id of its events can be looked up: the vendor's client stops otherwise.
func lookedUp(t *testing.T, body map[string]any) {
	t.Helper()
	known := map[string]map[string]bool{}
	for _, list := range []string{"users", "projects", "sources", "tenants"} {
		known[list] = map[string]bool{}
		for _, item := range body[list].([]any) {
			known[list][item.(map[string]any)["id"].(string)] = true
			require.NotContains(t, item, "name\x00")
		}
	}
	for _, item := range body["audit_events"].([]any) {
		event := item.(map[string]any)
		require.True(t, known["users"][event["actor_user_id"].(string)], event)
		require.True(t, known["tenants"][event["actor_tenant_id"].(string)], event)
		for list, key := range map[string]string{"users": "user_ids", "projects": "project_ids", "sources": "source_ids", "tenants": "tenant_ids"} {
			for _, id := range event[key].([]any) {
				require.True(t, known[list][id.(string)], event)
			}
		}
	}
}

func TestPagesAndFiltersOfTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	auditor(b)
	b.seed.Exec(`insert into audit_events (type, actor, actor_name, at) select 'test.event', a, n::text, '2026-01-01Z'::timestamptz + n * interval '1 minute'
		from generate_series(1, 10) n, unnest(array['starter', 'salesforce', 'system']) a`)
	const year = `"filter":{"timestamp":{"minimum":"2026-01-01T00:00:00Z","maximum":"2026-01-01T00:09:00+00:00"}}`
	var walked []any
	token := ""
	for {
		_, body := events(b, fmt.Sprintf(`{%s,"limit":4,"continuation":%q}`, year, token))
		lookedUp(t, body)
		walked = append(walked, body["audit_events"].([]any)...)
		if body["continuation"] == nil {
			break
		}
		token = body["continuation"].(string)
	}
	_, whole := events(b, "{"+year+"}")
	require.Equal(t, whole["audit_events"], walked)
	require.Len(t, walked, 27)
	for body, want := range map[string]int{
		`{"limit":0}`: 400, `{"limit":1025}`: 400, `{"continuation":"x"}`: 400, `{"continuation":"e30"}`: 400, `{"filter":{"users":[]}}`: 400,
		`{"filter":{"timestamp":{"minimum":"yesterday"}}}`: 400, `[]`: 400, `{} {}`: 400, `{"limit":"1"}`: 400, `{"continuation":null,"limit":null}`: 200,
	} {
		require.Equal(t, want, b.do(http.MethodPost, auditPath, "auditor", body).status, body)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	auditor(b)
	b.seed.Mail(b.source, "0a", noon, "s", "b")
	want := map[string]float64{"comments": 1, "integrations": 1, "projects": 2, "sources": 2, "users": float64(len(b.tokens) - 1)}
	for _, path := range []string{"/api/_private/quotas", "/api/_private/quotas/default", "/api/_private/quotas/" + tenantID} {
		got := map[string]float64{}
		for _, item := range b.get(path, "auditor")["quotas"].([]any) {
			quota := item.(map[string]any)
			got[quota["quota_kind"].(string)] = quota["current_max_usage"].(float64)
			require.EqualValues(t, 1<<32-1, quota["hard_limit"])
		}
		require.Equal(t, want, got)
	}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/_private/quotas/acme", "auditor", "").status)
}

// Whatever is not a GET leaves something in the log, or changes nothing; and what is in the list is a route.
func TestEveryRouteSaysWhatItLeavesInTheLog(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, r := range routes {
		_, known := r.recording()
		require.True(t, known, "%s %v", r.method, r.patterns)
		named[r.method+" "+r.patterns[0]] = true
	}
	for name, what := range recordings {
		require.True(t, named[name], "there is no route %s", name)
		require.Equal(t, what.event == "", what == onlyReads)
	}
	_, known := route{method: http.MethodPut, patterns: []string{"/new"}}.recording()
	require.False(t, known)
}
