package api

import (
	"net/http"

	"salesforcesync/internal/access"
)

// target is what a route's right is asked on.
type target int

const (
	onNobody       target = iota // any signed-in caller
	onListed                     // the answer leaves out projects without the right
	onProject                    // the project or source that the path names
	onSource                     // the source that the path names
	onNewSource                  // the project of the source that the path names, which need not be there
	onUsers                      // onListed of users; who runs the installation sees all
	onUser                       // a project that the user whom the path names has a right on, or the whole installation
	onInstallation               // the whole installation
)

// size is how much memory an answer may take; of large ones a bounded number is made
// at a time.
type size bool

const (
	small size = false
	large size = true
)

// route is one thing the API can do. This table is the only place that says who
// may: a route that is not here does not exist.
type route struct {
	method     string
	patterns   []string // {name} is one segment: p, p%2Fs or id:<hex>; {project}/{source} are two
	on         target
	permission string
	handle     func(*API, *call) (reply, error)
	answer     size
}

var routes = []route{
	{http.MethodGet, []string{"/auth/user"}, onNobody, "", (*API).getUser, small},
	{http.MethodPost, []string{"/auth/refresh-user-permissions"}, onNobody, "", (*API).refreshPermissions, small},

	{http.MethodGet, []string{"/api/v1/tokens"}, onNobody, "", (*API).listTokens, small},
	{http.MethodPost, []string{"/api/v1/tokens"}, onNobody, "", (*API).createToken, small},
	{http.MethodDelete, []string{"/api/v1/tokens/{token}"}, onNobody, "", (*API).revokeToken, small},
	{http.MethodGet, []string{"/api/v1/users", "/api/_private/users"}, onUsers, access.UsersRead, (*API).listUsers, small},
	{http.MethodPut, []string{"/api/_private/users"}, onInstallation, access.TenantAdmin, (*API).createUser, small},
	{http.MethodGet, []string{"/api/_private/users/{user}"}, onUser, access.UsersRead, (*API).readUser, small},
	{http.MethodPost, []string{"/api/_private/users/{user}"}, onUser, access.UsersWrite, (*API).updateUser, small},
	{http.MethodDelete, []string{"/api/_private/users/{user}"}, onInstallation, access.TenantAdmin, (*API).deleteUser, small},
	{http.MethodGet, []string{"/api/v1/roles"}, onNobody, "", (*API).listRoles, small},

	{http.MethodGet, []string{"/api/v1/projects", "/api/_private/projects"}, onListed, "", (*API).listProjects, small},
	{http.MethodGet, []string{"/api/_private/projects/{project}"}, onProject, access.SourcesRead, (*API).getProject, small},
	{http.MethodPut, []string{"/api/_private/projects/{project}"}, onInstallation, access.TenantAdmin, (*API).createProject, small},
	{http.MethodPost, []string{"/api/_private/projects/{project}"}, onProject, access.SourcesAdmin, (*API).updateProject, small},
	{http.MethodDelete, []string{"/api/_private/projects/{project}"}, onInstallation, access.TenantAdmin, (*API).deleteProject, small},
	{http.MethodGet, []string{"/api/_private/projects/{project}/resource_counts"}, onProject, access.SourcesRead, (*API).countResources, small},
	{http.MethodGet, []string{"/api/_private/buckets"}, onNobody, "", (*API).listBuckets, small},
	{http.MethodGet, []string{"/api/_private/integrations"}, onNobody, "", (*API).listForeignIntegrations, small},

	{http.MethodGet, []string{"/api/v1/integrations"}, onListed, access.IntegrationsRead, (*API).listIntegrations, small},
	{http.MethodGet, []string{"/api/v1/integrations/{project}/{integration}"}, onProject, access.IntegrationsRead, (*API).getIntegration, small},

	{http.MethodGet, []string{"/api/v1/integrations/{project}/{integration}/skipped"}, onProject, access.IntegrationsRead, (*API).listSkipped, small},
	{http.MethodGet, []string{"/api/v1/integrations/{project}/{integration}/records/{object}/{id}/raw"}, onProject, access.SourcesReadSensitive, (*API).getRaw, large},

	{http.MethodGet, []string{"/api/v1/integrations/{project}/{integration}/usage", "/api/v1/integrations/{name}/usage"},
		onProject, access.IntegrationsRead, (*API).getUsage, small},
	{http.MethodGet, []string{"/api/v1/integrations/{project}/{integration}/units", "/api/v1/integrations/{name}/units"},
		onProject, access.IntegrationsRead, (*API).listUnits, small},
	{http.MethodGet, []string{"/api/v1/usage"}, onListed, access.SourcesRead, (*API).getUsage, small},
	{http.MethodGet, []string{"/api/v1/usage/units"}, onListed, access.SourcesRead, (*API).listUnits, small},

	{http.MethodPost, []string{"/api/v1/audit_events/query"}, onInstallation, access.AuditRead, (*API).queryAudit, small},
	{http.MethodGet, []string{"/api/_private/quotas", "/api/_private/quotas/{tenant}"}, onInstallation, access.TenantQuotaRead, (*API).listQuotas, small},

	{http.MethodGet, []string{"/api/v1/sources"}, onListed, access.SourcesRead, (*API).listSources, small},
	{http.MethodGet, []string{"/api/v1/sources/{name}"}, onProject, access.SourcesRead, (*API).getProjectOrSource, small},
	{http.MethodGet, []string{"/api/v1/sources/{project}/{source}"}, onSource, access.SourcesRead, (*API).getProjectOrSource, small},
	{http.MethodPut, []string{"/api/v1/sources/{name}", "/api/v1/sources/{project}/{source}"}, onNewSource, access.SourcesAdmin, (*API).createSource, small},
	{http.MethodPost, []string{"/api/v1/sources/{name}", "/api/v1/sources/{project}/{source}"}, onSource, access.SourcesAdmin, (*API).updateSource, small},
	{http.MethodDelete, []string{"/api/v1/sources/{name}", "/api/v1/sources/{project}/{source}"}, onSource, access.SourcesAdmin, (*API).deleteSource, small},
	{http.MethodPost, []string{"/api/v1/sources/{name}/statistics", "/api/v1/sources/{project}/{source}/statistics"},
		onSource, access.SourcesRead, (*API).getStatistics, small},

	{http.MethodGet, []string{"/api/_private/sources/{name}/comments", "/api/_private/sources/{project}/{source}/comments"},
		onSource, access.SourcesRead, (*API).listComments, large},
	{http.MethodPut, []string{"/api/_private/sources/{name}/comments", "/api/_private/sources/{project}/{source}/comments"},
		onSource, access.SourcesAddComments, (*API).createComments, small},
	{http.MethodPost, []string{"/api/v1/sources/{name}/sync", "/api/v1/sources/{project}/{source}/sync"},
		onSource, access.SourcesAddComments, (*API).syncComments, small},
	{http.MethodPost, []string{"/api/v1/sources/{name}/sync-raw-emails", "/api/v1/sources/{project}/{source}/sync-raw-emails"},
		onSource, access.SourcesAddComments, (*API).syncMails, small}, // large where it is asked for the comments
	{http.MethodDelete, []string{"/api/v1/sources/{name}/comments", "/api/v1/sources/{project}/{source}/comments"},
		onSource, access.SourcesAddComments, (*API).deleteComments, small},
	{http.MethodGet, []string{"/api/v1/sources/{name}/changes", "/api/v1/sources/{project}/{source}/changes"},
		onSource, access.SourcesRead, (*API).listChanges, small}, // large once it has waited
	{http.MethodGet, []string{"/api/v1/sources/{name}/comments", "/api/v1/sources/{project}/{source}/comments"},
		onSource, access.SourcesRead, (*API).searchComments, large},
	{http.MethodGet, []string{"/api/v1/sources/{name}/threads", "/api/v1/sources/{project}/{source}/threads"},
		onSource, access.SourcesRead, (*API).listThreads, large},
	{http.MethodGet, []string{"/api/v1/sources/{name}/threads/{thread}", "/api/v1/sources/{project}/{source}/threads/{thread}"},
		onSource, access.SourcesRead, (*API).getThread, large},
	{http.MethodGet, []string{"/api/v1/sources/{name}/comments/{id}/revisions", "/api/v1/sources/{project}/{source}/comments/{id}/revisions"},
		onSource, access.SourcesReadSensitive, (*API).listRevisions, large},
	{http.MethodGet, []string{"/api/v1/sources/{name}/comments/{id}", "/api/v1/sources/{project}/{source}/comments/{id}"},
		onSource, access.SourcesRead, (*API).getComment, small},
	{http.MethodGet, []string{"/api/v1/sources/{project}/{source}/comments/{id}/cleaning"},
		onSource, access.SourcesRead, (*API).getCleaning, large},
}
