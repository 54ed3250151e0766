package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// SignIn is a sign-in that is under way at an identity provider.
type SignIn struct {
	StateHash   []byte // SHA-256 of what the provider sends back
	BrowserHash []byte // SHA-256 of what the browser keeps
	Next        string // path that the browser goes on to
}

// AddSignIn notes a sign-in for lifetime. Those that nobody finished in time go with it.
func (s *Store) AddSignIn(ctx context.Context, in SignIn, lifetime time.Duration) error {
	return s.inTx(ctx, "begin a sign-in", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from sign_ins where expires_at < now()`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into sign_ins (state_hash, browser_hash, next, expires_at) values ($1, $2, $3, now() + $4::interval)`,
			in.StateHash, in.BrowserHash, in.Next, lifetime)
		return err
	})
}

// TakeSignIn gives the sign-in of this state and browser and removes it, so that an answer is good
// once; fault.NotFound when there is none. Another browser's stays.
func (s *Store) TakeSignIn(ctx context.Context, stateHash, browserHash []byte) (next string, err error) {
	err = s.pool.QueryRow(ctx, `
		delete from sign_ins where state_hash = $1 and browser_hash = $2 and expires_at > now() returning next`, stateHash, browserHash).Scan(&next)
	return next, translate("finish a sign-in", err)
}

// UserByIdentity gives the user who is the subject at the issuer. When nobody is yet, it is the
// one with the address, who is then bound to the subject; with create, one is made.
// Errors: fault.NotFound when there is nobody or the user is disabled, fault.Conflict when the
// address's user is another subject at that issuer.
func (s *Store) UserByIdentity(ctx context.Context, issuer, subject string, u NewUser, create bool) (id string, err error) {
	err = s.inTx(ctx, "sign in at an identity provider", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			select u.id from user_identities i join users u on u.id = i.user_id
			 where i.issuer = $1 and i.subject = $2 and u.disabled_at is null`, issuer, subject).Scan(&id)
		if err != pgx.ErrNoRows { //nolint:errorlint // pgx returns the value itself
			return err
		}
		if create {
			if _, err := tx.Exec(ctx, `
				insert into users (id, email, username) values ($1, lower($2), $3) on conflict (email) do nothing`, NewID(), u.Email, u.Username); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `select id from users where email = lower($1) and disabled_at is null`, u.Email).Scan(&id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			insert into user_identities (issuer, subject, user_id) values ($1, $2, $3) on conflict do nothing`, issuer, subject, id)
		if err != nil || tag.RowsAffected() == 1 {
			return err
		}
		// The same browser twice at the same moment, or an address that somebody else has now.
		var same bool
		if err := tx.QueryRow(ctx, `
			select exists (select from user_identities where issuer = $1 and subject = $2 and user_id = $3)`, issuer, subject, id).Scan(&same); err != nil {
			return err
		}
		if !same {
			return fault.New(fault.Conflict, "the address belongs to another account of the identity provider than before")
		}
		return nil
	})
	return id, err
}
