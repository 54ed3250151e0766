package access

import (
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Permissions on a project, named as the comments API names them in
// organisation_permissions.
const (
	SourcesRead          = "sources-read"           // view sources and their comments
	SourcesReadSensitive = "sources-read-sensitive" // and the sensitive properties; implies SourcesRead
	SourcesAddComments   = "sources-add-comments"   // create, update and delete comments
	SourcesAdmin         = "sources-admin"          // create, change and delete sources
	SourcesTranslate     = "sources-translate"
	DatasetsAdmin        = "datasets-admin"
	DatasetsWrite        = "voc"
	DatasetsRead         = "voc-readonly"
	DatasetsReview       = "datasets-review"
	DatasetsExport       = "datasets-export"
	StreamsAdmin         = "streams-admin"
	StreamsConsume       = "streams-consume"
	StreamsRead          = "streams-read"
	StreamsWrite         = "streams-write"
	UsersRead            = "users-read"
	UsersWrite           = "users-write"
	BucketsRead          = "buckets-read"
	BucketsWrite         = "buckets-write"
	BucketsAppend        = "buckets-append"
	IntegrationsRead     = "integrations-read"  // view integrations
	IntegrationsWrite    = "integrations-write" // connect and change integrations
	AlertsRead           = "alerts-read"
	AlertsWrite          = "alerts-write"
	FilesWrite           = "files-write"
)

// Permissions on the whole installation, shown as global_permissions. They are
// granted on every project and mean nothing on a single one.
const (
	TenantAdmin      = "tenant-admin"
	AuditRead        = "audit-read"
	TenantQuotaRead  = "tenant-quota-read"
	TenantQuotaWrite = "tenant-quota-write"
)

var global = []string{TenantAdmin, AuditRead, TenantQuotaRead, TenantQuotaWrite}

// all is what the first administrator gets, on every project.
var all = append([]string{
	SourcesRead, SourcesReadSensitive, SourcesAddComments, SourcesAdmin, SourcesTranslate,
	DatasetsAdmin, DatasetsWrite, DatasetsRead, DatasetsReview, DatasetsExport,
	StreamsAdmin, StreamsConsume, StreamsRead, StreamsWrite, UsersRead, UsersWrite,
	BucketsRead, BucketsWrite, BucketsAppend, IntegrationsRead, IntegrationsWrite,
	AlertsRead, AlertsWrite, FilesWrite,
}, global...)

// Permissions lists every permission there is.
func Permissions() []string { return slices.Clone(all) }

// implied names what a permission brings with it.
var implied = map[string]string{SourcesReadSensitive: SourcesRead}

// Principal is somebody whose credential was good. The zero Principal may nothing.
type Principal struct {
	UserID    string
	Email     string
	Username  string
	CreatedAt time.Time // of the user
	// Credential names what was shown without being it, for rate limits and logs:
	// "token:<id>" or "session:<user id>".
	Credential string
	// TokenID is the API token that was shown; "" = a session. ExpiresAt is when it ends; nil = never.
	TokenID   string
	ExpiresAt *time.Time
	// Scope is the most that the token may do; nil = all that its user may.
	Scope []store.Grant

	rights rights // of the user
	scope  rights // of the token, if Scope is not nil
}

type set map[string]bool

// rights are permissions on every project and on single ones by name.
type rights struct {
	everywhere set
	projects   map[string]set
}

func newRights(grants []store.Grant) rights {
	r := rights{everywhere: set{}, projects: map[string]set{}}
	for _, g := range grants {
		on := r.everywhere
		if g.Project != "" {
			if r.projects[g.Project] == nil {
				r.projects[g.Project] = set{}
			}
			on = r.projects[g.Project]
		}
		for _, permission := range expand(g) {
			on[permission] = true
		}
	}
	return r
}

func (r rights) has(project, permission string) bool {
	return r.everywhere[permission] || project != "" && r.projects[project][permission]
}

func newPrincipal(credential string, id *store.Identity) Principal {
	return Principal{
		UserID: id.User.ID, Email: id.User.Email, Username: id.User.Username, CreatedAt: id.User.CreatedAt,
		Credential: credential, TokenID: id.Key, ExpiresAt: id.ExpiresAt, Scope: id.Scope,
		rights: newRights(id.Grants), scope: newRights(id.Scope),
	}
}

// has reports what the user and the token both may.
func (p Principal) has(project, permission string) bool {
	return p.rights.has(project, permission) && (p.Scope == nil || p.scope.has(project, permission))
}

// Can reports whether p has the permission on the project of this name. A
// permission on the whole installation is not asked this way; see CanGlobally.
func (p Principal) Can(project, permission string) bool {
	return project != "" && !IsGlobal(permission) && p.has(project, permission)
}

// CanGlobally reports whether p has a permission on the whole installation.
func (p Principal) CanGlobally(permission string) bool {
	return IsGlobal(permission) && p.has("", permission)
}

// CanEverywhere reports whether p has a permission of projects on every one, those that are gone and
// those to come included.
func (p Principal) CanEverywhere(permission string) bool {
	return !IsGlobal(permission) && p.has("", permission)
}

// Knows reports whether p has any permission at all on the project, and so may
// learn that it exists.
func (p Principal) Knows(project string) bool {
	return slices.ContainsFunc(all, func(permission string) bool { return p.Can(project, permission) })
}

// Permissions lists what p may do on the project, sorted.
func (p Principal) Permissions(project string) []string {
	may := []string{}
	for _, permission := range all {
		if p.Can(project, permission) {
			may = append(may, permission)
		}
	}
	slices.Sort(may)
	return may
}

// ProjectsWith lists, by name, those of the projects on which p has the permission.
func (p Principal) ProjectsWith(projects []store.Project, permission string) []string {
	names := []string{}
	for _, project := range projects {
		if p.Can(project.Name, permission) {
			names = append(names, project.Name)
		}
	}
	return names
}

// BilledProjects lists, by name, those of the projects whose AI units p may see; nil = all, and what
// is left of projects that are gone, which is nobody else's.
func (p Principal) BilledProjects(projects []store.Project) []string {
	if p.CanGlobally(TenantQuotaRead) && p.CanEverywhere(SourcesRead) {
		return nil
	}
	return p.ProjectsWith(projects, SourcesRead)
}

// Actor is p as the audit log names who acts, from an address, with a request.
func (p Principal) Actor(address, requestID string) store.Actor {
	a := store.Actor{Kind: store.ActorUser, UserID: p.UserID, Name: p.Email, Address: address, RequestID: requestID}
	if p.TokenID != "" {
		a.Kind, a.Token = store.ActorToken, p.TokenID
	}
	return a
}

// GlobalPermissions lists what p may do on the whole installation, sorted.
func (p Principal) GlobalPermissions() []string {
	may := []string{}
	for _, g := range global {
		if p.CanGlobally(g) {
			may = append(may, g)
		}
	}
	slices.Sort(may)
	return may
}

// Covers reports whether p may do all that the grant brings, where it brings it: nobody hands on
// what they do not have themselves.
func (p Principal) Covers(g store.Grant) bool {
	may := expand(g)
	return len(may) > 0 && !slices.ContainsFunc(may, func(permission string) bool { return !p.has(g.Project, permission) })
}

// Permit checks a permission on a project as every door does: who has no right at all there is told
// missing, which is what is told of a project that does not exist; who has one, but not this one, is
// told which it takes.
func (p Principal) Permit(project, permission string, missing error) error {
	switch {
	case !p.Knows(project):
		return missing
	case permission != "" && !p.Can(project, permission):
		return fault.New(fault.Forbidden, "this needs the permission %s on project %s", permission, project)
	}
	return nil
}
