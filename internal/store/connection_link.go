package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// CreateConnectLink stores the hash of a one-time link to authorize the integration.
func (s *Store) CreateConnectLink(ctx context.Context, integrationID string, hash []byte, expires time.Time) error {
	return s.inTx(ctx, "create the link", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into connect_links (hash, integration_id, expires_at) values ($1, $2, $3)`, hash, integrationID, expires); err != nil {
			return err
		}
		return auditedIntegration(ctx, tx, EventLinkCreated, integrationID, map[string]any{"expires": expires.UTC()})
	})
}

// CheckConnectLink reports whether the link is for the integration, unspent and in
// time; opening it does not spend it. fault.Unauthenticated says what is wrong.
func (s *Store) CheckConnectLink(ctx context.Context, integrationID string, hash []byte) error {
	var spent, expired bool
	err := s.pool.QueryRow(ctx, `
		select spent_at is not null, expires_at <= now() from connect_links where hash = $1 and integration_id = $2`,
		hash, integrationID).Scan(&spent, &expired)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fault.New(fault.Unauthenticated, "this link is not valid for this integration").WithHint("ask whoever sent it for a new one")
	case err != nil:
		return translate("read the link", err)
	case spent:
		return fault.New(fault.Unauthenticated, "this link was used already").WithHint("if Salesforce must be connected again, ask for a new link")
	case expired:
		return fault.New(fault.Unauthenticated, "this link has run out: it was good for 24 hours").WithHint("ask whoever sent it for a new one")
	}
	return nil
}

// Attempt is one attempt to authorize, between the redirect to Salesforce and the callback.
type Attempt struct {
	IntegrationID string
	Verifier      secret.Text // PKCE
	BrowserHash   []byte
	UserID        string // "" when a link led here
	LinkHash      []byte // nil when a signed-in user started
}

// CreateAttempt stores an attempt under the hash of its state.
func (s *Store) CreateAttempt(ctx context.Context, stateHash []byte, a Attempt, expires time.Time) error {
	sealed, err := s.seal(a.Verifier, "oauth_attempts", hex.EncodeToString(stateHash), "verifier")
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `
		with swept as (delete from oauth_attempts where expires_at < now())
		insert into oauth_attempts (state_hash, integration_id, verifier, browser_hash, user_id, link_hash, expires_at)
		values ($1, $2, $3, $4, nullif($5, ''), $6, $7)`,
		stateHash, a.IntegrationID, sealed, a.BrowserHash, a.UserID, a.LinkHash, expires)
	return translate("store the authorization attempt", err)
}

// TakeAttempt removes the attempt of a state and returns it: a state works once.
// fault.Invalid when it is unknown, used or older than its ten minutes.
func (s *Store) TakeAttempt(ctx context.Context, stateHash []byte) (Attempt, error) {
	var a Attempt
	var sealed string
	var expired bool
	err := s.pool.QueryRow(ctx, `
		delete from oauth_attempts where state_hash = $1
		returning integration_id, verifier, browser_hash, coalesce(user_id, ''), link_hash, expires_at <= now()`,
		stateHash).Scan(&a.IntegrationID, &sealed, &a.BrowserHash, &a.UserID, &a.LinkHash, &expired)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, fault.New(fault.Invalid, "this answer from Salesforce was used already or was never asked for").
			WithHint("start the authorization again from its first page")
	}
	if err != nil {
		return a, translate("take the authorization attempt", err)
	}
	if expired {
		return a, fault.New(fault.Invalid, "the authorization took longer than ten minutes").
			WithHint("start it again from its first page")
	}
	a.Verifier, err = s.open(sealed, "oauth_attempts", hex.EncodeToString(stateHash), "verifier")
	return a, err
}
