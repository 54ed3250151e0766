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
	Scope      []Grant // the most that it may do, single permissions; nil = all that its user may
}

// NewToken is what a token begins with.
type NewToken struct {
	UserID    string
	Name      string
	Hash      []byte // SHA-256 of the token
	ExpiresAt *time.Time
	Scope     []Grant // single permissions; nil = all that its user may
}

// maxTokens bounds a user's tokens that work: each has a rate limit of its own.
const maxTokens = 100

// AddToken keeps a new token and gives its id. A user who is not let in, or a project that does not
// exist, is fault.NotFound; a user with very many tokens fault.Conflict.
func (s *Store) AddToken(ctx context.Context, t NewToken) (id string, err error) {
	err = s.inTx(ctx, "create API token", func(tx pgx.Tx) error {
		// The user's row is locked so that tokens made at the same moment are all counted.
		err := tx.QueryRow(ctx, `select id from users where id = $1 and disabled_at is null for no key update`, t.UserID).Scan(&t.UserID)
		if err != nil {
			return err
		}
		var live int
		if err := tx.QueryRow(ctx, `
			select count(*) from api_tokens where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())`, t.UserID).Scan(&live); err != nil {
			return err
		}
		if live >= maxTokens {
			return fault.New(fault.Conflict, "the user has %d API tokens that work", live).WithHint("revoke those that nobody uses")
		}
		if err := tx.QueryRow(ctx, `
			insert into api_tokens (id, user_id, name, hash, expires_at, scoped)
			values (gen_random_uuid(), $1, $2, $3, $4, $5) returning id::text`, t.UserID, t.Name, t.Hash, t.ExpiresAt, t.Scope != nil).Scan(&id); err != nil {
			return err
		}
		for _, g := range t.Scope {
			if err := addGrant(ctx, tx, `insert into api_token_scopes (token_id, project_id, permission)`, id, g.Project, g.Permission); err != nil {
				return err
			}
		}
		return nil
	})
	return id, err
}

// selectScope reads a token's scope as two arrays; t is the token.
const selectScope = `
	left join lateral (
	     select coalesce(array_agg(coalesce(p.name, '') order by p.name, ts.permission), '{}') as projects,
	            coalesce(array_agg(ts.permission order by p.name, ts.permission), '{}') as permissions
	       from api_token_scopes ts
	       left join projects p on p.id = ts.project_id
	      where ts.token_id = t.id) scope on true `

// Tokens lists a user's API tokens, newest first, revoked and expired ones too.
func (s *Store) Tokens(ctx context.Context, userID string) ([]Token, error) {
	rows, err := s.pool.Query(ctx, `
		select t.id::text, t.name, t.created_at, t.last_used_at, t.expires_at, t.revoked_at, t.scoped, scope.projects, scope.permissions
		  from api_tokens t`+selectScope+` where t.user_id = $1 order by t.created_at desc, t.id`, userID)
	if err != nil {
		return nil, translate("list API tokens", err)
	}
	tokens, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Token, error) {
		var t Token
		var scoped bool
		var projects, permissions []string
		err := row.Scan(&t.ID, &t.Name, &t.CreatedAt, &t.LastUsedAt, &t.ExpiresAt, &t.RevokedAt, &scoped, &projects, &permissions)
		if scoped {
			t.Scope = zipGrants(projects, permissions, nil)
		}
		return t, err
	})
	return tokens, translate("list API tokens", err)
}

// RevokeToken ends an API token of the user, or of any user when userID is "". It may be called
// again; an unknown id is fault.NotFound.
func (s *Store) RevokeToken(ctx context.Context, userID, id string) error {
	return s.inTx(ctx, "revoke API token", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update api_tokens set revoked_at = coalesce(revoked_at, now()) where id::text = lower($2) and ($1 = '' or user_id = $1)`, userID, id)
		if err == nil && tag.RowsAffected() == 0 {
			return fault.New(fault.NotFound, "there is no API token %s", id)
		}
		return err
	})
}
