package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// everyProject stands for every project where the vendor's API has names of projects.
const everyProject = "*"

// wireUser is a user as the vendor's API shows one, and the roles that its permissions come of.
type wireUser struct {
	ID                 string              `json:"id"`
	Username           string              `json:"username"`
	Email              string              `json:"email"`
	Created            timestamp           `json:"created"`
	GlobalPermissions  []string            `json:"global_permissions"`
	ProjectPermissions map[string][]string `json:"organisation_permissions"`
	SSOPermissions     []string            `json:"sso_global_permissions"`
	Verified           bool                `json:"verified"`
	Roles              map[string][]string `json:"roles"` // by project; "*" = on every project
	Disabled           bool                `json:"disabled"`
}

// toWireUser shows of a user what the caller may see: what it may do on projects where they have
// users-read, and the rest if they run the installation.
func toWireUser(who access.Principal, a store.Account, projects []store.Project) wireUser {
	all := who.CanGlobally(access.TenantAdmin)
	out := wireUser{
		ID: a.ID, Username: a.Username, Email: a.Email, Created: timestamp(a.CreatedAt), GlobalPermissions: []string{},
		ProjectPermissions: map[string][]string{}, SSOPermissions: []string{}, Verified: true, Roles: map[string][]string{}, Disabled: a.DisabledAt != nil,
	}
	if all {
		out.GlobalPermissions = access.GlobalPermissionsOf(a)
	}
	for _, p := range projects {
		if may := access.PermissionsOf(a, p.Name); len(may) > 0 && (all || who.Can(p.Name, access.UsersRead)) {
			out.ProjectPermissions[p.Name] = may
		}
	}
	for _, g := range a.Grants {
		if g.Role != "" && access.SeesGrant(who, g) {
			on := cmp.Or(g.Project, everyProject)
			out.Roles[on] = append(out.Roles[on], g.Role)
		}
	}
	return out
}

// listUsers lists the users who may do anything on a project where the caller has users-read, and
// everybody to those who run the installation.
func (a *API) listUsers(c *call) (reply, error) {
	users, err := a.access.Users(c.r.Context())
	if err != nil {
		return nil, err
	}
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return nil, err
	}
	list := []wireUser{}
	for _, u := range users {
		if access.SeesUser(c.who, u, projects, access.UsersRead) {
			list = append(list, toWireUser(c.who, u, projects))
		}
	}
	return reply{"users": list}, nil
}

func (a *API) readUser(c *call) (reply, error) {
	return reply{"user": toWireUser(c.who, *c.user, c.projects)}, nil
}

// listRoles lists the roles and what they bring.
func (a *API) listRoles(*call) (reply, error) {
	type wireRole struct {
		Name         string   `json:"name"`
		Meaning      string   `json:"meaning"`
		Installation bool     `json:"installation"`
		Permissions  []string `json:"permissions"`
	}
	list := []wireRole{}
	for _, r := range access.Roles() {
		list = append(list, wireRole{r.Name, r.Meaning, r.Installation, slices.Sorted(slices.Values(r.Permissions))})
	}
	return reply{"roles": list}, nil
}

// userFields are what a user is made or changed with. Permissions and roles of a place that is not named
// stay as they are; those of one that is named become what the list says.
type userFields struct {
	username, email string
	global          []string // nil = as they are
	permissions     map[string][]string
	roles           map[string][]string
}

var userKeys = []string{"username", "email", "global_permissions", "organisation_permissions", "roles"}

// userFields reads a body {"user": {...}}.
func (c *call) userFields() (f userFields, err error) {
	err = c.wrapped("user", userKeys, func(s *strict, key string) (err error) {
		switch key {
		case "username":
			f.username, err = s.text(maxName)
		case "email":
			f.email, err = s.text(maxName)
		case "global_permissions":
			f.global, err = s.names()
		case "organisation_permissions":
			f.permissions, err = s.namesByPlace()
		case "roles":
			f.roles, err = s.namesByPlace()
		}
		return err
	}, nil)
	return f, err
}

// Limits of what users and tokens are made of. What they may be called is package access's matter.
const (
	maxName  = 1024 // characters in anything that has a name
	maxNames = 1024 // of permissions or roles in one place
)

// names reads a list of permissions or roles; an empty one is not nil.
func (s *strict) names() ([]string, error) {
	list, err := s.texts(maxNames, 1, maxName)
	return append([]string{}, list...), err
}

// namesByPlace reads an object of such lists, by project.
func (s *strict) namesByPlace() (map[string][]string, error) {
	places := map[string][]string{}
	err := s.entries(func(place string) error {
		if _, twice := places[place]; twice {
			return wrong("has the key " + quoted(place) + " twice")
		}
		list, err := s.names()
		places[place] = list
		return within("["+quoted(place)+"]", err)
	})
	return places, err
}

// createUser adds a user who has no password: they sign in at the identity provider, or an operator
// gives them one.
func (a *API) createUser(c *call) (reply, error) {
	fields, err := c.userFields()
	if err != nil {
		return nil, err
	}
	add, _, err := fields.changes(store.Account{})
	if err != nil {
		return nil, err
	}
	if err := access.MayChange(c.who, add, nil); err != nil {
		return nil, err
	}
	c.event.Note("email", fields.email)
	c.event.Note("granted", access.NoteGrants(add))
	id, err := a.access.NewUser(c.r.Context(), fields.email, fields.username, add)
	if err != nil {
		return nil, err
	}
	return a.userAgain(c, id)
}

