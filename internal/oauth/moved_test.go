package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
)

// old pretends that the session is not a new one.
func (b *bench) old() {
	b.Helper()
	b.seed.Exec(`update connections set granted_at = now() - interval '1 hour', refreshed_at = now() - interval '1 hour'`)
}

func TestOrgMovesToAnotherHost(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"redirect", "session", "snag"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect()
			b.old()
			moved := httptest.NewServer(b.sim)
			t.Cleanup(moved.Close)
			allow(t, b, moved.URL)
			b.knobs(func(k *simforce.Knobs) { k.WrongHost, k.Rotation = answer, "on" })
			require.NoError(t, b.sim.MoveInstance(moved.URL))
			org := b.svc.Org(b.id)
			for range 3 {
				_, err := org.Query(t.Context(), "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
				require.NoError(t, err)
			}
			require.Equal(t, moved.URL, b.connection().TokenURL)
			require.Equal(t, 1, b.count("token_refresh"))
		})
	}
}

// Whoever says that the org is elsewhere gets no token there.
func TestOrgMovesToAHostThatNobodyAllowed(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"redirect", "session", "snag"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect()
			b.old()
			var visits atomic.Int64
			foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
			t.Cleanup(foreign.Close)
			b.knobs(func(k *simforce.Knobs) { k.WrongHost = answer })
			require.NoError(t, b.sim.MoveInstance(foreign.URL))
			for range 3 {
				_, err := b.svc.Org(b.id).Query(t.Context(), "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
				b.refused(err, fault.Transient)
			}
			require.Zero(t, visits.Load())
			require.Equal(t, b.url, b.connection().TokenURL)
			require.True(t, b.active(b.connection().Refresh.Reveal()))
		})
	}
}

// An edge that says for hours that there is nobody must not make a login of each call.
func TestOutageIsNoReasonToRenewAgainAndAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.old()
	b.fail(simforce.Fault{Class: "html_420", Times: 100})
	org := b.svc.Org(b.id)
	for range 10 {
		_, err := org.Query(t.Context(), "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
		b.refused(err, fault.Transient)
	}
	require.LessOrEqual(t, b.count("token_refresh"), 2)
}
