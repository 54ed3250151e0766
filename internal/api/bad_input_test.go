package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
)

// What is sent besides comments and mails: each mistake is 400 in the documented shape with a message that names what it is in,
// and nothing is applied. Comments have TestBadComments, mails TestBadMails, sources TestBadSourceFields.
func TestBadInputIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	b.sync(one("0a", "text"))
	long := func(n int) string { return strings.Repeat("x", n) }
	const (
		statistics = http.MethodPost + " /api/v1/sources/sales%2Fcalls/statistics"
		log        = http.MethodPost + " " + auditPath
		newProject = http.MethodPut + " /api/_private/projects/new"
		project    = http.MethodPost + " /api/_private/projects/sales"
		newUser    = http.MethodPut + " /api/_private/users"
		token      = http.MethodPost + " /api/v1/tokens"
		list       = http.MethodGet + " /api/_private/sources/sales%2Fcalls/comments"
		found      = http.MethodGet + " /api/v1/sources/sales%2Fcalls/comments"
		threads    = http.MethodGet + " /api/v1/sources/sales%2Fcalls/threads"
		changes    = http.MethodGet + " /api/v1/sources/sales%2Fcalls/changes"
		revisions  = http.MethodGet + " /api/v1/sources/sales%2Fcalls/comments/0a/revisions"
		remove     = http.MethodDelete + " /api/v1/sources/sales%2Fcalls/comments"
		usage      = http.MethodGet + " /api/v1/usage"
		units      = http.MethodGet + " /api/v1/usage/units"
	)
	user := "POST /api/_private/users/" + b.users["reader"]
	before := b.everything()
	for _, tt := range []struct{ route, query, body, want string }{
		{statistics, "", `{`, "body"},
		{statistics, "", `{"comment_filter":7}`, "comment_filter"},
		{statistics, "", `{"comment_filter":{"timestamp":{"minimum":"yesterday"}}}`, "comment_filter.timestamp"},
		{statistics, "", `{"comment_filter":{"timestamp":{"after":"2024-01-01T00:00:00Z"}}}`, "comment_filter.timestamp"},
		{statistics, "", `{"comment_filter":{"sources":"x"}}`, "comment_filter.sources"},
		{statistics, "", `{"comment_filter":{"messages":{"from":["x"]}}}`, "comment_filter.messages"},
		{statistics, "", `{"comment_filter":{"user_properties":{"Team":{"one_of":["x"]}}}}`, `comment_filter.user_properties`},
		{statistics, "", `{"comment_filter":{"user_properties":{"number:n":{"one_of":["x"]}}}}`, `comment_filter.user_properties`},
		{log, "", `{"limit":0}`, "limit is 0, want 1 to 1024"},
		{log, "", `{"limit":1025}`, "limit is 1025, want 1 to 1024"},
		{log, "", `{"continuation":"x"}`, "continuation"},
		{log, "", `{"filter":{"timestamp":{"minimum":"x"}}}`, `"timestamp"`},
		{log, "", `{"filter":{"users":[]}}`, `"filter"`},
		{newProject, "", `{"project":{"title":"` + long(129) + `"}}`, "project.title has 129 characters, at most 128"},
		{newProject, "", `{"project":{"description":"` + long(16385) + `"}}`, "project.description has 16,385 characters, at most 16,384"},
		{newProject, "", `{"project":{"title":7}}`, "project.title is not a string"},
		{newProject, "", `{"project":{},"user_ids":[7]}`, "user_ids[0] is not a string"},
		{newProject, "", `{"project":{},"user_ids":["0000000000000000"]}`, "0000000000000000"},
		{project, "", `{"project":{"name":"x"}}`, `project has the unknown key "name"`},
		{user, "", `{"user":{"email":"x@example.com"}}`, "email"},
		{user, "", `{"user":{"roles":[]}}`, "user.roles is not an object"},
		{user, "", `{"user":{"roles":{"support":["viewer"],"support":[]}}}`, `user.roles has the key "support" twice`},
		{user, "", `{"user":{"password":"x"}}`, `user has the unknown key "password"`},
		{user, "", `{"User":{}}`, `unknown key "User"`},
		{user, "", `{}`, "user is missing"},
		{user, "", `{"user":{"roles":{"support":["made-up"]}}}`, "made-up"},
		{user, "", `{"user":{"organisation_permissions":{"support":[7]}}}`, `user.organisation_permissions["support"][0] is not a string`},
		{newUser, "", `{"user":{"email":7}}`, "user.email is not a string"},
		{newUser, "", `{"user":{"email":"nonsense"}}`, "nonsense"},
		{newUser, "", `{"user":{"email":"n@example.com","global_permissions":["made-up"]}}`, "made-up"},
		{token, "", `{"token":{}}`, "name"},
		{token, "", `{"token":{"name":"n","expires_at":"soon"}}`, `token.expires_at is "soon", want RFC 3339`},
		{token, "", `{"token":{"name":"n","scope":[{"project":"a/b","permission":"sources-read"}]}}`, `token.scope[0].project is "a/b"`},
		{token, "", `{"token":{"name":"n","scope":[{"project":"support"}]}}`, "token.scope[0].permission is missing"},
		{token, "", `{"token":{"name":7}}`, "token.name is not a string"},
		{token, "", `{"token":{"name":"n","scope":[{"permission":"made-up"}]}}`, "made-up"},
		{token, "", `{"token":{"name":"n","user":"root"}}`, `unknown key "user"`},
		{list, "limit=0", "", `limit is "0", want 1 to 256`}, {list, "limit=257", "", `limit is "257", want 1 to 256`}, {list, "limit=x", "", "limit"},
		{list, "after=%21", "", "after"}, {list, "direction=up", "", "direction"}, {list, "from_timestamp=x", "", "from_timestamp"}, {list, "to_timestamp=x", "", "to_timestamp"},
		{list, "include_markup=x", "", "include_markup"},
		{found, "q=" + long(1025), "", "q "}, {found, "property=x", "", "property"}, {found, "thread_id=" + long(comment.MaxThreadID+1), "", "thread_id"}, {found, "limit=257", "", "limit"},
		{threads, "limit=17", "", "limit"}, {threads, "after=%21", "", "after"},
		{changes, "wait=31", "", "wait"}, {changes, "limit=257", "", "limit"}, {changes, "after=%21", "", "after"},
		{revisions, "after=0", "", "after"}, {revisions, "limit=257", "", "limit"},
		{remove, "", "", "id is missing"}, {remove, "id=a%20b", "", `id "a b" is not`}, {remove, "ids=0a," + long(1025), "", "id"}, {remove, strings.Repeat("id=0a&", 129), "", "129 ids, at most 128"},
		{usage, "from=x", "", "from"}, {usage, "group_by=x", "", "group_by"}, {usage, "reason=x", "", "reason"}, {units, "limit=2049", "", "limit"}, {units, "after=%21", "", "after"},
	} {
		method, path, _ := strings.Cut(tt.route, " ")
		a := b.do(method, path+"?"+tt.query, "root", tt.body)
		require.Equal(t, http.StatusBadRequest, a.status, "%s?%.80s %.80s: %s", tt.route, tt.query, tt.body, a.raw)
		require.Contains(t, a.body["message"], tt.want, "%s?%.80s %.80s", tt.route, tt.query, tt.body)
	}
	require.Equal(t, before, b.everything(), "nothing was applied")
	require.NotContains(t, b.do(http.MethodGet, "/api/v1/tokens", "root", "").raw, `"n"`)

	// Names that are none are of nothing that there is.
	for _, path := range []string{
		"/api/v1/sources/" + long(1025) + "/calls", "/api/v1/sources/sales/" + long(257), "/api/v1/sources/sales%2F" + long(257), "/api/v1/sources/sa%20les/calls", "/api/v1/sources/sales/ca.lls",
		"/api/v1/sources/id:0000000000000000", "/api/v1/sources/id:xyz", "/api/v1/sources/sales/calls/comments/" + long(1025), "/api/v1/sources/sales/calls/comments/a%20b",
	} {
		a := b.do(http.MethodGet, path, "root", "")
		require.Equal(t, http.StatusNotFound, a.status, "%.80s", path)
		require.Less(t, len(a.raw), 600, "a message does not repeat all that was sent")
	}
	for _, path := range []string{"/api/v1/sources/sales/" + long(257), "/api/v1/sources/sales/ca.lls"} {
		require.Equal(t, http.StatusNotFound, b.do(http.MethodPut, path, "root", `{"source":{}}`).status)
	}
}
