package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SessionTimes say how long browser sessions live.
type SessionTimes struct {
	Idle    time.Duration // without a visit
	Longest time.Duration // at all
	Rotate  time.Duration // after which a session wants a new secret
	Grace   time.Duration // for which the secret before it is good
}

// IdentityBySession reads who signed in with the session of this SHA-256 and
// prolongs it: it ends Idle after it was not used, and Longest after it began,
// whichever comes first. A new secret that was offered takes over when it is first shown here. A
// session that is unknown or over, or whose user is disabled, is fault.NotFound.
func (s *Store) IdentityBySession(ctx context.Context, hash []byte, t SessionTimes) (*Identity, error) {
	const op = "look up session"
	var stale, offered, due bool
	identity, err := scanIdentity(s.pool.QueryRow(ctx, `
		select se.expires_at < least(now() + $2::interval * 0.9, se.created_at + $3::interval),
		       coalesce(se.next_hash = $1, false),
		       se.hash = $1 and se.rotated_at < now() - $4::interval and coalesce(se.next_at < now() - $5::interval, true),`+identityColumns+`
		  from sessions se
		  join users u on u.id = se.user_id and u.disabled_at is null`+identityJoin+`
		 where (se.hash = $1 or se.next_hash = $1 or se.previous_hash = $1 and se.previous_until > now()) and se.expires_at > now()`,
		hash, t.Idle, t.Longest, t.Rotate, t.Grace), &stale, &offered, &due)
	if err != nil {
		return nil, translate(op, err)
	}
	if offered {
		if _, err := s.pool.Exec(ctx, `
			update sessions set previous_hash = hash, previous_until = now() + $2::interval, hash = next_hash, next_hash = null, next_at = null, rotated_at = now()
			 where next_hash = $1`, hash, t.Grace); err != nil {
			return nil, translate(op, err)
		}
	}
	if stale { // a tenth of idle has passed: once an hour or so, not at every page
		if _, err := s.pool.Exec(ctx, `
			update sessions set expires_at = least(now() + $2::interval, created_at + $3::interval)
			 where hash = $1 or previous_hash = $1`, hash, t.Idle, t.Longest); err != nil {
			return nil, translate(op, err)
		}
	}
	identity.RotationDue = due
	return identity, nil
}

// Session is a browser that is signed in.
type Session struct {
	CreatedAt time.Time
	ExpiresAt time.Time // unless it is used before
	Address   string    // that it began from; "" = not known
	Here      bool      // it is the one that asks
}

// Sessions lists where a user is signed in, newest first. here is the SHA-256 of the session that asks.
func (s *Store) Sessions(ctx context.Context, userID string, here []byte) ([]Session, error) {
	rows, err := s.pool.Query(ctx, `
		select created_at, expires_at, address, coalesce(`+sessionIs+`, false)
		  from sessions where user_id = $2 and expires_at > now() order by created_at desc`, here, userID)
	if err != nil {
		return nil, translate("list sessions", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Session])
	return list, translate("list sessions", err)
}
