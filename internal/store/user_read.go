package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// User is a person or program that may hold rights.
type User struct {
	ID           string // 16 lower-case hex digits
	Email        string // lower case
	Username     string
	PasswordHash string // PHC string; "" = cannot sign in with a password
	CreatedAt    time.Time
}

// Grant is a permission or a role, one of the two, on one project by name, or on every
// project, present and future, when Project is "".
type Grant struct {
	Project    string
	Permission string
	Role       string
}

// Identity is who a credential belongs to and what that user may do.
type Identity struct {
	User   User
	Grants []Grant
	// Scope is the most that the credential may do of it; nil = all of it.
	Scope []Grant
	// Key names the credential without being one: the token's id, or "" for a session.
	Key string
	// ExpiresAt is when the token ends; nil = never, and for a session.
	ExpiresAt *time.Time
	// RotationDue says that a session wants a new secret; see OfferSession.
	RotationDue bool
}

// Account is a user as those who manage users see it.
type Account struct {
	User
	DisabledAt *time.Time
	SignedInAt *time.Time // the last time; nil = never, or before this was kept
	Grants     []Grant
}

// UserByEmail reads a user who is not disabled, whatever the case of email;
// fault.NotFound when there is none.
func (s *Store) UserByEmail(ctx context.Context, email string) (*User, error) {
	const op = "read user"
	rows, err := s.pool.Query(ctx, `
		select id, email, username, coalesce(password_hash, ''), created_at
		  from users where email = lower($1) and disabled_at is null`, email)
	if err != nil {
		return nil, translate(op, err)
	}
	user, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[User])
	return user, translate(op, err)
}

// HasUsers reports whether there is any user, disabled ones included.
func (s *Store) HasUsers(ctx context.Context) (exists bool, err error) {
	err = s.pool.QueryRow(ctx, `select exists (select from users)`).Scan(&exists)
	return exists, translate("look for users", err)
}

// identityColumns goes between a "select" and its "from", so that who and what-for are one
// round trip. u is the user.
const (
	identityColumns = ` u.id, u.email, u.username, coalesce(u.password_hash, ''), u.created_at, g.projects, g.permissions, g.roles `
	identityJoin    = `
		left join lateral (
		     select coalesce(array_agg(coalesce(p.name, '') order by p.name, granted.permission, granted.role), '{}') as projects,
		            coalesce(array_agg(granted.permission order by p.name, granted.permission, granted.role), '{}') as permissions,
		            coalesce(array_agg(granted.role order by p.name, granted.permission, granted.role), '{}') as roles
		       from (select project_id, permission, '' as role from user_permissions where user_id = u.id
		             union all
		             select project_id, '', role from user_roles where user_id = u.id) granted
		       left join projects p on p.id = granted.project_id) g on true `
)

// scanIdentity scans identityColumns, and before them whatever the caller selected first.
func scanIdentity(row pgx.Row, first ...any) (*Identity, error) {
	var id Identity
	var projects, permissions, roles []string
	err := row.Scan(append(first, &id.User.ID, &id.User.Email, &id.User.Username, &id.User.PasswordHash, &id.User.CreatedAt,
		&projects, &permissions, &roles)...)
	if err != nil {
		return nil, err
	}
	id.Grants = zipGrants(projects, permissions, roles)
	return &id, nil
}

// zipGrants makes grants of one array per column; roles may be nil.
func zipGrants(projects, permissions, roles []string) []Grant {
	grants := make([]Grant, len(projects))
	for i := range projects {
		grants[i] = Grant{Project: projects[i], Permission: permissions[i]}
		if roles != nil {
			grants[i].Role = roles[i]
		}
	}
	return grants
}

// Accounts lists every user with what it may do, by address, disabled ones included.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	return s.accounts(ctx, "list users", `true order by u.email`)
}

// AccountByID reads one user, disabled or not; fault.NotFound when there is none.
func (s *Store) AccountByID(ctx context.Context, id string) (*Account, error) {
	return s.account(ctx, `u.id = $1`, id)
}

// AccountByEmail is AccountByID by address, whatever its case.
func (s *Store) AccountByEmail(ctx context.Context, email string) (*Account, error) {
	return s.account(ctx, `u.email = lower($1)`, email)
}

func (s *Store) account(ctx context.Context, where, key string) (*Account, error) {
	found, err := s.accounts(ctx, "read user", where, key)
	if err == nil && len(found) == 0 {
		return nil, fault.New(fault.NotFound, "there is no user %s", key)
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

func (s *Store) accounts(ctx context.Context, op, where string, args ...any) ([]Account, error) {
	list, err := accounts(ctx, s.pool, where, args...)
	return list, translate(op, err)
}

func accounts(ctx context.Context, q rowsQuerier, where string, args ...any) ([]Account, error) {
	rows, err := q.Query(ctx, `select u.disabled_at, u.signed_in_at,`+identityColumns+` from users u`+identityJoin+` where `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Account, error) {
		var a Account
		identity, err := scanIdentity(row, &a.DisabledAt, &a.SignedInAt)
		if err != nil {
			return a, err
		}
		a.User, a.Grants = identity.User, identity.Grants
		return a, nil
	})
}
