package api

import "net/http"

// recorded is what of a call that went well is written to the audit log.
type recorded struct {
	event string
	often bool // counted per caller, source and hour, instead of an event for each
}

func each(event string) recorded  { return recorded{event: event} }
func often(event string) recorded { return recorded{event: event, often: true} }

// onlyReads is of a request that changes nothing although its method is not GET.
var onlyReads = recorded{}

// recordings says what each route leaves in the audit log. A GET may be left out. Anything else must be
// here: New refuses a route table with one that nobody thought of. The first pattern names a route.
var recordings = map[string]recorded{
	"POST /auth/refresh-user-permissions": onlyReads,

	"POST /api/v1/tokens":               each("token.created"),
	"DELETE /api/v1/tokens/{token}":     each("token.revoked"),
	"PUT /api/_private/users":           each("user.created"),
	"POST /api/_private/users/{user}":   each("user.changed"),
	"DELETE /api/_private/users/{user}": each("user.removed"),

	"GET /api/v1/integrations/{project}/{integration}/records/{object}/{id}/raw": often("records.read_raw"),
	"GET /api/v1/integrations/{project}/{integration}/units":                     often("usage.exported"),
	"GET /api/v1/usage/units":         often("usage.exported"),
	"POST /api/v1/audit_events/query": often("audit.read"),

	"PUT /api/_private/projects/{project}":               each("project.created"),
	"POST /api/_private/projects/{project}":              each("project.changed"),
	"DELETE /api/_private/projects/{project}":            each("project.deleted"),
	"PUT /api/v1/sources/{name}":                         each("source.created"),
	"POST /api/v1/sources/{name}":                        each("source.changed"),
	"DELETE /api/v1/sources/{name}":                      each("source.deleted"),
	"POST /api/v1/sources/{name}/statistics":             onlyReads,
	"GET /api/_private/sources/{name}/comments":          often("comments.read"),
	"GET /api/v1/sources/{name}/comments":                often("comments.searched"),
	"GET /api/v1/sources/{name}/threads":                 often("comments.read"),
	"GET /api/v1/sources/{name}/threads/{thread}":        often("comments.read"),
	"GET /api/v1/sources/{name}/comments/{id}/revisions": often("comments.revisions_read"),
	"GET /api/v1/sources/{name}/changes":                 often("comments.followed"),
	"PUT /api/_private/sources/{name}/comments":          often("comments.written"),
	"POST /api/v1/sources/{name}/sync":                   often("comments.written"),
	"DELETE /api/v1/sources/{name}/comments":             each("comments.deleted"),
}

// recording is what a route leaves in the audit log, and whether anybody thought of it.
func (r route) recording() (what recorded, known bool) {
	what, known = recordings[r.method+" "+r.patterns[0]]
	return what, known || r.method == http.MethodGet
}
