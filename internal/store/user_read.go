package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is a person or program that may hold rights.
type User struct {
	ID           string // 16 lower-case hex digits
	Email        string // lower case
	Username     string
	PasswordHash string // PHC string; "" = cannot sign in with a password
	CreatedAt    time.Time
}

// Grant is a permission on one project by name, or on every project, present and
// future, when Project is "".
type Grant struct {
	Project    string
	Permission string
}

// Identity is who a credential belongs to and what that user may do.
type Identity struct {
	User   User
	Grants []Grant
	// Key names the credential without being one: the token's id, or "" for a session.
	Key string
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

// selectIdentity goes between a "select" of the credential's key and its "from",
// so that who and what-for are one round trip. u is the user.
const (
	identityColumns = ` u.id, u.email, u.username, coalesce(u.password_hash, ''), u.created_at, g.projects, g.permissions `
	identityJoin    = `
		left join lateral (
		     select coalesce(array_agg(coalesce(p.name, '') order by p.name, up.permission), '{}') as projects,
		            coalesce(array_agg(up.permission order by p.name, up.permission), '{}') as permissions
		       from user_permissions up
		       left join projects p on p.id = up.project_id
		      where up.user_id = u.id) g on true `
)

// scanIdentity scans identityColumns, and before them whatever the caller selected first.
func scanIdentity(row pgx.Row, first ...any) (*Identity, error) {
	var id Identity
	var projects, permissions []string
	err := row.Scan(append(first, &id.User.ID, &id.User.Email, &id.User.Username, &id.User.PasswordHash, &id.User.CreatedAt,
		&projects, &permissions)...)
	if err != nil {
		return nil, err
	}
	id.Grants = make([]Grant, len(projects))
	for i := range projects {
		id.Grants[i] = Grant{Project: projects[i], Permission: permissions[i]}
	}
	return &id, nil
}
