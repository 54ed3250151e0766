package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

const (
	orgOne  = "00D000000000001EAA"
	orgTwo  = "00D000000000002EAA"
	userOne = "005000000000001AAA"
	userTwo = "005000000000002AAA"
)

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func (l *lane) grantOf(user string) store.SalesforceGrant {
	return store.SalesforceGrant{IntegrationID: l.id, OrgID: orgOne, UserID: user, Username: user + "@acme.example",
		InstanceURL: "https://acme.my.salesforce.com", Access: "plain-access-token", Refresh: "plain-refresh-token"}
}

func (l *lane) connect() *store.Connection {
	l.t.Helper()
	require.NoError(l.t, l.db.SaveGrant(l.t.Context(), l.grantOf(userOne)))
	return l.connection()
}

func (l *lane) connection() *store.Connection {
	l.t.Helper()
	c, err := l.db.LoadConnection(l.t.Context(), l.id)
	require.NoError(l.t, err)
	return c
}

func (l *lane) outbox() []string {
	l.t.Helper()
	return l.strings(`select signal || ' ' || workflow_id from outbox order by id`)
}

func TestSaveGrant(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	c := l.connect()
	require.Equal(t, store.ConnectionGranted, c.State)
	require.EqualValues(t, 1, c.Generation)
	require.Equal(t, "plain-access-token", c.Access.Reveal())
	require.Equal(t, "plain-refresh-token", c.Refresh.Reveal())
	require.Equal(t, "plain-consumer-secret", c.ConsumerSecret.Reveal())
	require.Equal(t, []string{orgOne, userOne, userOne + "@acme.example"}, []string{c.OrgID, c.UserID, c.Username})
	require.Equal(t, []string{"token-granted integration/support/salesforce-prod"}, l.outbox())
	byName, err := l.db.LoadConnectionByName(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, c, byName)

	// The same user again: a new generation, nothing to confirm.
	require.EqualValues(t, 2, l.connect().Generation)
	require.Equal(t, "f", l.one(`select deletes_held::text from connections`)[:1])
}

func TestSaveGrantIsBoundToOrgAndUser(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	before := l.strings(`select connections::text from connections`)

	other := l.grantOf(userOne)
	other.OrgID = orgTwo
	other.Confirmed = true
	err := l.db.SaveGrant(t.Context(), other)
	var org *store.OtherOrgError
	require.ErrorAs(t, err, &org)
	require.Equal(t, store.OtherOrgError{Bound: orgOne, Granted: orgTwo}, *org)
	requireKind(t, fault.Conflict, err)

	err = l.db.SaveGrant(t.Context(), l.grantOf(userTwo))
	var user *store.OtherUserError
	require.ErrorAs(t, err, &user)
	require.Equal(t, store.OtherUserError{Bound: userOne + "@acme.example", Granted: userTwo + "@acme.example"}, *user)
	requireKind(t, fault.Conflict, err)
	require.Equal(t, before, l.strings(`select connections::text from connections`), "a refused grant changes nothing")
	require.Len(t, l.outbox(), 1)

	// Losing or giving back the access does not unbind it.
	require.NoError(t, l.db.Disconnect(t.Context(), l.id))
	require.ErrorAs(t, l.db.SaveGrant(t.Context(), other), &org)
	require.ErrorAs(t, l.db.SaveGrant(t.Context(), l.grantOf(userTwo)), &user)

	confirmed := l.grantOf(userTwo)
	confirmed.Confirmed = true
	require.NoError(t, l.db.SaveGrant(t.Context(), confirmed))
	require.Equal(t, userTwo, l.connection().UserID)
	require.Equal(t, "true", l.one(`select deletes_held::text from connections`), "no delete is applied until the new user's rights are checked")
	require.NoError(t, l.db.SaveCheck(t.Context(), l.id, store.Check{SpecVersion: 1, Begun: time.Now()}))
	require.Equal(t, "false", l.one(`select deletes_held::text from connections`))
}

func TestSaveGrantAndWhatTheOperatorWants(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{"running": "running", "paused": "paused", "disconnected": "running"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, config.DeletedTombstone)
			l.seed.Exec(`update integrations set desired = $1`, before)
			l.connect()
			require.Equal(t, after, l.one(`select desired from integrations`))
		})
	}
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		l := newLane(t, config.DeletedTombstone)
		l.seed.Exec(`update integrations set desired = 'deleted'`)
		requireKind(t, fault.Conflict, l.db.SaveGrant(t.Context(), l.grantOf(userOne)))
		require.Empty(t, l.outbox(), "a deleted integration is not brought back")
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		l := newLane(t, config.DeletedTombstone)
		require.NoError(t, l.db.DeleteIntegration(t.Context(), l.id, false))
		requireKind(t, fault.NotFound, l.db.SaveGrant(t.Context(), l.grantOf(userOne)))
	})
}

