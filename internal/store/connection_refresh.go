package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
)

// ErrRefreshing says that another process refreshes this connection right now. Do
// not queue: read the generation again.
var ErrRefreshing = fault.New(fault.Transient, "another process is refreshing the token")

// ErrOvertaken says that the connection was granted, applied or given back while its
// token was refreshed: what Salesforce answered is of no use to anybody.
var ErrOvertaken = fault.New(fault.Fenced, "the connection changed while its token was refreshed")

// refreshLongest bounds a refresh: two calls of the token endpoint and a commit. It
// stays below idle_in_transaction_session_timeout, which would end the transaction.
const refreshLongest = 90 * time.Second

// Refreshed is what a refresh gave. An empty Refresh keeps the old refresh token
// (rotation is off); an empty InstanceURL keeps the old one.
type Refreshed struct {
	Access      secret.Text
	Refresh     secret.Text
	InstanceURL string
}

// RefreshConnection runs ask for the connection if its generation is still used, and
// commits what it gives as the next generation. Across all processes only one ask
// runs per connection at a time; the others get ErrRefreshing at once. When the
// generation has moved on, ask does not run. Once begun, all of it is done even if the
// caller has gone. ErrOvertaken says that what ask gave was not stored.
//
// If ask returns a fault.Reauthorize the connection becomes lost with that reason, in
// the same transaction, and the error is returned. The note that a refresh began is
// committed before ask runs, so that a crash between Salesforce's answer and the
// commit can be told from a revoked grant later (Connection.RefreshStarted).
func (s *Store) RefreshConnection(ctx context.Context, integrationID string, used int64,
	ask func(ctx context.Context, c *Connection) (Refreshed, error)) error {
	if _, err := s.pool.Exec(ctx, `insert into refresh_locks values ($1) on conflict do nothing`, integrationID); err != nil {
		return translate("prepare the refresh", err)
	}
	select {
	case s.refreshing <- struct{}{}:
		defer func() { <-s.refreshing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// A rotated token that is not committed is a grant that is lost, so neither the
	// question nor the commit ends with the caller.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLongest)
	defer cancel()
	var asked error
	var c *Connection
	var got Refreshed
	err := s.inTx(ctx, "refresh the token", func(tx pgx.Tx) (err error) {
		tag, err := tx.Exec(ctx, `select 1 from refresh_locks where integration_id = $1 for update skip locked`, integrationID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrRefreshing
		}
		if c, err = s.loadConnection(ctx, tx, `i.id = $1`, integrationID); err != nil {
			return err
		}
		if c.Generation != used || c.State != ConnectionGranted {
			return nil
		}
		if _, err := s.pool.Exec(ctx, `
			update connections set refresh_started_at = clock_timestamp() where integration_id = $1 and generation = $2`, integrationID, used); err != nil {
			return err
		}
		got, err = ask(ctx, c)
		switch {
		case fault.Is(err, fault.Reauthorize):
			asked = err
			return lose(ctx, tx, c, err)
		case err != nil:
			asked = err
			return answered(ctx, tx, c, err)
		}
		crashpoint.Hit(crashpoint.TokenAnswered)
		return s.saveRefresh(ctx, tx, c, got)
	})
	if got.Access != "" && asked == nil && err != nil && !errors.Is(err, ErrOvertaken) {
		err = s.saveLater(ctx, c, got, err)
	}
	if err != nil {
		return err
	}
	return asked
}

// saveLater keeps trying to commit what Salesforce has handed out when the database went
// away in between: with rotation, this process has the only token that works. The
// commit compares the generation, so that trying again after one that did succeed
// changes nothing.
func (s *Store) saveLater(ctx context.Context, c *Connection, got Refreshed, cause error) error {
	for {
		select {
		case <-ctx.Done():
			return cause
		case <-time.After(500 * time.Millisecond):
		}
		err := s.inTx(ctx, "store the refreshed token", func(tx pgx.Tx) error { return s.saveRefresh(ctx, tx, c, got) })
		if err == nil || !fault.Is(err, fault.Unreachable, fault.Transient) {
			return err
		}
		cause = err
	}
}

func (s *Store) saveRefresh(ctx context.Context, tx pgx.Tx, c *Connection, got Refreshed) error {
	access, err := s.seal(got.Access, "connections", c.IntegrationID, "access_token")
	if err != nil {
		return err
	}
	refresh, err := s.seal(got.Refresh, "connections", c.IntegrationID, "refresh_token")
	if err != nil {
		return err
	}
	var parked bool
	err = tx.QueryRow(ctx, `
		update connections c set access_token = $3, refresh_token = case when $4 = '' then c.refresh_token else $4 end,
			token_instance_url = case when $5 = '' then c.token_instance_url else $5 end,
			generation = c.generation + 1, refreshed_at = clock_timestamp(), refresh_started_at = null, updated_at = now()
		from integrations i
		where c.integration_id = $1 and c.generation = $2 and i.id = c.integration_id
		returning i.status = 'awaiting_authorization'`,
		c.IntegrationID, c.Generation, access, refresh, got.InstanceURL).Scan(&parked)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrOvertaken
	}
	if err != nil || !parked {
		return err
	}
	return signalAndWake(ctx, tx, c, flow.SignalTokenRefreshed)
}

// answered takes the note of an outstanding answer back when Salesforce answered with
// an error of its own: then nothing was handed out. A note from before stays.
func answered(ctx context.Context, tx pgx.Tx, c *Connection, cause error) error {
	var f *fault.Error
	if !errors.As(cause, &f) || f.Code == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `update connections set refresh_started_at = $3 where integration_id = $1 and generation = $2`,
		c.IntegrationID, c.Generation, nullTime(c.RefreshStarted))
	return err
}

// lose marks the grant as gone, unless there is a newer one.
func lose(ctx context.Context, tx pgx.Tx, c *Connection, cause error) error {
	_, err := tx.Exec(ctx, `
		update connections set state = 'lost', lost_reason = $3, lost_hint = $4, refresh_started_at = null, updated_at = now()
		where integration_id = $1 and generation = $2`,
		c.IntegrationID, c.Generation, cause.Error(), fault.HintOf(cause))
	return err
}

// Disconnect erases the tokens and sets the integration to wait for a new
// connection. The org and user stay bound. Repeating it changes nothing.
func (s *Store) Disconnect(ctx context.Context, integrationID string) error {
	return s.inTx(ctx, "disconnect", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			update connections set state = 'disconnected', access_token = '', refresh_token = '', token_instance_url = '',
				generation = generation + 1, refresh_started_at = null, updated_at = now()
			where integration_id = $1`, integrationID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			update integrations set desired = 'disconnected' where id = $1 and desired <> 'deleted'`, integrationID); err != nil {
			return err
		}
		for _, table := range []string{"connect_links", "oauth_attempts", "pending_grants"} {
			if _, err := tx.Exec(ctx, `delete from `+table+` where integration_id = $1`, integrationID); err != nil {
				return err
			}
		}
		if err := auditedIntegration(ctx, tx, EventIntegrationDisconnected, integrationID, nil); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `select pg_notify($1, $2)`, channelWake, integrationID)
		return err
	})
}
