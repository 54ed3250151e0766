package store

import (
	"context"
	"time"

	"salesforcesync/internal/secret"
)

// Connection states.
const (
	ConnectionNone         = "none"
	ConnectionGranted      = "granted"
	ConnectionLost         = "lost"
	ConnectionDisconnected = "disconnected"
)

// Connection is an integration's way to Salesforce, with its secrets open. It must
// not be kept: read it when it is used.
type Connection struct {
	IntegrationID  string
	Project        string
	Integration    string
	Desired        string // what the operator wants of the integration
	InstanceURL    string // as configured
	LoginURL       string
	ConsumerKey    string
	ConsumerSecret secret.Text
	State          string
	LostReason     string
	LostHint       string
	OrgID          string // the grant is bound to it; "" before the first
	UserID         string
	Username       string
	Access         secret.Text
	Refresh        secret.Text
	TokenURL       string // instance_url of the newest token
	Generation     int64
	RenewedAt      time.Time // when the newest token was got; zero before the first
	RefreshStarted time.Time // a refresh was begun then and its answer never stored
}

// Name is "<project>/<integration>".
func (c *Connection) Name() string { return c.Project + "/" + c.Integration }

// LoadConnection reads the connection of an integration. fault.NotFound when there
// is no such integration.
func (s *Store) LoadConnection(ctx context.Context, integrationID string) (*Connection, error) {
	return s.loadConnection(ctx, s.pool, `i.id = $1`, integrationID)
}

// LoadConnectionByName is LoadConnection by project and integration.
func (s *Store) LoadConnectionByName(ctx context.Context, project, integration string) (*Connection, error) {
	return s.loadConnection(ctx, s.pool, `p.name = $1 and i.name = $2`, project, integration)
}

func (s *Store) loadConnection(ctx context.Context, q querier, where string, args ...any) (*Connection, error) {
	c := &Connection{}
	var clientSecret, access, refresh string
	err := q.QueryRow(ctx, `
		select c.integration_id, p.name, i.name, i.desired, c.instance_url, c.login_url, c.consumer_key, c.consumer_secret,
		       c.state, c.lost_reason, c.lost_hint, coalesce(c.org_id, ''), coalesce(c.user_id, ''), c.username,
		       c.access_token, c.refresh_token, c.token_instance_url, c.generation, coalesce(greatest(c.granted_at, c.refreshed_at), '0001-01-01Z'), coalesce(c.refresh_started_at, '0001-01-01Z')
		from connections c
		join integrations i on i.id = c.integration_id
		join projects p on p.id = i.project_id
		where `+where, args...).Scan(
		&c.IntegrationID, &c.Project, &c.Integration, &c.Desired, &c.InstanceURL, &c.LoginURL, &c.ConsumerKey, &clientSecret,
		&c.State, &c.LostReason, &c.LostHint, &c.OrgID, &c.UserID, &c.Username,
		&access, &refresh, &c.TokenURL, &c.Generation, &c.RenewedAt, &c.RefreshStarted)
	if err != nil {
		return nil, translate("read the connection", err)
	}
	if c.ConsumerSecret, err = s.open(clientSecret, "connections", c.IntegrationID, "consumer_secret"); err != nil {
		return nil, err
	}
	if c.Access, err = s.open(access, "connections", c.IntegrationID, "access_token"); err != nil {
		return nil, err
	}
	if c.Refresh, err = s.open(refresh, "connections", c.IntegrationID, "refresh_token"); err != nil {
		return nil, err
	}
	return c, nil
}