func TestConnectLinkIsSpentByOneGrant(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	for range 3 { // opening does not spend
		require.NoError(t, l.db.CheckConnectLink(ctx, l.id, hash("link")))
	}
	grant := l.grantOf(userOne)
	grant.LinkHash = hash("link")
	errs := make([]error, 6)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = l.db.SaveGrant(ctx, grant) })
	}
	all.Wait()
	good := 0
	for _, err := range errs {
		if err == nil {
			good++
			continue
		}
		requireKind(t, fault.Invalid, err)
	}
	require.Equal(t, 1, good)
	require.EqualValues(t, 1, l.connection().Generation)
	require.Len(t, l.outbox(), 1)
	requireKind(t, fault.Unauthenticated, l.db.CheckConnectLink(ctx, l.id, hash("link")))
}

func TestConnectLinkOfARefusedGrantIsNotSpent(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	l.connect()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	grant := l.grantOf(userTwo)
	grant.LinkHash = hash("link")
	require.Error(t, l.db.SaveGrant(ctx, grant))
	require.NoError(t, l.db.CheckConnectLink(ctx, l.id, hash("link")))
	grant.Confirmed = true
	require.NoError(t, l.db.SaveGrant(ctx, grant))
	requireKind(t, fault.Unauthenticated, l.db.CheckConnectLink(ctx, l.id, hash("link")))
}

func TestConnectLinkThatRanOutOrIsOfAnother(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	other := laneOf(t, l.db, l.seed, "second", config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("old"), time.Now().Add(-time.Second)))
	require.NoError(t, l.db.CreateConnectLink(ctx, other.id, hash("other"), time.Now().Add(time.Hour)))
	for _, link := range []string{"old", "other", "never made"} {
		requireKind(t, fault.Unauthenticated, l.db.CheckConnectLink(ctx, l.id, hash(link)))
		grant := l.grantOf(userOne)
		grant.LinkHash = hash(link)
		requireKind(t, fault.Invalid, l.db.SaveGrant(ctx, grant))
	}
	require.Equal(t, store.ConnectionNone, l.connection().State)
	require.NoError(t, l.db.CheckConnectLink(ctx, other.id, hash("other")))
}

func TestAttemptWorksOnce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	attempt := store.Attempt{IntegrationID: l.id, Verifier: "plain-verifier", BrowserHash: hash("browser"), LinkHash: hash("link")}
	require.NoError(t, l.db.CreateAttempt(ctx, hash("state"), attempt, time.Now().Add(time.Minute)))
	results := make([]store.Attempt, 6)
	errs := make([]error, len(results))
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i], errs[i] = l.db.TakeAttempt(ctx, hash("state")) })
	}
	all.Wait()
	good := 0
	for i, err := range errs {
		if err == nil {
			good++
			require.Equal(t, attempt, results[i])
			continue
		}
		requireKind(t, fault.Invalid, err)
	}
	require.Equal(t, 1, good)
	require.Empty(t, l.strings(`select verifier from oauth_attempts`))
}

func TestAttemptRunsOut(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	attempt := store.Attempt{IntegrationID: l.id, Verifier: "plain-verifier", BrowserHash: hash("browser"), LinkHash: hash("link")}
	require.NoError(t, l.db.CreateAttempt(ctx, hash("state"), attempt, time.Now().Add(-time.Second)))
	a, err := l.db.TakeAttempt(ctx, hash("state"))
	requireKind(t, fault.Invalid, err)
	require.Empty(t, a.Verifier)
	_, err = l.db.TakeAttempt(ctx, hash("never"))
	requireKind(t, fault.Invalid, err)

	// The next attempt sweeps what nobody came back for.
	require.NoError(t, l.db.CreateAttempt(ctx, hash("one"), attempt, time.Now().Add(-time.Second)))
	require.NoError(t, l.db.CreateAttempt(ctx, hash("two"), attempt, time.Now().Add(time.Minute)))
	require.Len(t, l.strings(`select verifier from oauth_attempts`), 1)
	// Nobody and no link: refused.
	attempt.LinkHash = nil
	require.Error(t, l.db.CreateAttempt(ctx, hash("three"), attempt, time.Now().Add(time.Minute)))
}