// updateUser changes what a user may do.
func (a *API) updateUser(c *call) (reply, error) {
	fields, err := c.userFields()
	if err != nil {
		return nil, err
	}
	if fields.email != "" && fields.email != c.user.Email || fields.username != "" && fields.username != c.user.Username {
		return nil, fault.New(fault.Invalid, "user.email and user.username cannot be changed")
	}
	add, remove, err := fields.changes(*c.user)
	if err != nil {
		return nil, err
	}
	if err := access.MayChange(c.who, add, remove); err != nil {
		return nil, err
	}
	c.event.Note("granted", access.NoteGrants(add))
	c.event.Note("revoked", access.NoteGrants(remove))
	if err := a.access.Change(c.r.Context(), c.user.ID, add, remove); err != nil {
		return nil, err
	}
	return a.userAgain(c, c.user.ID)
}

func (a *API) userAgain(c *call, id string) (reply, error) {
	found, err := a.access.UserByID(c.r.Context(), id)
	if err != nil {
		return nil, err
	}
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return nil, err
	}
	return reply{"user": toWireUser(c.who, *found, projects)}, nil
}

// deleteUser removes a user with its tokens and sessions.
func (a *API) deleteUser(c *call) (reply, error) {
	id := strings.ToLower(c.r.PathValue("user"))
	if !idText.MatchString(id) {
		return nil, fault.New(fault.NotFound, "there is no user %.40q", id)
	}
	return reply{}, a.access.RemoveUser(c.r.Context(), id)
}

// changes works out which grants the account gets and loses.
func (f userFields) changes(a store.Account) (add, remove []store.Grant, err error) {
	has := func(g store.Grant) bool { return slices.Contains(a.Grants, g) }
	for _, name := range slices.Sorted(maps.Keys(f.roles)) {
		project, err := projectKey("user.roles", name)
		if err != nil {
			return nil, nil, err
		}
		var wanted []store.Grant
		for _, role := range f.roles[name] {
			g, err := access.Grant(project, role)
			if err != nil {
				return nil, nil, err
			}
			if g.Role == "" {
				return nil, nil, fault.New(fault.Invalid, "user.roles has %.80q, which is a permission and no role", role)
			}
			if wanted = append(wanted, g); !has(g) {
				add = append(add, g)
			}
		}
		for _, g := range a.Grants {
			if g.Project == project && g.Role != "" && !slices.Contains(wanted, g) {
				remove = append(remove, g)
			}
		}
	}
	// Permissions are shown as what a user may do in all, and what comes of roles stays with them: taken
	// for what is to be in all, too, a list that was read can be sent back.
	after := store.Account{Grants: slices.DeleteFunc(slices.Concat(a.Grants, add), func(g store.Grant) bool {
		return slices.Contains(remove, g)
	})}
	for _, name := range slices.Sorted(maps.Keys(f.permissions)) {
		project, err := projectKey("user.organisation_permissions", name)
		if err != nil {
			return nil, nil, err
		}
		on := permissionPlace{project: project, has: func(a store.Account) []string { return access.PermissionsOf(a, project) }}
		more, less, err := on.changes(after, f.permissions[name])
		if err != nil {
			return nil, nil, err
		}
		add, remove = append(add, more...), append(remove, less...)
	}
	if f.global != nil {
		on := permissionPlace{global: true, has: access.GlobalPermissionsOf}
		more, less, err := on.changes(after, f.global)
		if err != nil {
			return nil, nil, err
		}
		add, remove = append(add, more...), append(remove, less...)
	}
	return add, remove, nil
}

// permissionPlace is where permissions are: a project, every project (""), or the whole installation.
type permissionPlace struct {
	project string
	global  bool
	has     func(store.Account) []string // what an account may do there
}

// changes works out which single permissions an account gets and loses, so that it then has those
// wanted. What it has by a role, or on every project, cannot be taken here.
func (p permissionPlace) changes(a store.Account, wanted []string) (add, remove []store.Grant, err error) {
	have := p.has(a)
	for _, permission := range wanted {
		g, err := access.Grant(p.project, permission)
		if err != nil {
			return nil, nil, err
		}
		if g.Role != "" || access.IsGlobal(permission) != p.global {
			return nil, nil, fault.New(fault.Invalid, "%.80q does not belong into this list of permissions", permission)
		}
		if !slices.Contains(have, permission) && !slices.Contains(add, g) {
			add = append(add, g)
		}
	}
	left := store.Account{Grants: slices.Clone(add)}
	asked := store.Account{Grants: slices.Clone(add)} // and what is implied by it
	for _, g := range a.Grants {
		switch {
		case g.Role != "" || g.Project != p.project || access.IsGlobal(g.Permission) != p.global:
			left.Grants = append(left.Grants, g)
		case slices.Contains(wanted, g.Permission):
			left.Grants = append(left.Grants, g)
			asked.Grants = append(asked.Grants, g)
		default:
			remove = append(remove, g)
		}
	}
	for _, permission := range p.has(left) {
		if !slices.Contains(wanted, permission) && !slices.Contains(p.has(asked), permission) {
			return nil, nil, fault.New(fault.Invalid, "the user has %s by a role, or on every project: take it away there", permission)
		}
	}
	return add, remove, nil
}

// projectKey reads a key of a map by project.
func projectKey(field, name string) (project string, err error) {
	if name == everyProject {
		return "", nil
	}
	if !validName(projectName, name, maxProjectName) {
		return "", fault.New(fault.Invalid, "%s names %.100q, which is no name of a project", field, name)
	}
	return name, nil
}
