package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

// owners adds those who may make and delete sources and projects.
func (b *bench) owners() {
	b.user("admin", store.Grant{Permission: access.SourcesAdmin}, store.Grant{Permission: access.SourcesReadSensitive}, store.Grant{Permission: access.SourcesAddComments})
	b.user("tenant", store.Grant{Permission: access.TenantAdmin})
}

func TestSourcesAreMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.owners()
	for _, path := range []string{"/api/v1/sources/sales%2Freviews", "/api/v1/sources/sales/reviews-2"} {
		a := b.do(http.MethodPut, path, "admin", `{"source":{"title":"T","description":"D","language":"de","should_translate":true,
			"sensitive_properties":["Guest"],"_kind":"chat","email_transform_tag":"generic.0.CONVKER5","bucket_id":null}}`)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		source := a.body["source"].(map[string]any)
		require.Equal(t, source, b.get(path, "admin")["source"])
		require.Equal(t, []any{"T", "D", "de", true, []any{"Guest"}, "chat", "generic.0.CONVKER5", "sales"}, []any{source["title"], source["description"],
			source["language"], source["should_translate"], source["sensitive_properties"], source["_kind"], source["email_transform_tag"], source["owner"]})
		require.Equal(t, http.StatusConflict, b.do(http.MethodPut, path, "admin", `{"source":{}}`).status)

		a = b.do(http.MethodPost, path, "admin", `{"source":{"title":"U","sensitive_properties":[],"bucket_id":null,"_kind":"chat"}}`)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		source = a.body["source"].(map[string]any)
		require.Equal(t, []any{"U", "D", []any{}}, []any{source["title"], source["description"], source["sensitive_properties"]})

		id := source["id"].(string)
		write := "/api/v1/sources/id:" + id + "/sync"
		require.Equal(t, http.StatusOK, b.do(http.MethodPost, write, "admin", batchOf(one("0a", "a"), one("0b", "b"))).status)
		a = b.do(http.MethodDelete, "/api/v1/sources/id:"+id, "admin", "")
		require.Equal(t, http.StatusOK, a.status, a.raw)
		for method, at := range map[string]string{http.MethodGet: path, http.MethodDelete: path, http.MethodPost: write} {
			require.Equal(t, http.StatusNotFound, b.do(method, at, "admin", batchOf(one("0c", "c"))).status, at)
		}
		require.NotContains(t, b.do(http.MethodGet, "/api/v1/sources", "admin", "").raw, "deleted")

		// The name is free at once; what was there does not come back with it, and the bill stays.
		a = b.do(http.MethodPut, path, "admin", `{"source":{}}`)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.NotEqual(t, id, a.body["source"].(map[string]any)["id"])
		removed, err := b.db.EraseDeleted(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, removed)
		require.Equal(t, 2, b.units(id))
		require.Equal(t, []string{path[strings.LastIndexAny(path, "/F")+1:] + " (deleted " + id + ") 0"}, b.seed.Strings(`
			select s.name || ' ' || count(c.id) from sources s left join comments c on c.source_id = s.id where s.id = $1 group by s.name`, id))
		require.Equal(t, http.StatusOK, b.do(http.MethodDelete, path, "admin", "").status)
	}
	a := b.do(http.MethodDelete, "/api/v1/sources/support/emails", "admin", "")
	require.Equal(t, http.StatusConflict, a.status)
	require.Contains(t, a.body["message"], "the integration support/prod feeds the source support/emails")
	require.Equal(t, http.StatusNotFound, b.do(http.MethodPut, "/api/v1/sources/nowhere/reviews", "admin", `{"source":{}}`).status)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPut, "/api/v1/sources/sales/reviews", "writer", `{"source":{}}`).status)
}