func TestPendingGrant(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	grant := l.grantOf(userTwo)
	grant.LinkHash = hash("link")
	require.NoError(t, l.db.SavePendingGrant(ctx, hash("kept"), grant, "", time.Now().Add(time.Minute)))
	kept, err := l.db.TakePendingGrant(ctx, hash("kept"))
	require.NoError(t, err)
	require.Equal(t, grant, kept)
	_, err = l.db.TakePendingGrant(ctx, hash("kept"))
	requireKind(t, fault.Invalid, err)
	require.NoError(t, l.db.SavePendingGrant(ctx, hash("old"), grant, "", time.Now().Add(-time.Second)))
	_, err = l.db.TakePendingGrant(ctx, hash("old"))
	requireKind(t, fault.Invalid, err)
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	l.connect()
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	require.NoError(t, l.db.CreateAttempt(ctx, hash("state"), store.Attempt{IntegrationID: l.id, Verifier: "v", BrowserHash: hash("b"), LinkHash: hash("link")}, time.Now().Add(time.Hour)))
	for range 2 {
		require.NoError(t, l.db.Disconnect(ctx, l.id))
		c := l.connection()
		require.Equal(t, store.ConnectionDisconnected, c.State)
		require.Empty(t, c.Access)
		require.Empty(t, c.Refresh)
		require.Equal(t, orgOne, c.OrgID)
		require.Equal(t, "disconnected", l.one(`select desired from integrations`))
	}
	_, err := l.db.TakeAttempt(ctx, hash("state"))
	requireKind(t, fault.Invalid, err)
	requireKind(t, fault.Unauthenticated, l.db.CheckConnectLink(ctx, l.id, hash("link")))
}

func TestSecretsAreSealedInEveryColumn(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	l.connect()
	require.NoError(t, l.db.RefreshConnection(ctx, l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
		return store.Refreshed{Access: "plain-access-two", Refresh: "plain-refresh-two"}, nil
	}))
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	require.NoError(t, l.db.CreateAttempt(ctx, hash("state"), store.Attempt{IntegrationID: l.id, Verifier: "plain-verifier", BrowserHash: hash("b"), LinkHash: hash("link")}, time.Now().Add(time.Hour)))
	require.NoError(t, l.db.SavePendingGrant(ctx, hash("kept"), l.grantOf(userTwo), "", time.Now().Add(time.Hour)))
	tables := l.strings(`select table_name from information_schema.tables where table_schema = 'public' order by 1`)
	require.Contains(t, tables, "pending_grants")
	filled := 0
	for _, table := range tables {
		for _, row := range l.strings(`select ` + table + `::text from ` + table) {
			filled++
			require.NotContains(t, row, "plain-", "%s holds a secret in the clear", table)
			require.NotContains(t, row, base64.StdEncoding.EncodeToString([]byte("plain-access-two"))[:16], table)
			require.NotContains(t, row, fmt.Sprintf("%x", "plain-"), table)
		}
	}
	require.Greater(t, filled, 8)
	require.Equal(t, "plain-access-two", l.connection().Access.Reveal())
}

func TestSealedValueIsBoundToItsRow(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	other := laneOf(t, l.db, l.seed, "second", config.DeletedTombstone)
	ctx := t.Context()
	l.connect()
	other.connect()
	notOpen := func(t *testing.T, err error) {
		t.Helper()
		requireKind(t, fault.Invalid, err)
		require.ErrorIs(t, err, secret.ErrCannotOpen)
	}
	for _, column := range []string{"access_token", "refresh_token", "consumer_secret"} {
		mine := l.one(`select `+column+` from connections where integration_id = $1`, l.id)
		l.seed.Exec(`update connections set `+column+` = (select `+column+` from connections where integration_id = $2) where integration_id = $1`, l.id, other.id)
		_, err := l.db.LoadConnection(ctx, l.id)
		notOpen(t, err)
		l.seed.Exec(`update connections set `+column+` = $2 where integration_id = $1`, l.id, mine)
	}
	l.seed.Exec(`update connections set access_token = refresh_token where integration_id = $1`, l.id)
	_, err := l.db.LoadConnection(ctx, l.id)
	notOpen(t, err)

	// Two attempts and two kept grants of one integration are four rows.
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, hash("link"), time.Now().Add(time.Hour)))
	for _, name := range []string{"one", "two"} {
		attempt := store.Attempt{IntegrationID: l.id, Verifier: secret.Text("verifier " + name), BrowserHash: hash("b"), LinkHash: hash("link")}
		require.NoError(t, l.db.CreateAttempt(ctx, hash(name), attempt, time.Now().Add(time.Hour)))
		require.NoError(t, l.db.SavePendingGrant(ctx, hash(name), l.grantOf(userTwo), "", time.Now().Add(time.Hour)))
	}
	l.seed.Exec(`update oauth_attempts set verifier = (select verifier from oauth_attempts where state_hash = $1) where state_hash = $2`, hash("one"), hash("two"))
	_, err = l.db.TakeAttempt(ctx, hash("two"))
	notOpen(t, err)
	l.seed.Exec(`update pending_grants set grant_sealed = (select grant_sealed from pending_grants where hash = $1) where hash = $2`, hash("one"), hash("two"))
	_, err = l.db.TakePendingGrant(ctx, hash("two"))
	notOpen(t, err)
}

