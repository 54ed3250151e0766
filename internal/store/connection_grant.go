package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
)

// SalesforceGrant is what Salesforce gave for a code, and how it was asked for.
type SalesforceGrant struct {
	IntegrationID string
	OrgID         string // 18 characters
	UserID        string // 18 characters
	Username      string
	InstanceURL   string
	Access        secret.Text
	Refresh       secret.Text
	LinkHash      []byte // of the one-time link that led here; nil for a signed-in user
	ByUserID      string // who began it signed in; "" for a link
	// ByRoles are the roles that may connect integrations, besides the permission itself.
	ByRoles   []string
	Confirmed bool // another user than before was confirmed by a person
}

// OtherOrgError says that a grant is of another org than the integration is bound to.
type OtherOrgError struct{ Bound, Granted string }

func (e *OtherOrgError) Error() string {
	return "the integration is bound to org " + e.Bound + ", this grant is of org " + e.Granted
}

// Unwrap makes it a fault.Conflict.
func (e *OtherOrgError) Unwrap() error { return fault.New(fault.Conflict, "another org") }

// OtherUserError says that a grant is of another user than the one before.
type OtherUserError struct{ Bound, Granted string }

func (e *OtherUserError) Error() string {
	return "the integration was connected as " + e.Bound + ", this grant is of " + e.Granted
}

// Unwrap makes it a fault.Conflict.
func (e *OtherUserError) Unwrap() error { return fault.New(fault.Conflict, "another user") }

// SaveGrant commits a grant in one transaction: sealed tokens, the next generation,
// the spent link, and the signal for the workflow. It returns *OtherOrgError,
// *OtherUserError (unless Confirmed), fault.Invalid for a link that was spent or ran
// out meanwhile, fault.Conflict for an integration that was deleted.
func (s *Store) SaveGrant(ctx context.Context, g SalesforceGrant) error {
	return s.inTx(ctx, "save the grant", func(tx pgx.Tx) error {
		c, err := s.loadConnection(ctx, tx, `i.id = $1 for update of c, i`, g.IntegrationID)
		if err != nil {
			return err
		}
		if c.Desired == "deleted" {
			return fault.New(fault.Conflict, "the integration %s was deleted", c.Name())
		}
		if c.OrgID != "" && c.OrgID != g.OrgID {
			return &OtherOrgError{Bound: c.OrgID, Granted: g.OrgID}
		}
		other := c.UserID != "" && c.UserID != g.UserID
		if other && !g.Confirmed {
			return &OtherUserError{Bound: c.Username, Granted: g.Username}
		}
		if err := mayConnect(ctx, tx, g); err != nil {
			return err
		}
		if g.LinkHash != nil {
			tag, err := tx.Exec(ctx, `
				update connect_links set spent_at = now()
				where hash = $1 and integration_id = $2 and spent_at is null and expires_at > now()`, g.LinkHash, g.IntegrationID)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return fault.New(fault.Invalid, "this link was used already or has run out").
					WithHint("ask for a new one: `starter connect %s`", c.Name())
			}
		}
		access, err := s.seal(g.Access, "connections", g.IntegrationID, "access_token")
		if err != nil {
			return err
		}
		refresh, err := s.seal(g.Refresh, "connections", g.IntegrationID, "refresh_token")
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			update connections set state = 'granted', lost_reason = '', lost_hint = '', org_id = $2, user_id = $3, username = $4,
				access_token = $5, refresh_token = $6, token_instance_url = $7, generation = generation + 1,
				granted_at = clock_timestamp(), refreshed_at = clock_timestamp(), refresh_started_at = null,
				deletes_held = deletes_held or $8, updated_at = now()
			where integration_id = $1`,
			g.IntegrationID, g.OrgID, g.UserID, g.Username, access, refresh, g.InstanceURL, other); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			update integrations set desired = 'running' where id = $1 and desired = 'disconnected'`, g.IntegrationID); err != nil {
			return err
		}
		// A workflow that runs says better what it does, as soon as it hears of the grant.
		if _, err := tx.Exec(ctx, `
			update integrations set status_reason = 'Salesforce is connected; it was not started yet', status_hint = $2
			where id = $1 and status = 'awaiting_authorization' and watched_at is null`, g.IntegrationID, "run `starter start "+c.Name()+"`"); err != nil {
			return err
		}
		if ctx, err = g.actor(ctx, tx); err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventIntegrationConnected, g.IntegrationID,
			map[string]any{"org": g.OrgID, "salesforce_user": g.Username, "by_link": g.LinkHash != nil, "another_user": other}); err != nil {
			return err
		}
		return signalAndWake(ctx, tx, c, flow.SignalTokenGranted)
	})
}

// actor is who the grant is by: the user who began it, or whoever opened the link, as Salesforce
// names them.
func (g SalesforceGrant) actor(ctx context.Context, tx pgx.Tx) (context.Context, error) {
	a := actingOf(ctx).actor
	a.Kind, a.UserID, a.Token, a.Name = ActorSalesforce, "", "", g.Username
	if g.ByUserID != "" {
		a.Kind, a.UserID = ActorUser, g.ByUserID
		if err := tx.QueryRow(ctx, `select email from users where id = $1`, g.ByUserID).Scan(&a.Name); err != nil {
			return ctx, err
		}
	}
	return WithActor(ctx, a), nil
}

