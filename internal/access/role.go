package access

import (
	"slices"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Role is a bundle of permissions that is granted by one name. What is in it may grow with a
// release, so users hold the name.
type Role struct {
	Name    string
	Meaning string // for people
	// Installation says that it holds permissions on the whole installation and is granted on
	// every project or not at all.
	Installation bool
	Permissions  []string
}

// The roles. Those from ServiceAdmin on are the vendor's.
const (
	Administrator = "administrator"
	ServiceAdmin  = "service-admin"
	ProjectAdmin  = "project-admin"
	ModelTrainer  = "model-trainer"
	Developer     = "developer"
	Viewer        = "viewer"
	Analyst       = "analyst"
)

var roles = []Role{
	{Administrator, "everything, everywhere; the first user is one", true, all},
	{ServiceAdmin, "adds and removes users, reads the audit log, sets quotas; reads no comments", true, append([]string{UsersRead, UsersWrite}, global...)},
	{ProjectAdmin, "sources, comments, buckets, integrations and the rights of users on the project", false, []string{
		SourcesRead, SourcesReadSensitive, SourcesAddComments, SourcesAdmin, SourcesTranslate,
		DatasetsAdmin, DatasetsWrite, DatasetsRead, DatasetsReview, DatasetsExport,
		StreamsAdmin, StreamsConsume, StreamsRead, StreamsWrite, UsersRead, UsersWrite,
		BucketsRead, BucketsWrite, BucketsAppend, IntegrationsRead, IntegrationsWrite,
		AlertsRead, AlertsWrite, FilesWrite,
	}},
	{Developer, "reads and writes comments, connects and changes integrations", false, []string{
		SourcesRead, SourcesAddComments, StreamsRead, StreamsConsume, StreamsWrite, BucketsRead, BucketsAppend, IntegrationsRead, IntegrationsWrite,
	}},
	{ModelTrainer, "reads comments and trains on them, sees how integrations are", false, []string{
		SourcesRead, DatasetsRead, DatasetsWrite, DatasetsReview, DatasetsExport, StreamsRead, IntegrationsRead,
	}},
	{Analyst, "reads comments, exports and watches", false, []string{
		SourcesRead, DatasetsRead, DatasetsExport, StreamsRead, AlertsRead,
	}},
	{Viewer, "reads comments", false, []string{SourcesRead, DatasetsRead}},
}

// Roles lists every role there is, the mightiest first.
func Roles() []Role { return slices.Clone(roles) }

// RolesWith lists the roles that bring a permission, for what must be asked within a transaction.
func RolesWith(permission string) []string {
	var names []string
	for _, r := range roles {
		if slices.Contains(r.Permissions, permission) {
			names = append(names, r.Name)
		}
	}
	return names
}

func roleByName(name string) (Role, bool) {
	i := slices.IndexFunc(roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return roles[i], true
}

// expand gives the permissions that a grant brings, implied ones included. A role that this release
// does not know brings none.
func expand(g store.Grant) []string {
	list := []string{g.Permission}
	if g.Role != "" {
		role, _ := roleByName(g.Role)
		list = role.Permissions
	}
	var out []string
	for _, p := range list {
		out = append(out, p)
		if also := implied[p]; also != "" {
			out = append(out, also)
		}
	}
	return out
}

// Grant makes a grant of the name of a role or a permission, on a project, or on every project when
// project is "". Errors: fault.Invalid for a name that is neither, or that is granted everywhere
// only and is given a project.
func Grant(project, name string) (store.Grant, error) {
	g := store.Grant{Project: project, Permission: name}
	installation := IsGlobal(name)
	if role, ok := roleByName(name); ok {
		g = store.Grant{Project: project, Role: name}
		installation = role.Installation
	} else if !slices.Contains(all, name) {
		return g, fault.New(fault.Invalid, "there is no role or permission %.80q", name).WithHint("`starter role list` shows all")
	}
	if installation && project != "" {
		return g, fault.New(fault.Invalid, "%s is about the whole installation and cannot be granted on project %s", name, project).
			WithHint("grant it without a project")
	}
	return g, nil
}

// IsGlobal reports whether a permission is about the whole installation.
func IsGlobal(permission string) bool { return slices.Contains(global, permission) }
