package access

import (
	"slices"
	"strings"

	"salesforcesync/internal/store"
)

// Reach says on what a rule's permission is asked.
type Reach int

// The reaches.
const (
	ReachAnybody      Reach = iota // nobody is asked who they are
	ReachSignedIn                  // any caller whose credential is good
	ReachListed                    // the answer leaves out the projects without the right
	ReachProject                   // the project that the path names
	ReachUsers                     // ReachListed, of users; who runs the installation sees all
	ReachUser                      // a project of the user whom the path names
	ReachInstallation              // the whole installation
)

// Rule says who may do one thing that the door can do. The rules of the API and of the pages are made of
// their tables of routes, which are also what is enforced.
type Rule struct {
	Method     string
	Path       string
	Reach      Reach
	Permission string // "" = none in particular
}

// Verdict is what a caller gets by a rule.
type Verdict string

// The verdicts.
const (
	Allowed   Verdict = "yes"
	Empty     Verdict = "empty"
	Forbidden Verdict = "403"
	Hidden    Verdict = "404"
	Unknown   Verdict = "401"
)

// For gives the verdict on a caller who has these grants, for what the path names on the project.
func (r Rule) For(grants []store.Grant, project string) Verdict {
	p := Principal{rights: newRights(grants)}
	switch r.Reach {
	case ReachAnybody, ReachSignedIn:
		return Allowed
	case ReachListed:
		if r.Permission == "" && p.Knows(project) || p.Can(project, r.Permission) {
			return Allowed
		}
		return Empty
	case ReachUsers:
		if p.CanGlobally(TenantAdmin) || p.Can(project, r.Permission) {
			return Allowed
		}
		return Empty
	case ReachInstallation:
		if p.CanGlobally(r.Permission) {
			return Allowed
		}
		return Forbidden
	case ReachUser:
		switch {
		case p.CanGlobally(TenantAdmin) || p.Can(project, r.Permission):
			return Allowed
		case p.Can(project, UsersRead):
			return Forbidden
		}
		return Hidden
	default:
		switch {
		case !p.Knows(project):
			return Hidden
		case r.Permission == "" || p.Can(project, r.Permission):
			return Allowed
		}
		return Forbidden
	}
}

// Matrix renders rules × roles as a Markdown table: what a user who has the role on the project
// gets, one who has none there, and one who does not say who they are.
func Matrix(rules []Rule) string {
	var b strings.Builder
	b.WriteString("| request | permission |")
	for _, role := range roles {
		b.WriteString(" " + role.Name + " |")
	}
	b.WriteString(" no role | nobody |\n|---|---|" + strings.Repeat(":-:|", len(roles)+2) + "\n")
	cell := func(v Verdict) { b.WriteString(" " + string(v) + " |") }
	for _, r := range rules {
		permission := ""
		if r.Permission != "" {
			permission = "`" + r.Permission + "`"
		}
		b.WriteString("| `" + r.Method + " " + r.Path + "` | " + permission + " |")
		for _, role := range roles {
			cell(r.For([]store.Grant{{Project: role.Place("p"), Role: role.Name}}, "p"))
		}
		cell(r.For(nil, "p"))
		if r.Reach == ReachAnybody {
			cell(Allowed)
		} else {
			cell(Unknown)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Place is where the role is granted to have it on the project: there, or everywhere if it has to be.
func (r Role) Place(project string) string {
	if r.Installation {
		return ""
	}
	return project
}

// RoleTable renders roles × permissions as a Markdown table.
func RoleTable() string {
	var b strings.Builder
	b.WriteString("| permission |")
	for _, role := range roles {
		b.WriteString(" " + role.Name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(roles)) + "\n")
	for _, permission := range all {
		b.WriteString("| `" + permission + "` |")
		for _, role := range roles {
			if slices.Contains(role.Permissions, permission) {
				b.WriteString(" yes |")
			} else {
				b.WriteString("  |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