func TestBadSourceFields(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.owners()
	long := strings.Repeat("é", 16385)
	for fields, want := range map[string]string{
		`{"title":` + quote(long[:2*129]) + `}`: "source.title has 129 characters, at most 128", `{"title":5}`: "source.title is not a string",
		`{"description":` + quote(long) + `}`: "source.description has 16,385 characters, at most 16,384", `{"language":"fr"}`: `source.language is "fr", want en, de, xlm`,
		`{"should_translate":"yes"}`: "source.should_translate is not true or false", `{"sensitive_properties":["a",""]}`: "source.sensitive_properties[1] is empty",
		`{"sensitive_properties":[` + strings.Repeat(`"a",`, 4096) + `"a"]}`: "source.sensitive_properties has more than 4,096 items",
		`{"_kind":"mail"}`:                 `source._kind is "mail", want unknown`,
		`{"email_transform_tag":""}`:       "source.email_transform_tag is empty",
		`{"bucket_id":"0000000000000001"}`: "source.bucket_id names a bucket",
		`{"name":"x"}`:                     `source has the unknown key "name"`,
		`[]`:                               "source is not an object",
		`null`:                             "source is missing",
		`{"title":"a\u0000"}`:              "source.title has the character NUL",
		`{"title":"a"},"more":{}`:          `the body has the unknown key "more"`,
		`{"title":"a"}}{`:                  "the body is not JSON",
		`{"title":"a","title":"b"}`:        `source has the key "title" twice`,
		"{\"title\":\"\xff\"}":             "source.title is not text in UTF-8",
		`{"description":"` + strings.Repeat(`x`, maxBody): "413",
	} {
		for _, r := range []string{http.MethodPut + " /api/v1/sources/sales/new", http.MethodPost + " /api/v1/sources/sales/calls"} {
			method, path, _ := strings.Cut(r, " ")
			a := b.do(method, path, "admin", `{"source":`+fields+`}`)
			require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, a.status, a.raw)
			require.Contains(t, a.body["message"], want)
		}
	}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/sources/sales/new", "admin", "").status)
	a := b.do(http.MethodPost, "/api/v1/sources/sales/calls", "admin", `{"source":{"_kind":"call"}}`)
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Contains(t, a.body["message"], `source._kind is "unknown", and stays`)
}

func TestProjectsAreMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.owners()
	const path = "/api/_private/projects/new.project"
	reader := b.get("/auth/user", "reader")["user"].(map[string]any)["id"].(string)
	a := b.do(http.MethodPut, path, "tenant", `{"project":{"title":"T"},"user_ids":["`+reader+`"]}`)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, "T", a.body["project"].(map[string]any)["title"])
	require.Equal(t, http.StatusConflict, b.do(http.MethodPut, path, "tenant", `{"project":{},"user_ids":[]}`).status)
	for _, who := range []string{"tenant", "reader"} {
		require.Contains(t, b.do(http.MethodGet, "/api/_private/projects", who, "").raw, "new.project", "who makes a project sees it")
		require.Equal(t, http.StatusOK, b.do(http.MethodPut, "/api/v1/sources/new.project/"+who, who, `{"source":{}}`).status)
	}
	require.Equal(t, "T", b.get(path, "reader")["project"].(map[string]any)["title"])
	require.Equal(t, map[string]any{"sources": 2.0, "integrations": 0.0}, b.get(path+"/resource_counts", "reader")["resource_counts"])
	a = b.do(http.MethodPost, path, "reader", `{"project":{"description":"D"}}`)
	require.Equal(t, []any{"T", "D"}, []any{a.body["project"].(map[string]any)["title"], a.body["project"].(map[string]any)["description"]})
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path, "writer", "").status)

	require.Equal(t, http.StatusForbidden, b.do(http.MethodDelete, path, "reader", "").status)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodDelete, path+"?force=perhaps", "tenant", "").status)
	require.Equal(t, http.StatusConflict, b.do(http.MethodDelete, path, "tenant", "").status)
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, path+"?force=true", "tenant", "").status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodDelete, path+"?force=true", "tenant", "").status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/sources/new.project/tenant", "admin", "").status)
	require.NotContains(t, b.do(http.MethodGet, "/auth/user", "tenant", "").raw, "new.project")
	a = b.do(http.MethodPut, path, "tenant", `{"project":{}}`)
	require.Equal(t, "new.project", a.body["project"].(map[string]any)["title"])
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path, "reader", "").status, "rights on the old one are none on the new one")
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, path, "tenant", "").status, "an empty one goes without force")

	a = b.do(http.MethodDelete, "/api/_private/projects/support?force=true", "tenant", "")
	require.Equal(t, http.StatusConflict, a.status)
	require.Contains(t, a.body["message"], "has 1 integrations")
	for body, want := range map[string]string{
		`{"project":{},"user_ids":["0000000000000000"]}`: "no user with id", `{"project":{"name":"x"}}`: `project has the unknown key "name"`, `{}`: "project is missing",
		`{"project":{},"user_ids":"x"}`: "user_ids is not an array", `{"project":{"title":` + quote(strings.Repeat("x", 129)) + `}}`: "project.title has 129 characters",
	} {
		a := b.do(http.MethodPut, "/api/_private/projects/other", "tenant", body)
		require.Equal(t, http.StatusBadRequest, a.status, a.raw)
		require.Contains(t, a.body["message"], want)
	}
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPut, "/api/_private/projects/a%20b", "tenant", `{"project":{}}`).status)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPut, "/api/_private/projects/"+strings.Repeat("x", 1025), "tenant", `{"project":{}}`).status)
}
