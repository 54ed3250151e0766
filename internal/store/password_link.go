package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// AddPasswordLink keeps the SHA-256 of a one-time link with which the user chooses a password; the one
// before it is good no more. may has the last word about the user as it is when the link is made.
// Errors: fault.NotFound for an unknown user, and those of may.
func (s *Store) AddPasswordLink(ctx context.Context, userID string, hash []byte, lifetime time.Duration, may func(Account) error) error {
	return s.inTx(ctx, "make a password link", func(tx pgx.Tx) error {
		// One after the other with ChangeUser: a right that comes at the same moment is either seen by may, or
		// takes the link away.
		if _, err := tx.Exec(ctx, `lock table users in share row exclusive mode`); err != nil {
			return err
		}
		list, err := accounts(ctx, tx, `u.id = $1`, userID)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.New(fault.NotFound, "there is no user %s", userID)
		}
		if err := may(list[0]); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into password_links (hash, user_id, expires_at) values ($1, $2, now() + $3::interval)
			on conflict (user_id) do update set hash = excluded.hash, expires_at = excluded.expires_at`, hash, userID, lifetime)
		return err
	})
}

// PasswordLinkUser gives the address of the user whom a link is for; to look does not spend it. A link that is
// spent, replaced, over or of no one is fault.NotFound.
func (s *Store) PasswordLinkUser(ctx context.Context, hash []byte) (email string, err error) {
	err = s.pool.QueryRow(ctx, `
		select u.email from password_links l join users u on u.id = l.user_id and u.disabled_at is null
		 where l.hash = $1 and l.expires_at > now()`, hash).Scan(&email)
	return email, translate("read the password link", err)
}

// SpendPasswordLink gives the link's user the password and ends the user's sessions; it gives the user's id.
// Errors: as PasswordLinkUser.
func (s *Store) SpendPasswordLink(ctx context.Context, hash []byte, passwordHash string) (userID string, err error) {
	err = s.inTx(ctx, "choose a password", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `lock table users in row exclusive mode`); err != nil { // before any row, as everybody does
			return err
		}
		err := tx.QueryRow(ctx, `
			delete from password_links l using users u
			 where u.id = l.user_id and u.disabled_at is null and l.hash = $1 and l.expires_at > now() returning l.user_id`, hash).Scan(&userID)
		if err != nil {
			return err
		}
		if err := changeUser(ctx, tx, userID, UserChange{PasswordHash: &passwordHash}); err != nil {
			return err
		}
		return auditedUser(ctx, tx, EventPasswordChosen, userID)
	})
	return userID, err
}
