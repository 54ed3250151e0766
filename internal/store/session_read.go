package store

import (
	"context"
	"time"
)

// IdentityBySession reads who signed in with the session of this SHA-256 and
// prolongs it: it ends idle after it was not used, and longest after it began,
// whichever comes first. A session that is unknown or over, or whose user is
// disabled, is fault.NotFound.
func (s *Store) IdentityBySession(ctx context.Context, hash []byte, idle, longest time.Duration) (*Identity, error) {
	const op = "look up session"
	var stale bool
	identity, err := scanIdentity(s.pool.QueryRow(ctx, `
		select se.expires_at < least(now() + $2::interval * 0.9, se.created_at + $3::interval),`+identityColumns+`
		  from sessions se
		  join users u on u.id = se.user_id and u.disabled_at is null`+identityJoin+`
		 where se.hash = $1 and se.expires_at > now()`, hash, idle, longest), &stale)
	if err != nil {
		return nil, translate(op, err)
	}
	if stale { // a tenth of idle has passed: once an hour or so, not at every page
		if _, err := s.pool.Exec(ctx, `
			update sessions set expires_at = least(now() + $2::interval, created_at + $3::interval)
			 where hash = $1`, hash, idle, longest); err != nil {
			return nil, translate(op, err)
		}
	}
	return identity, nil
}
