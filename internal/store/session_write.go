package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// AddSession begins a browser session and ends the one whose hash is before (nil
// = none), so that no session survives a sign-in. Expired sessions go with it.
func (s *Store) AddSession(ctx context.Context, userID string, hash, before []byte, lifetime time.Duration) error {
	return s.inTx(ctx, "begin a session", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from sessions where hash = $1 or expires_at < now()`, before); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into sessions (hash, user_id, expires_at) values ($1, $2, now() + $3::interval)`,
			hash, userID, lifetime)
		return err
	})
}

// DeleteSession ends a session; one that is not there is fine.
func (s *Store) DeleteSession(ctx context.Context, hash []byte) error {
	_, err := s.pool.Exec(ctx, `delete from sessions where hash = $1`, hash)
	return translate("end a session", err)
}