// mayConnect asks once more whether who began may end: rights can be taken away while
// somebody stands at Salesforce's consent page.
func mayConnect(ctx context.Context, tx pgx.Tx, g SalesforceGrant) error {
	if g.ByUserID == "" {
		return nil // the link is the right
	}
	var may bool
	err := tx.QueryRow(ctx, `
		select exists (
			select 1 from users u
			join (select user_id, project_id from user_permissions where permission = 'integrations-write'
			      union all
			      select user_id, project_id from user_roles where role = any($3)) p on p.user_id = u.id
			join integrations i on i.id = $2 and (p.project_id is null or p.project_id = i.project_id)
			where u.id = $1 and u.disabled_at is null)`, g.ByUserID, g.IntegrationID, g.ByRoles).Scan(&may)
	if err == nil && !may {
		return fault.New(fault.Forbidden, "your account may no longer connect this integration").
			WithHint("ask an administrator for the permission integrations-write")
	}
	return err
}

// TakeExpiredGrants removes the kept grants that nobody confirmed in time and returns
// them, to be given back to Salesforce.
func (s *Store) TakeExpiredGrants(ctx context.Context) ([]SalesforceGrant, error) {
	rows, err := s.pool.Query(ctx, `
		delete from pending_grants where expires_at <= now() returning hash, grant_sealed`)
	if err != nil {
		return nil, translate("take the expired grants", err)
	}
	type kept struct {
		hash   []byte
		sealed string
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (kept, error) {
		var k kept
		err := row.Scan(&k.hash, &k.sealed)
		return k, err
	})
	if err != nil {
		return nil, translate("take the expired grants", err)
	}
	var out []SalesforceGrant
	for _, k := range all {
		g, err := s.openGrant(k.hash, k.sealed)
		if err != nil {
			return out, err
		}
		out = append(out, g)
	}
	return out, nil
}

// signalAndWake writes a signal to the outbox and wakes a running Watch, both with
// the transaction.
func signalAndWake(ctx context.Context, tx pgx.Tx, c *Connection, signal string) error {
	if _, err := tx.Exec(ctx, `insert into outbox (workflow_id, signal) values ($1, $2)`,
		flow.WorkflowID(c.Project, c.Integration), signal); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `select pg_notify($1, '')`, channelOutbox); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `select pg_notify($1, $2)`, channelWake, c.IntegrationID)
	return err
}

// SavePendingGrant keeps a grant of another user, sealed, until it is confirmed
// under hash or runs out.
func (s *Store) SavePendingGrant(ctx context.Context, hash []byte, g SalesforceGrant, userID string, expires time.Time) error {
	raw, err := json.Marshal(pendingGrant{SalesforceGrant: g, Access: g.Access.Reveal(), Refresh: g.Refresh.Reveal()})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode the grant")
	}
	sealed, err := s.seal(secret.Text(raw), "pending_grants", hex.EncodeToString(hash), "grant")
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `
		insert into pending_grants (hash, integration_id, grant_sealed, username, user_id, link_hash, expires_at)
		values ($1, $2, $3, $4, nullif($5, ''), $6, $7)`,
		hash, g.IntegrationID, sealed, g.Username, userID, g.LinkHash, expires)
	return translate("keep the grant", err)
}

// pendingGrant spells the tokens out: a secret.Text does not marshal.
type pendingGrant struct {
	SalesforceGrant
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

// TakePendingGrant removes the grant kept under hash and returns it. fault.Invalid
// when there is none or it ran out.
func (s *Store) TakePendingGrant(ctx context.Context, hash []byte) (SalesforceGrant, error) {
	var sealed string
	err := s.pool.QueryRow(ctx, `
		delete from pending_grants where hash = $1 and expires_at > now()
		returning grant_sealed`, hash).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return SalesforceGrant{}, fault.New(fault.Invalid, "there is nothing to confirm, or it took too long").WithHint("start the authorization again")
	}
	if err != nil {
		return SalesforceGrant{}, translate("take the kept grant", err)
	}
	return s.openGrant(hash, sealed)
}

func (s *Store) openGrant(hash []byte, sealed string) (SalesforceGrant, error) {
	raw, err := s.open(sealed, "pending_grants", hex.EncodeToString(hash), "grant")
	if err != nil {
		return SalesforceGrant{}, err
	}
	var p pendingGrant
	if err := json.Unmarshal([]byte(raw.Reveal()), &p); err != nil {
		return SalesforceGrant{}, fault.Wrap(fault.Internal, err, "decode the kept grant")
	}
	p.SalesforceGrant.Access, p.SalesforceGrant.Refresh = secret.Text(p.Access), secret.Text(p.Refresh)
	return p.SalesforceGrant, nil
}