func TestSecretsNeedAKeyRing(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	for name, keys := range map[string]string{"none": "", "another key under the same id": "test:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)),
		"another id": "other:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0}, 32))} {
		var ring *secret.KeyRing
		if keys != "" {
			var err error
			ring, err = secret.ParseKeyRing(keys)
			require.NoError(t, err)
		}
		db, err := store.Open(t.Context(), l.seed.URL(), store.Options{Keys: ring, MaxConns: 2})
		require.NoError(t, err)
		defer db.Close()
		_, err = db.LoadConnection(t.Context(), l.id)
		requireKind(t, fault.Invalid, err)
		require.Contains(t, err.Error(), "ENCRYPTION_KEYS", name)
		require.NotEmpty(t, fault.HintOf(err))
	}
	// The new key stands first, the old one still opens.
	ring, err := secret.ParseKeyRing("new:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + ",test:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	db, err := store.Open(t.Context(), l.seed.URL(), store.Options{Keys: ring, MaxConns: 2})
	require.NoError(t, err)
	defer db.Close()
	c, err := db.LoadConnection(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, "plain-access-token", c.Access.Reveal())
}

func TestRefreshRunsOnce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	require.NoError(t, l.db.SetStatus(t.Context(), "support", "salesforce-prod", flow.StateIdle, "", "", time.Time{}))
	var asked atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	ask := func(_ context.Context, c *store.Connection) (store.Refreshed, error) {
		asked.Add(1)
		if c.Refresh.Reveal() != "plain-refresh-token" || !c.RefreshStarted.IsZero() {
			return store.Refreshed{}, errors.New("asked for another connection")
		}
		close(entered)
		<-release
		return store.Refreshed{Access: "second"}, nil
	}
	first := make(chan error, 1)
	go func() { first <- l.db.RefreshConnection(t.Context(), l.id, 1, ask) }()
	<-entered
	require.NotEqual(t, "", l.one(`select coalesce(refresh_started_at::text, '') from connections`), "that a refresh began is known before Salesforce is asked")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := l.db.RefreshConnection(t.Context(), l.id, 1, ask); !errors.Is(err, store.ErrRefreshing) {
				t.Errorf("while another refreshes: %v", err)
			}
		})
	}
	all.Wait()
	close(release)
	require.NoError(t, <-first)
	for range 20 {
		all.Go(func() {
			if err := l.db.RefreshConnection(t.Context(), l.id, 1, ask); err != nil && !errors.Is(err, store.ErrRefreshing) {
				t.Errorf("after the refresh: %v", err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, asked.Load())
	c := l.connection()
	require.EqualValues(t, 2, c.Generation)
	require.Equal(t, "second", c.Access.Reveal())
	require.Equal(t, "plain-refresh-token", c.Refresh.Reveal(), "no rotation: the old one stays")
	require.Equal(t, "https://acme.my.salesforce.com", c.TokenURL)
	require.True(t, c.RefreshStarted.IsZero())
	require.Len(t, l.outbox(), 1, "nothing was parked: no signal but the grant's")
}

func TestRefreshTellsAParkedWorkflow(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	require.NoError(t, l.db.SetStatus(t.Context(), "support", "salesforce-prod", flow.StateAwaitingAuthorization, "r", "h", time.Time{}))
	require.NoError(t, l.db.RefreshConnection(t.Context(), l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
		return store.Refreshed{Access: "a", Refresh: "rotated", InstanceURL: "https://moved.my.salesforce.com"}, nil
	}))
	require.Equal(t, "token-refreshed integration/support/salesforce-prod", l.outbox()[1])
	c := l.connection()
	require.Equal(t, "rotated", c.Refresh.Reveal())
	require.Equal(t, "https://moved.my.salesforce.com", c.TokenURL)
}

func TestRefreshThatIsRefused(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	passing := fault.New(fault.Transient, "no answer")
	err := l.db.RefreshConnection(t.Context(), l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
		return store.Refreshed{}, passing
	})
	require.Same(t, passing, err)
	c := l.connection()
	require.Equal(t, store.ConnectionGranted, c.State, "a passing fault parks nothing")
	require.EqualValues(t, 1, c.Generation)
	require.False(t, c.RefreshStarted.IsZero(), "its answer may have been lost")

	err = l.db.RefreshConnection(t.Context(), l.id, 1, func(_ context.Context, c *store.Connection) (store.Refreshed, error) {
		if c.RefreshStarted.IsZero() {
			return store.Refreshed{}, errors.New("the lost answer is not known")
		}
		return store.Refreshed{}, fault.New(fault.Reauthorize, "the grant was revoked").WithHint("connect again")
	})
	requireKind(t, fault.Reauthorize, err)
	c = l.connection()
	require.Equal(t, store.ConnectionLost, c.State)
	require.Equal(t, "the grant was revoked", c.LostReason)
	require.Equal(t, "connect again", c.LostHint)

	// A lost connection is not asked for again.
	require.NoError(t, l.db.RefreshConnection(t.Context(), l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
		t.Error("asked for a lost connection")
		return store.Refreshed{}, nil
	}))
	require.Equal(t, store.ConnectionGranted, l.connect().State)
	require.Empty(t, l.connection().LostReason)
}

