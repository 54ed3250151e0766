package web

import (
	"cmp"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// everyProject stands for every project in forms.
const everyProject = "*"

// grantLine is what a user has somewhere.
type grantLine struct {
	Name    string // of the role or the permission
	Role    bool
	Project string // "" = every project
	Value   string // of a form that takes it away; "" = it is not the visitor's to take
}

// Place is for forms: the project, or what stands for every one.
func (g grantLine) Place() string { return cmp.Or(g.Project, everyProject) }

func toGrantLine(who access.Principal, g store.Grant) grantLine {
	line := grantLine{Name: cmp.Or(g.Role, g.Permission), Role: g.Role != "", Project: g.Project}
	if access.MayTake(who, g) == nil {
		line.Value = line.Name
	}
	return line
}

// grantChoices is what somebody may give to others, and where.
type grantChoices struct {
	Places      []string // projects, and "*"
	Roles       []access.Role
	Permissions []string
}

// grantsToGive finds what is a visitor's to give: users-write there, and all that it brings.
func grantsToGive(who access.Principal, projects []store.Project) grantChoices {
	var c grantChoices
	places := who.ProjectsWith(projects, access.UsersWrite)
	if who.CanEverywhere(access.UsersWrite) {
		c.Places = append(c.Places, everyProject)
	}
	c.Places = append(c.Places, places...)
	somewhere := func(name string) bool {
		for _, at := range c.Places {
			if g, err := access.Grant(projectOf(at), name); err == nil && access.MayGrant(who, g) == nil {
				return true
			}
		}
		return false
	}
	for _, role := range access.Roles() {
		if somewhere(role.Name) {
			c.Roles = append(c.Roles, role)
		}
	}
	for _, permission := range access.Permissions() {
		if somewhere(permission) {
			c.Permissions = append(c.Permissions, permission)
		}
	}
	return c
}

// projectOf reads a place in a form.
func projectOf(place string) string {
	if place == everyProject {
		return ""
	}
	return place
}

// typedGrant reads a role or permission and where it is given or taken.
func typedGrant(form *typed) (store.Grant, error) {
	at := form.Value("project")
	if at == "" {
		return store.Grant{}, fault.New(fault.Invalid, "no project was chosen").WithHint("choose one, or every project")
	}
	return access.Grant(projectOf(at), form.Value("role"))
}
