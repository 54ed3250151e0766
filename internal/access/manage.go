package access

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Users lists every user, disabled ones included.
func (s *Service) Users(ctx context.Context) ([]store.Account, error) { return s.store.Accounts(ctx) }

// User reads one user, disabled or not; fault.NotFound for an unknown address.
func (s *Service) User(ctx context.Context, email string) (*store.Account, error) {
	a, err := s.store.AccountByEmail(ctx, email)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "there is no user %s", email).WithHint("`starter user list` shows every user")
	}
	return a, err
}

// UserByID is User by id.
func (s *Service) UserByID(ctx context.Context, id string) (*store.Account, error) {
	return s.store.AccountByID(ctx, id)
}

// NewUser adds a user without a password. The username is the vendor's idea of one; "" makes it of the
// address.
// Errors: as CreateUser.
func (s *Service) NewUser(ctx context.Context, email, name string, grants []store.Grant) (id string, err error) {
	if email, err = checkEmail(email); err != nil {
		return "", err
	}
	if name == "" {
		name = username(email)
	} else if len(name) > 256 || username(strings.ToLower(name)) != strings.ToLower(name) {
		return "", fault.New(fault.Invalid, "%.80q is not a user name", name).WithHint("use letters, digits, _ and -")
	}
	return s.store.CreateUser(ctx, store.NewUser{Email: email, Username: name, Grants: grants})
}

// Change gives and takes grants of a user; either is fine when it is so already.
// Errors: fault.NotFound for a project that does not exist, fault.Conflict when nobody
// would be left who can run the installation.
func (s *Service) Change(ctx context.Context, userID string, add, remove []store.Grant) error {
	return s.store.ChangeUser(ctx, userID, store.UserChange{Add: add, Remove: remove}, enough)
}

// SetPassword gives a user a password, or takes it away with "". The user's sessions end; tokens go on.
func (s *Service) SetPassword(ctx context.Context, userID string, password secret.Text) error {
	phc := ""
	if password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
		var err error
		if phc, err = s.hashPassword(ctx, password); err != nil {
			return err
		}
	}
	return s.store.ChangeUser(ctx, userID, store.UserChange{PasswordHash: &phc}, enough)
}

// SetDisabled lets a user in no more: sessions end and tokens rest. Or again, and tokens work again.
// Errors: fault.Conflict for the last administrator.
func (s *Service) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	return s.store.ChangeUser(ctx, userID, store.UserChange{Disabled: &disabled}, enough)
}

// RemoveUser deletes a user with its tokens and sessions.
// Errors: fault.NotFound, fault.Conflict for the last administrator.
func (s *Service) RemoveUser(ctx context.Context, userID string) error {
	return s.store.ChangeUser(ctx, userID, store.UserChange{Delete: true}, enough)
}

// enough reports whether one of these users may do everything everywhere, and so can give anybody any
// right.
func enough(of [][]store.Grant) bool {
	return slices.ContainsFunc(of, func(grants []store.Grant) bool {
		r := newRights(grants)
		return !slices.ContainsFunc(all, func(permission string) bool { return !r.has("", permission) })
	})
}

// MayGrant refuses with fault.Forbidden a grant that who may not give: they need users-write where it
// is given, and all that it brings.
func MayGrant(who Principal, g store.Grant) error {
	if err := MayTake(who, g); err != nil {
		return err
	}
	if !who.Covers(g) {
		return fault.New(fault.Forbidden, "you do not have %s yourself%s", grantName(g), place(g.Project))
	}
	return nil
}

// MayTake refuses with fault.Forbidden to take a grant away, which needs users-write where it is given.
func MayTake(who Principal, g store.Grant) error {
	if !who.has(g.Project, UsersWrite) {
		return fault.New(fault.Forbidden, "this needs the permission %s%s", UsersWrite, place(g.Project))
	}
	return nil
}

// MayChange refuses with fault.Forbidden a change of what a user may do of which one part is not who's to make.
func MayChange(who Principal, add, remove []store.Grant) error {
	for _, g := range add {
		if err := MayGrant(who, g); err != nil {
			return err
		}
	}
	for _, g := range remove {
		if err := MayTake(who, g); err != nil {
			return err
		}
	}
	return nil
}

// SeesUser reports whether who has the permission where it reaches the user: on a project on which the
// user has a right, on every project, or as one who runs the installation.
func SeesUser(who Principal, user store.Account, projects []store.Project, permission string) bool {
	if who.CanGlobally(TenantAdmin) || who.CanEverywhere(permission) {
		return true
	}
	return slices.ContainsFunc(projects, func(p store.Project) bool {
		return who.Can(p.Name, permission) && len(PermissionsOf(user, p.Name)) > 0
	})
}

// SeesGrant reports whether who may see that somebody has the grant.
func SeesGrant(who Principal, g store.Grant) bool {
	if who.CanGlobally(TenantAdmin) {
		return true
	}
	if g.Project == "" {
		return who.CanEverywhere(UsersRead)
	}
	return who.Can(g.Project, UsersRead)
}

var userID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// UserFor reads the user of an id for somebody who wants to do with it what needs the permission.
// Errors: fault.NotFound for one whom who may not see, as for one who does not exist;
// fault.Forbidden for one whom they may see and no more.
func (s *Service) UserFor(ctx context.Context, who Principal, id, permission string, projects []store.Project) (*store.Account, error) {
	id = strings.ToLower(id)
	missing := fault.New(fault.NotFound, "there is no user %.40q", id)
	if !userID.MatchString(id) {
		return nil, missing
	}
	found, err := s.store.AccountByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	switch {
	case SeesUser(who, *found, projects, permission):
		return found, nil
	case SeesUser(who, *found, projects, UsersRead):
		return nil, fault.New(fault.Forbidden, "this needs the permission %s on a project of the user", permission)
	}
	return nil, missing
}

// NoteGrants writes grants for the audit log: "viewer on support".
func NoteGrants(list []store.Grant) []string {
	out := make([]string, len(list))
	for i, g := range list {
		out[i] = grantName(g) + " on " + cmp.Or(g.Project, "every project")
	}
	return out
}

// PermissionsOf lists what an account's grants bring on the project, sorted; on every project, those
// on the whole installation left out, when project is "".
func PermissionsOf(a store.Account, project string) []string {
	r := newRights(a.Grants)
	may := []string{}
	for _, permission := range all {
		if !IsGlobal(permission) && r.has(project, permission) {
			may = append(may, permission)
		}
	}
	slices.Sort(may)
	return may
}

// GlobalPermissionsOf lists what an account's grants bring on the whole installation, sorted.
func GlobalPermissionsOf(a store.Account) []string {
	return Principal{rights: newRights(a.Grants)}.GlobalPermissions()
}

func grantName(g store.Grant) string {
	if g.Role != "" {
		return g.Role
	}
	return g.Permission
}

func place(project string) string {
	if project == "" {
		return " on every project"
	}
	return " on project " + project
}
