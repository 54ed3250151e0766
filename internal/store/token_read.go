package store

import (
	"context"
	"time"
)

// IdentityByToken reads who holds the API token with this SHA-256. A token that is
// unknown, expired or revoked, or whose user is disabled, is fault.NotFound.
func (s *Store) IdentityByToken(ctx context.Context, hash []byte) (*Identity, error) {
	const op = "look up API token"
	var key string
	var stale, scoped bool
	var expires *time.Time
	var projects, permissions []string
	identity, err := scanIdentity(s.pool.QueryRow(ctx, `
		select t.id::text, coalesce(t.last_used_at < now() - interval '1 minute', true), t.expires_at, t.scoped, scope.projects, scope.permissions,`+identityColumns+`
		  from api_tokens t
		  join users u on u.id = t.user_id and u.disabled_at is null`+identityJoin+selectScope+`
		 where t.hash = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())`, hash), &key, &stale, &expires, &scoped, &projects, &permissions)
	if err != nil {
		return nil, translate(op, err)
	}
	identity.Key, identity.ExpiresAt = key, expires
	if scoped {
		identity.Scope = zipGrants(projects, permissions, nil)
	}
	// To the minute is enough, and keeps reading from becoming writing.
	if stale {
		if _, err := s.pool.Exec(ctx, `update api_tokens set last_used_at = now() where id = $1::uuid`, key); err != nil {
			return nil, translate(op, err)
		}
	}
	return identity, nil
}
