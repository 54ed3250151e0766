package oauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// What makes this test binary a process that refreshes one token and can be killed.
const (
	refresherURL  = "OAUTH_TEST_DATABASE"
	refresherHost = "OAUTH_TEST_HOST"
	refresherID   = "OAUTH_TEST_INTEGRATION"
)

// refresher is that process.
func refresher() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := func() error {
		keys, err := secret.ParseKeyRing("test:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
		if err != nil {
			return err
		}
		db, err := store.Open(ctx, os.Getenv(refresherURL), store.Options{Keys: keys, MaxConns: 2})
		if err != nil {
			return err
		}
		defer db.Close()
		hosts, err := salesforce.NewHostPolicy([]string{os.Getenv(refresherHost)})
		if err != nil {
			return err
		}
		svc := &oauth.Service{Store: db, Hosts: hosts}
		_, err = svc.Tokens(os.Getenv(refresherID)).Refresh(ctx, 1)
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A process is killed when Salesforce has replaced the token and nothing is committed. It
// is the one moment at which a grant can be lost: that is found out, said plainly, and put
// right by connecting once.
func TestKilledBetweenAnswerAndCommit(t *testing.T) {
	t.Parallel()
	crash, binary := t.TempDir(), filepath.Join(t.TempDir(), "refresher")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-buildvcs=false", "-o", binary,
		"-ldflags", "-X salesforcesync/internal/crashpoint.dir="+crash, ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, c := range []struct {
		rotation string
		lost     bool
	}{{"on", true}, {"off", false}, {"echo", false}} {
		t.Run(c.rotation, func(t *testing.T) { // one after the other: they share the crash point
			b := newBench(t)
			b.knobs(func(k *simforce.Knobs) { k.Rotation = c.rotation })
			b.connect()
			require.NoError(t, os.WriteFile(filepath.Join(crash, crashpoint.TokenAnswered), nil, 0o600))
			host, err := url.Parse(b.url)
			require.NoError(t, err)
			process := exec.CommandContext(t.Context(), binary)
			process.Env = append(os.Environ(), refresherURL+"="+b.seed.URL(), refresherHost+"="+host.Host, refresherID+"="+b.id)
			out, err := process.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s", out)
			require.FileExists(t, filepath.Join(crash, crashpoint.TokenAnswered+".hit"))
			require.Equal(t, 1, b.count("token_refresh"))

			left := b.connection()
			require.Equal(t, store.ConnectionGranted, left.State, "nobody knows yet")
			require.EqualValues(t, 1, left.Generation)
			require.False(t, left.RefreshStarted.IsZero(), "but that an answer is missing is known")

			// The next process is not held up by the dead one.
			got, err := b.service(b.second()).Tokens(b.id).Refresh(t.Context(), 1)
			if !c.lost {
				require.NoError(t, err)
				require.EqualValues(t, 2, got.Generation)
				require.True(t, b.connection().RefreshStarted.IsZero())
				return
			}
			b.refused(err, fault.Reauthorize)
			lost := b.connection()
			require.Equal(t, store.ConnectionLost, lost.State)
			require.Contains(t, lost.LostReason, "never arrived")
			require.Contains(t, lost.LostReason, left.RefreshStarted.UTC().Format(time.RFC3339), "and when it was asked")
			require.Contains(t, lost.LostHint, "`starter connect support/prod`")
			refreshes := b.count("token_refresh")
			_, err = b.svc.Tokens(b.id).Token(t.Context())
			b.refused(err, fault.Reauthorize)
			require.Equal(t, refreshes, b.count("token_refresh"), "a dead grant is not used again")

			b.connect()
			require.Equal(t, store.ConnectionGranted, b.connection().State)
			require.True(t, b.connection().RefreshStarted.IsZero())
			_, err = b.svc.Org(b.id).Query(t.Context(), "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
			require.NoError(t, err)
		})
	}
}

// Forty activities of two processes call while sessions die under them. Nobody loses the
// grant, and each death costs one refresh.
func TestManyCallersWhileSessionsDie(t *testing.T) {
	t.Parallel()
	for _, rotation := range []string{"on", "off", "echo"} {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.knobs(func(k *simforce.Knobs) { k.Rotation, k.ReuseRevokes, k.RefreshKillsSession = rotation, true, "always" })
			b.connect()
			first := b.connection().Generation
			processes := []*oauth.Service{b.service(b.db), b.service(b.second())}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			var deaths, done atomic.Int64
			stop := make(chan struct{})
			killed := make(chan struct{})
			go func() {
				defer close(killed)
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
						if b.sim.KillSessions("") > 0 {
							deaths.Add(1)
						}
					}
				}
			}()
			errs := await(ctx, t, 40, func(i int) error {
				org := processes[i%2].Org(b.id)
				for range 25 {
					_, err := org.Query(ctx, "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
					// A session may die twice under one call; then the activity calls again.
					if err != nil && !fault.Is(err, fault.Transient) {
						return err
					}
					done.Add(1)
				}
				return nil
			})
			close(stop)
			<-killed
			require.NoError(t, errors.Join(errs...))
			c := b.connection()
			require.Equal(t, store.ConnectionGranted, c.State)
			refreshes := b.count("token_refresh")
			require.EqualValues(t, c.Generation-first, refreshes, "every refresh was committed")
			require.LessOrEqual(t, int64(refreshes), deaths.Load(), "no session was renewed twice")
			require.Positive(t, refreshes)
			require.True(t, b.active(c.Refresh.Reveal()), "the family survived")
			t.Logf("%d calls, %d deaths, %d refreshes", done.Load(), deaths.Load(), refreshes)
		})
	}
}
