package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAuthUser(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	user := b.get("/auth/user", "sensitive")["user"].(map[string]any)
	require.Regexp(t, `^[0-9a-f]{16}$`, user["id"])
	require.Equal(t, "sensitive", user["username"])
	require.Equal(t, "sensitive@example.com", user["email"])
	_, err := time.Parse(time.RFC3339, user["created"].(string))
	require.NoError(t, err)
	require.Equal(t, []any{}, user["global_permissions"])
	require.Equal(t, []any{}, user["sso_global_permissions"])
	require.Equal(t, map[string]any{"support": []any{"sources-read", "sources-read-sensitive"}}, user["organisation_permissions"])
	require.Equal(t, true, user["verified"])

	user = b.get("/auth/user", "everywhere")["user"].(map[string]any)
	require.Len(t, user["organisation_permissions"], 2, "a right on every project is shown on each")
	require.Empty(t, b.get("/auth/user", "nothing")["user"].(map[string]any)["organisation_permissions"])

	a := b.do(http.MethodPost, "/auth/refresh-user-permissions", "reader", "{}")
	require.Equal(t, true, a.body["permissions_refreshed"])
}

func TestProjectsAndBuckets(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, path := range []string{"/api/v1/projects", "/api/_private/projects"} {
		projects := b.get(path, "editor")["projects"].([]any)
		require.Len(t, projects, 1, "only where the caller may do something")
		project := projects[0].(map[string]any)
		require.Equal(t, "support", project["name"])
		require.Regexp(t, `^[0-9a-f]{16}$`, project["id"])
		require.Len(t, b.get(path, "everywhere")["projects"], 2)
		require.Equal(t, []any{}, b.get(path, "nothing")["projects"])
	}
	require.Equal(t, []any{}, b.get("/api/_private/buckets", "nothing")["buckets"])
}

func TestSources(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	require.Len(t, b.get("/api/v1/sources", "everywhere")["sources"], 2)
	require.Len(t, b.get("/api/v1/sources", "reader")["sources"], 1)
	require.Equal(t, []any{}, b.get("/api/v1/sources", "editor")["sources"])
	require.Len(t, b.get("/api/v1/sources/support", "everywhere")["sources"], 1)

	source := b.get("/api/v1/sources/support/emails", "reader")["source"].(map[string]any)
	for _, other := range []string{"/api/v1/sources/support%2Femails", "/api/v1/sources/id:" + b.source, "/api/v1/sources/id:" + strings.ToUpper(b.source)} {
		require.Equal(t, source, b.get(other, "reader")["source"])
	}
	require.Equal(t, b.source, source["id"])
	require.Equal(t, "support", source["owner"])
	require.Equal(t, "emails", source["name"])
	require.Equal(t, "unknown", source["_kind"])
	require.Equal(t, "xlm", source["language"])
	require.Equal(t, false, source["should_translate"])
	require.Equal(t, []any{}, source["sensitive_properties"])
	for _, key := range []string{"title", "description", "created_at", "updated_at", "last_modified"} {
		require.Contains(t, source, key)
	}
	require.NotContains(t, source, "bucket_id")
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for i, id := range []string{"0a", "0b", "0c", "0d"} {
		b.seed.Mail(b.source, id, at.Add(time.Duration(i)*time.Hour), "s", "b")
	}
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = '0d'`)
	for body, want := range map[string]float64{
		"": 3, "{}": 3, `{"comment_filter":null}`: 3,
		// What the vendor's client sends.
		`{"comment_filter":{"timestamp":{},"sources":["` + b.source + `"],"messages":{}}}`:                                3,
		`{"comment_filter":{"sources":["0000000000000000"]}}`:                                                             0,
		`{"comment_filter":{"timestamp":{"minimum":"2024-05-01T13:00:00Z"}}}`:                                             2,
		`{"comment_filter":{"timestamp":{"maximum":"2024-05-01T15:00:00+02:00"}}}`:                                        2,
		`{"comment_filter":{"timestamp":{"minimum":"2024-05-01T13:00:00Z","maximum":"2024-05-01T13:00:00Z"}}}`:            1,
		`{"comment_filter":{"timestamp":{"minimum":"2024-05-01T13:00:00.000001Z","maximum":"2024-05-01T13:59:59Z"}}}`:     0,
		`{"comment_filter":{"timestamp":{"minimum":null,"maximum":null},"user_properties":{},"anything":[],"more":null}}`: 3,
	} {
		a := b.do(http.MethodPost, "/api/v1/sources/support%2Femails/statistics", "reader", body)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", body, a.raw)
		require.Equal(t, map[string]any{"num_comments": want}, a.body["statistics"], body)
	}
	for _, body := range []string{
		"{", "[]", `"x"`, `{"comment_filter":[1]}`, "{} {}",
		`{"comment_filter":{"timestamp":{"minimum":"yesterday"}}}`, `{"comment_filter":{"timestamp":{"after":"2024-05-01T13:00:00Z"}}}`,
		`{"comment_filter":{"timestamp":5}}`, `{"comment_filter":{"sources":"x"}}`, `{"comment_filter":{"messages":{"from":["x"]}}}`,
	} {
		a := b.do(http.MethodPost, "/api/v1/sources/support%2Femails/statistics", "reader", body)
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", body, a.raw)
	}
	a := b.do(http.MethodPost, "/api/v1/sources/support%2Femails/statistics", "reader", `{"x":"`+strings.Repeat("x", maxBody)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
}