var errRevoked = fault.New(fault.Reauthorize, "revoked")

// A grant that comes while a refresh is out is the newer one, whatever the refresh brings.
func TestRefreshGivesWayToANewGrant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want error }{
		"a token":   {nil, store.ErrOvertaken},
		"a refusal": {errRevoked, errRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, config.DeletedTombstone)
			l.connect()
			err := l.db.RefreshConnection(t.Context(), l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
				grant := l.grantOf(userOne)
				grant.Access = "of the new grant"
				if err := l.db.SaveGrant(t.Context(), grant); err != nil {
					return store.Refreshed{}, err
				}
				return store.Refreshed{Access: "of the refresh"}, c.answer
			})
			require.ErrorIs(t, err, c.want)
			now := l.connection()
			require.Equal(t, store.ConnectionGranted, now.State)
			require.Equal(t, "of the new grant", now.Access.Reveal())
			require.EqualValues(t, 2, now.Generation)
		})
	}
}

// With rotation, an answer that is not stored is a grant that is lost.
func TestRefreshIsStoredThoughTheCallerHasGone(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.connect()
	ctx, cancel := context.WithCancel(t.Context())
	_ = l.db.RefreshConnection(ctx, l.id, 1, func(context.Context, *store.Connection) (store.Refreshed, error) {
		cancel()
		return store.Refreshed{Access: "second", Refresh: "rotated"}, nil
	})
	c := l.connection()
	require.EqualValues(t, 2, c.Generation)
	require.Equal(t, "rotated", c.Refresh.Reveal())
}

// All tokens of an org's integrations die at once. A pool smaller than the number of
// refreshes must not stop them all.
func TestRefreshOfManyConnectionsOnASmallPool(t *testing.T) {
	t.Parallel()
	first := newLane(t, config.DeletedTombstone)
	lanes := []*lane{first}
	for i := range 11 {
		lanes = append(lanes, laneOf(t, first.db, first.seed, fmt.Sprintf("org-%d", i), config.DeletedTombstone))
	}
	for _, l := range lanes {
		l.connect()
	}
	for _, size := range []int32{1, 2, 3} {
		db, err := store.Open(t.Context(), first.seed.URL(), store.Options{Keys: storetest.Keys(t), MaxConns: size})
		require.NoError(t, err)
		defer db.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for _, l := range lanes {
			used := l.connection().Generation
			all.Go(func() {
				if err := db.RefreshConnection(ctx, l.id, used, func(context.Context, *store.Connection) (store.Refreshed, error) {
					return store.Refreshed{Access: "next"}, nil
				}); err != nil {
					t.Errorf("refresh with %d connections: %v", size, err)
				}
			})
		}
		all.Wait()
	}
	for _, l := range lanes {
		require.EqualValues(t, 4, l.connection().Generation)
	}
}

func TestRefreshOfNobody(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	never := func(context.Context, *store.Connection) (store.Refreshed, error) {
		t.Error("asked")
		return store.Refreshed{}, nil
	}
	require.Error(t, l.db.RefreshConnection(t.Context(), strings.Repeat("0", 16), 1, never))
	require.NoError(t, l.db.RefreshConnection(t.Context(), l.id, 0, never), "not connected yet: nothing to refresh")
}
