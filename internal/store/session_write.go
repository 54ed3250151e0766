package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// sessionIs finds a session by any secret that it has or had last, or was offered.
const sessionIs = `$1::bytea in (hash, next_hash, previous_hash)`

// AddSession begins a browser session and ends the one whose hash is before (nil
// = none), so that no session survives a sign-in. Expired sessions go with it.
func (s *Store) AddSession(ctx context.Context, userID string, hash, before []byte, lifetime time.Duration) error {
	return s.inTx(ctx, "begin a session", func(tx pgx.Tx) error {
		// The user first, as ChangeUser does, or the two could wait for each other.
		if _, err := tx.Exec(ctx, `update users set signed_in_at = now() where id = $1`, userID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from sessions where `+sessionIs+` or expires_at < now()`, before); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into sessions (hash, user_id, expires_at, address) values ($1, $2, now() + $3::interval, $4)`,
			hash, userID, lifetime, actingOf(ctx).actor.Address)
		if err == nil {
			err = auditedUser(ctx, tx, EventSignedIn, userID)
		}
		return err
	})
}

// OfferSession keeps a new secret for the session whose secret has the SHA-256 hash, and reports whether
// it did: of several requests at the same time one gets it. It is good once it is shown; until then
// the one before is. See SessionTimes.
func (s *Store) OfferSession(ctx context.Context, hash, next []byte, t SessionTimes) (offered bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		update sessions set next_hash = $2, next_at = now()
		 where hash = $1 and rotated_at < now() - $3::interval and coalesce(next_at < now() - $4::interval, true)`, hash, next, t.Rotate, t.Grace)
	return err == nil && tag.RowsAffected() == 1, translate("offer a session a new secret", err)
}

// DeleteSession ends a session; one that is not there is fine.
func (s *Store) DeleteSession(ctx context.Context, hash []byte) error {
	_, err := s.pool.Exec(ctx, `delete from sessions where `+sessionIs, hash)
	return translate("end a session", err)
}

// EndSessions ends all sessions of a user, but for the one whose SHA-256 is except (nil = all), and says
// how many there were.
func (s *Store) EndSessions(ctx context.Context, userID string, except []byte) (n int64, err error) {
	err = s.inTx(ctx, "end sessions", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from sessions where user_id = $2 and not coalesce(`+sessionIs+`, false)`, except, userID)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}
