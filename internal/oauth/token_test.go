package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func storeKeys(t *testing.T) *secret.KeyRing { return storetest.Keys(t) }

func TestRefreshByRotation(t *testing.T) {
	t.Parallel()
	for _, rotation := range []string{"off", "on", "echo"} {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.knobs(func(k *simforce.Knobs) { k.Rotation = rotation })
			b.connect()
			b.seed.Exec(`update integrations set status = 'idle'`)
			tokens := b.svc.Tokens(b.id)
			last := b.connection()
			for range 3 {
				got, err := tokens.Refresh(t.Context(), last.Generation)
				require.NoError(t, err)
				c := b.connection()
				require.Equal(t, last.Generation+1, c.Generation)
				require.WithinDuration(t, time.Now(), got.Since, 10*time.Second)
				got.Since = time.Time{}
				require.Equal(t, salesforce.Token{Access: c.Access, InstanceURL: b.url, Generation: c.Generation}, got)
				require.NotEqual(t, last.Access, c.Access)
				require.Equal(t, rotation == "on", last.Refresh != c.Refresh)
				require.True(t, c.RefreshStarted.IsZero())
				require.True(t, b.active(c.Access.Reveal()))
				require.True(t, b.active(c.Refresh.Reveal()))
				last = c
			}
			require.Equal(t, 3, b.count("token_refresh"))
			// An old generation gets the newest token and asks nobody.
			got, err := tokens.Refresh(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, last.Generation, got.Generation)
			require.Equal(t, 3, b.count("token_refresh"))
			require.Len(t, b.outbox(), 1, "a refresh of a running integration signals nobody")
		})
	}
}

func TestManyRefreshersAskOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knobs(func(k *simforce.Knobs) { k.Rotation, k.ReuseRevokes, k.LatencyMS = "on", true, 30 })
	b.connect()
	processes := []*oauth.Service{b.service(b.db), b.service(b.second())}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for round := range int64(3) {
		b.sim.ResetCounters()
		got := make([]salesforce.Token, 20)
		for _, err := range await(ctx, t, len(got), func(i int) (err error) {
			got[i], err = processes[i%2].Tokens(b.id).Refresh(ctx, round+1)
			got[i].Since = time.Time{}
			return err
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, 1, b.count("token_refresh"))
		for _, g := range got {
			require.Equal(t, got[0], g)
			require.Equal(t, round+2, g.Generation)
		}
	}
	c := b.connection()
	require.True(t, b.active(c.Refresh.Reveal()), "the family survived")
	require.True(t, b.active(c.Access.Reveal()))
}

// Every session of a process may end in the same second; more refreshes than the pool has connections.
func TestManyConnectionsRefreshAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knobs(func(k *simforce.Knobs) { k.LatencyMS = 20 })
	var ids []string
	for i := range 24 {
		b.id = b.apply(fmt.Sprintf("prod-%d", i))
		b.connect()
		ids = append(ids, b.id)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for _, err := range await(ctx, t, len(ids), func(i int) error {
		_, err := b.svc.Tokens(ids[i]).Refresh(ctx, 1)
		return err
	}) {
		require.NoError(t, err)
	}
	require.Equal(t, len(ids), b.count("token_refresh"))
}

func TestPermanentErrorLosesTheConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.sim.RevokeGrants(simforce.SyncUser)
	_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	b.refused(err, fault.Reauthorize)
	c := b.connection()
	require.Equal(t, store.ConnectionLost, c.State)
	require.Contains(t, c.LostReason, "no longer accepts the grant")
	require.Contains(t, c.LostReason, "expired access/refresh token")
	require.Contains(t, c.LostHint, "`starter connect support/prod`")
	require.NotContains(t, c.LostReason, "never arrived")

	// Nobody asks again with a grant that is gone.
	_, err = b.svc.Tokens(b.id).Token(t.Context())
	b.refused(err, fault.Reauthorize)
	require.ErrorContains(t, err, "no longer accepts")
	require.Contains(t, fault.HintOf(err), "starter connect support/prod")
	_, err = b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	b.refused(err, fault.Reauthorize)
	require.Equal(t, 1, b.count("token_refresh"))

	b.connect()
	_, err = b.svc.Tokens(b.id).Token(t.Context())
	require.NoError(t, err)
	require.Len(t, b.outbox(), 2)
}

