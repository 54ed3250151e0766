package api

import (
	"net/http"

	"salesforcesync/internal/store"
)

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

	"POST /api/v1/tokens":               each(store.EventTokenCreated),
	"DELETE /api/v1/tokens/{token}":     each(store.EventTokenRevoked),
	"PUT /api/_private/users":           each(store.EventUserCreated),
	"POST /api/_private/users/{user}":   each(store.EventUserChanged),
	"DELETE /api/_private/users/{user}": each(store.EventUserRemoved),

	"GET /api/v1/integrations/{project}/{integration}/records/{object}/{id}/raw": often(store.EventRawRead),
	"GET /api/v1/integrations/{project}/{integration}/units":                     often(store.EventUsageExported),
	"GET /api/v1/usage/units":         often(store.EventUsageExported),
	"POST /api/v1/audit_events/query": often(store.EventAuditRead),

	"PUT /api/_private/projects/{project}":               each(store.EventProjectCreated),
	"POST /api/_private/projects/{project}":              each(store.EventProjectChanged),
	"DELETE /api/_private/projects/{project}":            each(store.EventProjectDeleted),
	"PUT /api/v1/sources/{name}":                         each(store.EventSourceCreated),
	"POST /api/v1/sources/{name}":                        each(store.EventSourceChanged),
	"DELETE /api/v1/sources/{name}":                      each(store.EventSourceDeleted),
	"POST /api/v1/sources/{name}/statistics":             onlyReads,
	"GET /api/_private/sources/{name}/comments":          often(store.EventCommentsRead),
	"GET /api/v1/sources/{name}/comments":                often(store.EventCommentsSearched),
	"GET /api/v1/sources/{name}/threads":                 often(store.EventCommentsRead),
	"GET /api/v1/sources/{name}/threads/{thread}":        often(store.EventCommentsRead),
	"GET /api/v1/sources/{name}/comments/{id}/revisions": often(store.EventCommentRevisionsRead),
	"GET /api/v1/sources/{name}/changes":                 often(store.EventCommentsFollowed),
	"PUT /api/_private/sources/{name}/comments":          often(store.EventCommentsWritten),
	"POST /api/v1/sources/{name}/sync":                   often(store.EventCommentsWritten),
	"POST /api/v1/sources/{name}/sync-raw-emails":        often(store.EventCommentsWritten),
	"DELETE /api/v1/sources/{name}/comments":             each(store.EventCommentsDeleted),
}

// recording is what a route leaves in the audit log, and whether anybody thought of it.
func (r route) recording() (what recorded, known bool) {
	what, known = recordings[r.method+" "+r.patterns[0]]
	return what, known || r.method == http.MethodGet
}
