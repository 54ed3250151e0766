package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// NewUser is what a user begins with.
type NewUser struct {
	Email        string // lower case
	Username     string
	PasswordHash string // "" = cannot sign in with a password
	Grants       []Grant
}

// CreateUser adds a user with rights, in one transaction. An email in use is
// fault.Conflict, a project that does not exist fault.NotFound.
func (s *Store) CreateUser(ctx context.Context, u NewUser) (id string, err error) {
	id = NewID()
	err = s.inTx(ctx, "create user "+u.Email, func(tx pgx.Tx) error { return insertUser(ctx, tx, id, u) })
	return id, err
}

// CreateFirstUser adds a user if there is no user at all, disabled ones included,
// and reports whether it did. Two programs that start at once make one user.
func (s *Store) CreateFirstUser(ctx context.Context, u NewUser) (created bool, err error) {
	err = s.inTx(ctx, "create the first user", func(tx pgx.Tx) error {
		// Readers go on; a second first user waits here and then sees ours.
		if _, err := tx.Exec(ctx, `lock table users in share row exclusive mode`); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, `select exists (select from users)`).Scan(&exists); err != nil || exists {
			return err
		}
		created = true
		return insertUser(ctx, tx, NewID(), u)
	})
	return created && err == nil, err
}

func insertUser(ctx context.Context, tx pgx.Tx, id string, u NewUser) error {
	if _, err := tx.Exec(ctx, `
		insert into users (id, email, username, password_hash) values ($1, lower($2), $3, nullif($4, ''))`,
		id, u.Email, u.Username, u.PasswordHash); err != nil {
		return err
	}
	return addGrants(ctx, tx, id, u.Grants)
}