func TestPassingTroubleDoesNotLoseTheConnection(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*bench){
		"server error": func(b *bench) { b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 500}) },
		"page": func(b *bench) {
			b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 200, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>hm</html>"})
		},
		"page with 400": func(b *bench) {
			b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 400, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>hm</html>"})
		},
		"dropped": func(b *bench) { b.fail(simforce.Fault{PathPrefix: tokenPath, Drop: true}) },
		"busy": func(b *bench) {
			b.knobs(func(k *simforce.Knobs) {
				k.TokenError = &simforce.OAuthFault{Error: "invalid_grant", Description: "token request is already being processed", Times: 1}
			})
		},
		"login hours": func(b *bench) {
			b.knobs(func(k *simforce.Knobs) {
				k.TokenError = &simforce.OAuthFault{Error: "invalid_grant", Description: "invalid login hours", Times: 1}
			})
		},
		"timeout": func(b *bench) {
			b.wire.set(func(r *http.Request, resp *http.Response) (*http.Response, error) {
				if r.URL.Path != tokenPath {
					return resp, nil
				}
				resp.Body.Close()
				return nil, context.DeadlineExceeded
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect()
			before := b.connection()
			set(b)
			_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
			b.refused(err, fault.Transient)
			c := b.connection()
			require.Equal(t, store.ConnectionGranted, c.State)
			require.Equal(t, before.Generation, c.Generation)
			require.Equal(t, before.Refresh, c.Refresh)
			b.wire.set(nil)
			got, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
			require.NoError(t, err)
			require.EqualValues(t, 2, got.Generation)
		})
	}
}

func TestRateLimitIsNotALoss(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.knobs(func(k *simforce.Knobs) {
		k.TokenError = &simforce.OAuthFault{Error: "rate_limit_exceeded", Description: "login rate exceeded", Times: 1}
	})
	_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	b.refused(err, fault.RateLimited)
	require.Equal(t, store.ConnectionGranted, b.connection().State)

	// Salesforce did answer: a revocation afterwards must not be told as a lost answer.
	b.sim.RevokeGrants("")
	_, err = b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	b.refused(err, fault.Reauthorize)
	require.NotContains(t, b.connection().LostReason, "never arrived")
}

func TestLostAnswerOfARotationIsSaidPlainly(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*bench){
		"connection dropped": func(b *bench) { b.fail(simforce.Fault{PathPrefix: tokenPath, Stage: "after", Drop: true}) },
		"answer unreadable": func(b *bench) {
			b.wire.set(func(r *http.Request, resp *http.Response) (*http.Response, error) {
				if r.URL.Path == tokenPath {
					resp.Body.Close()
					return nil, errors.New("connection reset by peer")
				}
				return resp, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.knobs(func(k *simforce.Knobs) { k.Rotation = "on" })
			b.connect()
			lose(b)
			_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
			b.refused(err, fault.Transient)
			require.False(t, b.connection().RefreshStarted.IsZero())
			b.wire.set(nil)
			_, err = b.svc.Tokens(b.id).Refresh(t.Context(), 1)
			b.refused(err, fault.Reauthorize)
			c := b.connection()
			require.Equal(t, store.ConnectionLost, c.State)
			require.Contains(t, c.LostReason, "never arrived")
			require.Contains(t, c.LostHint, "starter connect support/prod")
			b.connect()
			require.True(t, b.connection().RefreshStarted.IsZero())
			_, err = b.svc.Tokens(b.id).Refresh(t.Context(), b.connection().Generation)
			require.NoError(t, err)
		})
	}
}

func TestInstanceMoves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	moved := httptest.NewServer(b.sim)
	t.Cleanup(moved.Close)
	allow(t, b, moved.URL)
	b.knobs(func(k *simforce.Knobs) { k.InstanceURL = moved.URL })
	got, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, moved.URL, got.InstanceURL)
	require.Equal(t, moved.URL, b.connection().TokenURL)

	// An address that may not see a token is not taken over; the tokens are.
	b.knobs(func(k *simforce.Knobs) { k.InstanceURL, k.Rotation = "https://evil.example", "on" })
	before := b.connection()
	got, err = b.svc.Tokens(b.id).Refresh(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, moved.URL, got.InstanceURL)
	require.NotEqual(t, before.Refresh, b.connection().Refresh)
}

// allow adds hosts to those of the simulator.
func allow(t *testing.T, b *bench, addresses ...string) {
	t.Helper()
	var hosts []string
	for _, a := range append(addresses, b.url) {
		u, err := url.Parse(a)
		require.NoError(t, err)
		hosts = append(hosts, u.Host)
	}
	var err error
	b.svc.Hosts, err = salesforce.NewHostPolicy(hosts)
	require.NoError(t, err)
}

func TestRedirectOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	redirect := func(to string) simforce.Fault {
		return simforce.Fault{PathPrefix: tokenPath, Status: 302, Headers: map[string]string{"Location": to}}
	}
	t.Run("to an allowed host", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		other := httptest.NewServer(b.sim)
		t.Cleanup(other.Close)
		allow(t, b, other.URL)
		b.fail(redirect(other.URL + tokenPath + "?x=1"))
		b.connect()
		require.Equal(t, 2, b.count("token_code"))
		b.fail(redirect(other.URL + tokenPath))
		_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 2, b.count("token_refresh"))
	})
	t.Run("to a foreign host", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var visits atomic.Int32
		foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
		t.Cleanup(foreign.Close)
		b.connect()
		for _, to := range []string{foreign.URL + tokenPath, foreign.URL, "http://login.salesforce.com" + tokenPath, ""} {
			b.fail(redirect(to))
			_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
			b.refused(err, fault.Transient)
			require.Equal(t, store.ConnectionGranted, b.connection().State)
		}
		require.Zero(t, visits.Load(), "nothing was sent there")
		require.Equal(t, 4, b.count("token_refresh"))
	})
	t.Run("in circles", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.connect()
		f := redirect(b.url + tokenPath)
		f.Times = 5
		b.fail(f)
		_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
		b.refused(err, fault.Transient)
		require.Equal(t, 2, b.count("token_refresh"), "one redirect is followed")
	})
}

func TestRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knobs(func(k *simforce.Knobs) { k.Rotation = "on" })
	b.connect()
	before := b.connection()
	ctx, cancel := context.WithCancel(t.Context())
	b.wire.set(func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.URL.Path == tokenPath {
			cancel() // rotated, and the caller is gone
		}
		return resp, nil
	})
	_, err := b.svc.Tokens(b.id).Refresh(ctx, 1)
	if err != nil {
		b.clean(err)
	}
	c := b.connection()
	require.Equal(t, before.Generation+1, c.Generation, "the answer was committed")
	require.NotEqual(t, before.Refresh, c.Refresh)
	require.True(t, c.RefreshStarted.IsZero())
	require.True(t, b.active(c.Refresh.Reveal()))
	_, err = b.svc.Tokens(b.id).Refresh(t.Context(), c.Generation)
	require.NoError(t, err)
}

func TestRefreshOfAParkedIntegrationSignals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.seed.Exec(`update integrations set status = 'awaiting_authorization'`)
	_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{"integration/support/prod token-granted", "integration/support/prod token-refreshed"}, b.outbox())
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	given := b.connection()
	require.NoError(t, b.svc.Disconnect(t.Context(), b.id))
	require.False(t, b.active(given.Refresh.Reveal()))
	require.False(t, b.active(given.Access.Reveal()))
	c := b.connection()
	require.Equal(t, store.ConnectionDisconnected, c.State)
	require.Empty(t, c.Access)
	require.Empty(t, c.Refresh)
	require.Equal(t, given.OrgID, c.OrgID, "the integration stays bound to its org")
	require.Equal(t, store.DesiredDisconnected, c.Desired)
	_, err := b.svc.Tokens(b.id).Token(t.Context())
	b.refused(err, fault.Reauthorize)
	_, err = b.svc.Tokens(b.id).Refresh(t.Context(), given.Generation)
	b.refused(err, fault.Reauthorize)
	require.Zero(t, b.count("token_refresh"))
	require.NoError(t, b.svc.Disconnect(t.Context(), b.id), "again changes nothing")
	require.Equal(t, 1, b.count("revoke"))

	b.connect()
	require.Equal(t, "running", b.connection().Desired)
}

func TestDisconnectWhenSalesforceIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.fail(simforce.Fault{PathPrefix: revokePath, Status: 503})
	err := b.svc.Disconnect(t.Context(), b.id)
	b.refused(err, fault.Transient)
	require.Contains(t, fault.HintOf(err), "Salesforce Setup")
	require.Empty(t, b.connection().Refresh, "erased here all the same")
	require.Equal(t, store.ConnectionDisconnected, b.connection().State)
}

// A refresh that is under way when the access is given back must not leave a token behind.
func TestDisconnectDuringARefresh(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knobs(func(k *simforce.Knobs) { k.Rotation, k.ReuseRevokes = "on", false })
	b.connect()
	var once atomic.Bool
	b.wire.set(func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.URL.Path == tokenPath && once.CompareAndSwap(false, true) {
			if err := b.service(b.db).Disconnect(context.WithoutCancel(r.Context()), b.id); err != nil {
				return nil, err
			}
		}
		return resp, nil
	})
	_, err := b.svc.Tokens(b.id).Refresh(t.Context(), 1)
	b.refused(err, fault.Reauthorize)
	require.Equal(t, store.ConnectionDisconnected, b.connection().State)
	require.Zero(t, b.sim.RevokeGrants(""), "no grant is left at Salesforce")
}
