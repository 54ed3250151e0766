package poll

import (
	"context"
	"sync"
	"time"

	"salesforcesync/internal/store"
)

// Grants renews the session of a connection. How is its own business: this package
// knows no tokens.
type Grants interface {
	// Renew gets a new session unless there is one newer than generation.
	Renew(ctx context.Context, integrationID string, generation int64) error
}

// Salesforce may let a grant expire that was not used for 30 days (refresh token
// policy), and a session that is used goes on and on without the grant. So it is used at
// least weekly, whatever the integration does.
const (
	renewAfter = 6 * 24 * time.Hour
	renewRetry = time.Hour
)

// keepAlive uses the grant when it was not used for long, also of an integration that
// is paused. What comes of it is in the connection's row: a grant that is gone parks the
// integration like any other that is found gone. A passing fault changes nothing, and
// is no reason not to watch: there are weeks left to try again.
func (s *Service) keepAlive(ctx context.Context, t *store.Target) {
	unused := t.ReadAt.Sub(t.RenewedAt)
	if s.Grants == nil || t.ConnectionState != store.ConnectionGranted || unused < renewAfter ||
		t.Desired == store.DesiredDisconnected || t.Desired == store.DesiredDeleted || !s.renewals.due(t.IntegrationID) {
		return
	}
	_ = s.Grants.Renew(ctx, t.IntegrationID, t.Generation) // whoever gave Grants logs it
}

// renewals remembers when a process last tried to renew a grant.
type renewals struct {
	mu    sync.Mutex
	tried map[string]time.Time
}

// due reports whether it is time to try again, and notes that it is done.
func (r *renewals) due(integrationID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.tried[integrationID]) < renewRetry {
		return false
	}
	if r.tried == nil {
		r.tried = map[string]time.Time{}
	}
	r.tried[integrationID] = time.Now()
	return true
}
