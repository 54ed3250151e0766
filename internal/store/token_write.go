package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// Token describes an API token; the token itself is nowhere.
type Token struct {
	ID         string // UUID
	Name       string
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute
	ExpiresAt  *time.Time // nil = never
	RevokedAt  *time.Time
}

// AddToken keeps the SHA-256 of a new token of the user. A nil expires is never.
func (s *Store) AddToken(ctx context.Context, userID, name string, hash []byte, expires *time.Time) (id string, err error) {
	err = s.pool.QueryRow(ctx, `
		insert into api_tokens (id, user_id, name, hash, expires_at)
		values (gen_random_uuid(), $1, $2, $3, $4) returning id::text`, userID, name, hash, expires).Scan(&id)
	return id, translate("create API token", err)
}

// Tokens lists a user's API tokens, newest first, revoked and expired ones too.
func (s *Store) Tokens(ctx context.Context, userID string) ([]Token, error) {
	rows, err := s.pool.Query(ctx, `
		select id::text, name, created_at, last_used_at, expires_at, revoked_at
		  from api_tokens where user_id = $1 order by created_at desc, id`, userID)
	if err != nil {
		return nil, translate("list API tokens", err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
	return tokens, translate("list API tokens", err)
}

// RevokeToken ends an API token. It may be called again; an unknown id is fault.NotFound.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	tag, err := s.pool.Exec(ctx, `update api_tokens set revoked_at = coalesce(revoked_at, now()) where id::text = lower($1)`, id)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.NotFound, "there is no API token %s", id)
	}
	return translate("revoke API token", err)
}
