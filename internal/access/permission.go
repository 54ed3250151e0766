package access

import (
	"maps"
	"slices"
	"time"

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

	everywhere set            // on every project
	projects   map[string]set // by project name
}

type set map[string]bool

func newPrincipal(credential string, id *store.Identity) Principal {
	p := Principal{
		UserID: id.User.ID, Email: id.User.Email, Username: id.User.Username, CreatedAt: id.User.CreatedAt,
		Credential: credential, everywhere: set{}, projects: map[string]set{},
	}
	for _, g := range id.Grants {
		on := p.everywhere
		if g.Project != "" {
			if p.projects[g.Project] == nil {
				p.projects[g.Project] = set{}
			}
			on = p.projects[g.Project]
		}
		on[g.Permission] = true
		if also := implied[g.Permission]; also != "" {
			on[also] = true
		}
	}
	return p
}

// Can reports whether p has the permission on the project of this name. A
// permission on the whole installation is not asked this way; see CanGlobally.
func (p Principal) Can(project, permission string) bool {
	if project == "" || slices.Contains(global, permission) {
		return false
	}
	return p.everywhere[permission] || p.projects[project][permission]
}

// CanGlobally reports whether p has a permission on the whole installation.
func (p Principal) CanGlobally(permission string) bool {
	return slices.Contains(global, permission) && p.everywhere[permission]
}

// CanEverywhere reports whether p has a permission of projects on every one, those that are gone and
// those to come included.
func (p Principal) CanEverywhere(permission string) bool {
	return !slices.Contains(global, permission) && p.everywhere[permission]
}

// Knows reports whether p has any permission at all on the project, and so may
// learn that it exists.
func (p Principal) Knows(project string) bool { return len(p.Permissions(project)) > 0 }

// Permissions lists what p may do on the project, sorted.
func (p Principal) Permissions(project string) []string {
	may := maps.Clone(p.projects[project])
	if may == nil {
		may = set{}
	}
	if project != "" {
		maps.Copy(may, p.everywhere)
	}
	for _, g := range global {
		delete(may, g)
	}
	return slices.Sorted(maps.Keys(may))
}

// GlobalPermissions lists what p may do on the whole installation, sorted.
func (p Principal) GlobalPermissions() []string {
	may := []string{}
	for _, g := range global {
		if p.everywhere[g] {
			may = append(may, g)
		}
	}
	slices.Sort(may)
	return may
}
