package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

// emails lists whom a caller sees.
func (b *bench) emails(who string) []string {
	b.t.Helper()
	var list []string
	for _, u := range b.get("/api/_private/users", who)["users"].([]any) {
		list = append(list, u.(map[string]any)["email"].(string))
	}
	return list
}

func TestUsersAreSeenWhereTheyMatter(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("lead", store.Grant{Project: "support", Role: access.ProjectAdmin})
	b.user("both", store.Grant{Project: "support", Role: access.Viewer}, store.Grant{Project: "sales", Role: access.Developer}, store.Grant{Permission: access.AuditRead})
	require.Empty(t, b.emails("reader"))
	require.ElementsMatch(t, []string{"reader@example.com", "sensitive@example.com", "everywhere@example.com", "editor@example.com", "root@example.com", "lead@example.com", "both@example.com"}, b.emails("lead"))
	require.Len(t, b.emails("root"), len(b.users))

	path := "/api/_private/users/" + b.users["both"]
	user := b.get(path, "lead")["user"].(map[string]any)
	require.Equal(t, map[string]any{"support": []any{"sources-read", "voc-readonly"}}, user["organisation_permissions"], "what is elsewhere is not told")
	require.Equal(t, map[string]any{"support": []any{"viewer"}}, user["roles"])
	require.Empty(t, user["global_permissions"])
	user = b.get(path, "root")["user"].(map[string]any)
	require.Len(t, user["organisation_permissions"], 2)
	require.Equal(t, []any{access.AuditRead}, user["global_permissions"])
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/_private/users/"+b.users["elsewhere"], "lead", "").status)
}

func TestUsersAreChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("lead", store.Grant{Project: "support", Role: access.ProjectAdmin}, store.Grant{Project: "sales", Permission: access.SourcesRead})
	change := func(who, name, body string) answer {
		t.Helper()
		return b.do(http.MethodPost, "/api/_private/users/"+b.users[name], who, `{"user":`+body+`}`)
	}
	may := func(name string) []string {
		t.Helper()
		return b.seed.Strings(`
			select coalesce(p.name, '*') || ' ' || g.what from (select project_id, permission as what from user_permissions where user_id = $1
			union all select project_id, role from user_roles where user_id = $1) g left join projects p on p.id = g.project_id order by 1`, b.users[name])
	}
	a := change("lead", "reader", `{"organisation_permissions":{"support":["sources-read-sensitive","integrations-read"]},"roles":{"support":["analyst"]}}`)
	require.Equal(t, http.StatusBadRequest, a.status, "the role brings more than the list says: %s", a.raw)
	a = change("lead", "reader", `{"organisation_permissions":{"support":["sources-read-sensitive","integrations-read"]}}`)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, []string{"support integrations-read", "support sources-read-sensitive"}, may("reader"))
	a = change("lead", "reader", `{"organisation_permissions":{"support":[]},"roles":{"support":["viewer"]}}`)
	require.Equal(t, http.StatusBadRequest, a.status, a.raw)
	a = change("lead", "reader", `{"organisation_permissions":{"support":["sources-read","voc-readonly"]},"roles":{"support":["viewer"]}}`)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, []string{"support viewer"}, may("reader"), "what a role brings needs no permission of its own")
	// What was read can be sent back.
	user := b.get("/api/_private/users/"+b.users["reader"], "lead")["user"].(map[string]any)
	sent, err := encode(map[string]any{"organisation_permissions": user["organisation_permissions"], "roles": user["roles"]})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, change("lead", "reader", string(sent)).status)
	require.Equal(t, []string{"support viewer"}, may("reader"))

	before := may("reader")
	for body, want := range map[string]int{
		`{"roles":{"support":["administrator"]}}`:                               http.StatusBadRequest,
		`{"roles":{"*":["viewer"]}}`:                                            http.StatusForbidden,
		`{"roles":{"sales":["viewer"]}}`:                                        http.StatusForbidden,
		`{"roles":{"nowhere":["viewer"]}}`:                                      http.StatusForbidden,
		`{"organisation_permissions":{"sales":["sources-read"]}}`:               http.StatusForbidden,
		`{"global_permissions":["tenant-admin"]}`:                               http.StatusForbidden,
		`{"global_permissions":["sources-read"]}`:                               http.StatusBadRequest,
		`{"organisation_permissions":{"support":["audit-read"]}}`:               http.StatusBadRequest,
		`{"organisation_permissions":{"support":["viewer"]}}`:                   http.StatusBadRequest,
		`{"roles":{"support":["sources-read"]}}`:                                http.StatusBadRequest,
		`{"roles":{"sup\u0000port":["viewer"]}}`:                                http.StatusBadRequest,
		`{"roles":{"support":["viewer"]},"password":"x"}`:                       http.StatusBadRequest,
		`{"email":"other@example.com"}`:                                         http.StatusBadRequest,
		`{"roles":[]}`:                                                          http.StatusBadRequest,
		`{"organisation_permissions":{"support":["sources-read","made-up"]}}`:   http.StatusBadRequest,
		`{"organisation_permissions":{"support":["sources-read"]}} {"again":1}`: http.StatusBadRequest,
	} {
		a := change("lead", "reader", body)
		require.Equal(t, want, a.status, "%s: %s", body, a.raw)
		require.Equal(t, before, may("reader"), body)
	}
	require.Equal(t, http.StatusNotFound, change("lead", "elsewhere", `{"roles":{"support":["viewer"]}}`).status)
	require.Equal(t, http.StatusNotFound, change("root", "reader", `{"roles":{"nowhere":["viewer"]}}`).status)
	require.Equal(t, http.StatusConflict, change("root", "root", `{"roles":{"*":[]}}`).status, "the last administrator")

	for _, tt := range []struct {
		body string
		want int
	}{
		{`{"email":"new@example.com","username":"New_1","global_permissions":["audit-read"],"organisation_permissions":{"sales":["sources-read"]},"roles":{"support":["developer"]}}`, http.StatusOK},
		{`{"email":"NEW@example.com"}`, http.StatusConflict},
		{`{"email":"nonsense"}`, http.StatusBadRequest},
		{`{"email":"n@example.com","username":"with blank"}`, http.StatusBadRequest},
	} {
		a := b.do(http.MethodPut, "/api/_private/users", "root", `{"user":`+tt.body+`}`)
		require.Equal(t, tt.want, a.status, "%s: %s", tt.body, a.raw)
	}
	b.user("service", store.Grant{Role: access.ServiceAdmin})
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPut, "/api/_private/users", "service", `{"user":{"email":"x@example.com","roles":{"support":["viewer"]}}}`).status)
	a = b.do(http.MethodPut, "/api/_private/users", "service", `{"user":{"email":"x@example.com"}}`)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	id := a.body["user"].(map[string]any)["id"].(string)
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, "/api/_private/users/"+strings.ToUpper(id), "service", "").status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodDelete, "/api/_private/users/"+id, "service", "").status)
	require.Equal(t, http.StatusConflict, b.do(http.MethodDelete, "/api/_private/users/"+b.users["root"], "service", "").status)
}

func TestTokensOverTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	create := func(who, body string) answer {
		t.Helper()
		return b.do(http.MethodPost, "/api/v1/tokens", who, body)
	}
	a := create("sensitive", `{"token":{"name":"narrow","expires_at":"2126-01-01T00:00:00Z","scope":[{"project":"support","permission":"sources-read"}]}}`)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	b.tokens["narrow"] = a.body["secret"].(string)
	id := a.body["token"].(map[string]any)["id"].(string)
	user := b.get("/auth/user", "narrow")["user"].(map[string]any)
	require.Equal(t, map[string]any{"support": []any{"sources-read"}}, user["organisation_permissions"])

	for body, want := range map[string]int{
		``:                            http.StatusBadRequest,
		`{"token":{}}`:                http.StatusBadRequest,
		`{"token":{"name":"\u0007"}}`: http.StatusBadRequest,
		`{"token":{"name":"n","expires_at":"2001-01-01T00:00:00Z"}}`:                                   http.StatusBadRequest,
		`{"token":{"name":"n","expires_at":"soon"}}`:                                                   http.StatusBadRequest,
		`{"token":{"name":"n","scope":[]}}`:                                                            http.StatusBadRequest,
		`{"token":{"name":"n","scope":[{"permission":"made-up"}]}}`:                                    http.StatusBadRequest,
		`{"token":{"name":"n","scope":[{"project":"a/b","permission":"sources-read"}]}}`:               http.StatusBadRequest,
		`{"token":{"name":"n","scope":[{"project":"support","permission":"tenant-admin"}]}}`:           http.StatusBadRequest,
		`{"token":{"name":"n","scope":[{"permission":"sources-read"}]}}`:                               http.StatusForbidden,
		`{"token":{"name":"n","scope":[{"project":"sales","permission":"sources-read"}]}}`:             http.StatusForbidden,
		`{"token":{"name":"n","scope":[{"project":"support","permission":"sources-read-sensitive"}]}}`: http.StatusForbidden,
		`{"token":{"name":"n","user":"root"}}`:                                                         http.StatusBadRequest,
	} {
		a := create("narrow", body)
		require.Equal(t, want, a.status, "%s: %s", body, a.raw)
	}
	require.Len(t, b.get("/api/v1/tokens", "narrow")["tokens"], 2, "that of the test and this one")
	require.NotContains(t, b.do(http.MethodGet, "/api/v1/tokens", "narrow", "").raw, b.tokens["narrow"])
	require.Equal(t, http.StatusNotFound, b.do(http.MethodDelete, "/api/v1/tokens/"+id, "reader", "").status, "of somebody else")
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, "/api/v1/tokens/"+id, "sensitive", "").status)
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, "/api/v1/tokens/"+id, "sensitive", "").status, "may be repeated")
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "narrow", "").status)
	require.NotEmpty(t, b.get("/api/v1/roles", "nothing")["roles"])
}
