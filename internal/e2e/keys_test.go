package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/simforce"
)

// TestKeyRotation brings a new key in and takes the old one out while two workers and authsvc go on: one process
// is restarted at a time, tokens are renewed at every look, and mail is written all along. Nothing is parked, no
// token is lost, nothing is missing or billed twice, and in the end nothing that is stored knows the old key.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	var shortLived atomic.Bool
	s := newStackWith(t, simforce.Options{Generate: 40, Seed: 5}, func(s *stack) {
		s.wrap = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				// A session does not live from one look to the next. It ends with a look, not after a time: where everything
				// takes longer it could end twice under one call.
				if shortLived.Load() && strings.Contains(r.URL.Path, "/composite") {
					s.sim.KillSessions("")
				}
			})
		}
	})
	ledger := &ledger{s: s}
	k1, k2 := s.variable("ENCRYPTION_KEYS"), "k2:"+randomKey()
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation = "on" })) // each refresh token is good once
	shortLived.Store(true)
	s.apply("prod", strings.Replace(file(s, ""), "poll_interval: 2s", "poll_interval: 1s", 1))
	s.connect(name, simforce.SyncUser)
	s.equal(source)
	units := len(s.expected(nil))
	ledger.is(units)
	processes := []*rolling{{"worker", s.worker}, {"worker", s.start("worker")}, {"authsvc", s.authsvc}}

	watched := s.watchStates()
	written := s.keepWriting()
	renewals := func() (n int) {
		s.sql(&n, `select generation from connections`)
		return n
	}
	roll := func(step, ring string) {
		t.Helper()
		for _, p := range processes {
			p.restart(s, ring)
			before := renewals()
			s.eventually("tokens are renewed with "+step+" in some programs", func() error {
				if renewals() == before {
					return errors.New("not yet")
				}
				return nil
			})
		}
	}

	// The wrong order is refused while nothing has happened.
	s.setVariable("ENCRYPTION_KEYS", k2+","+k1)
	out, talk, code := s.tryStarter("keys", "rotate", "--apply")
	require.Equal(t, 2, code, "%s%s", out, talk)
	require.Contains(t, talk, "could not open what key k2 seals: authsvc")
	require.Contains(t, talk, "worker")

	roll("k1,k2", k1+","+k2)
	roll("k2,k1", k2+","+k1)
	out, talk, code = s.tryStarter("keys", "rotate")
	require.Zero(t, code, talk)
	require.Regexp(t, `(?m)^k1 +yes +1 consumer secrets +authsvc, worker$`, out, "tokens are sealed anew as they are renewed, the secret is not")
	require.Contains(t, talk, "1 values would be sealed anew with k2\nnext: starter keys rotate --apply")
	var done struct {
		Resealed  int
		Removable []string
	}
	require.NoError(t, json.Unmarshal([]byte(s.starter("keys", "rotate", "--apply", "--json")), &done))
	require.Equal(t, []string{"k1"}, done.Removable)
	require.Positive(t, done.Resealed)
	roll("k2", k2)
	s.setVariable("ENCRYPTION_KEYS", k2)

	units += written()
	s.equal(source)
	ledger.is(units)
	states := watched()
	require.NotEmpty(t, states)
	for state := range states {
		require.Regexp(t, `^(idle|syncing) \|`, state, "nothing waited for anybody")
	}
	require.Empty(t, s.refusedTokens(), "each refresh token was used once")

	// What is stored knows the new key only, in columns that rotation knows.
	dump := s.dump()
	require.False(t, strings.Contains(dump, "v1:k1:"), "something is sealed with the old key")
	var listed struct{ Keys []struct{ Values int } }
	require.NoError(t, json.Unmarshal([]byte(s.starter("keys", "list", "--json")), &listed))
	require.Len(t, listed.Keys, 1)
	sealed := regexp.MustCompile(`v1:[A-Za-z0-9_-]{1,64}:[A-Za-z0-9+/]{30}`).FindAllString(dump, -1)
	require.Len(t, sealed, listed.Keys[0].Values, "nothing is sealed that rotation does not know")
	t.Logf("%d renewals of a token that is good once, %d records written meanwhile, states seen: %v", renewals(), units, states)
}

// rolling is a process that is restarted with another key ring.
type rolling struct {
	program string
	process *devstack.Process
}

func (r *rolling) restart(s *stack, keys string) {
	s.t.Helper()
	require.NoError(s.t, r.process.Stop())
	before := s.env
	s.setVariable("ENCRYPTION_KEYS", keys)
	r.process = s.start(r.program)
	s.env = before
	// What another program does in the meantime says nothing of this one.
	s.eventually(r.program+" runs again", func() error {
		if !strings.Contains(r.process.Tail(50), `"msg":"running"`) {
			return errors.New("not yet")
		}
		return nil
	})
}

// variable is what the programs' environment has.
func (s *stack) variable(name string) string {
	for _, v := range s.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// setVariable gives programs that are started from now on another value.
func (s *stack) setVariable(name, value string) {
	env := make([]string, 0, len(s.env))
	for _, v := range s.env {
		if !strings.HasPrefix(v, name+"=") {
			env = append(env, v)
		}
	}
	s.env = append(env, name+"="+value)
}

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// watchStates notes every state that the integration and its objects are in, until what it returns is called.
func (s *stack) watchStates() func() map[string]int {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	states := map[string]int{}
	var group sync.WaitGroup
	group.Go(func() {
		conn, err := pgx.Connect(ctx, s.pg.URL())
		if err != nil {
			s.t.Errorf("watch the states: %v", err)
			return
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for ctx.Err() == nil {
			var state string
			err := conn.QueryRow(ctx, `
				select i.status || ' |' || coalesce(string_agg(o.fault_kind || o.fault_message, ' '), '') || '| ' || c.state
				from integrations i join connections c on c.integration_id = i.id left join objects o on o.integration_id = i.id
				group by i.id, c.integration_id`).Scan(&state)
			if err == nil {
				states[state]++
			} else if ctx.Err() == nil {
				s.t.Errorf("watch the states: %v", err)
				return
			}
			pause(ctx, 30*time.Millisecond)
		}
	})
	return func() map[string]int { stop(); group.Wait(); return states }
}

// keepWriting writes mails and texts, no text twice, until what it returns is called, which says how many units that costs.
func (s *stack) keepWriting() func() int {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	mails := slices.DeleteFunc(s.rows("EmailMessage"), func(m simforce.Row) bool {
		return m["IsDeleted"] == true || m["Status"] == "5" || m["IsPrivateDraft"] == true
	})
	units := 0
	var group sync.WaitGroup
	group.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			var err error
			if n%4 == 0 && n/4 < len(mails) {
				_, err = s.sim.UpdateRecord("EmailMessage", mails[n/4]["Id"].(string), simforce.Write{Fields: simforce.Row{"HtmlBody": nil, "TextBody": fmt.Sprintf("Changed in between, number %d", n)}})
			} else {
				_, err = s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "New mail", "TextBody": fmt.Sprintf("Written in between, number %d", n), "FromAddress": "a@example.com",
					"ToAddress": "b@example.com", "Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
			}
			if err != nil {
				s.t.Errorf("write a mail: %v", err)
				return
			}
			units++
			pause(ctx, 100*time.Millisecond)
		}
	})
	return func() int { stop(); group.Wait(); return units }
}

// refusedTokens lists the refusals of the token endpoint.
func (s *stack) refusedTokens() (refused []string) {
	for _, r := range s.sim.Requests() {
		if strings.HasSuffix(r.Path, "/oauth2/token") && r.Status >= 400 {
			refused = append(refused, fmt.Sprint(r.Status, " ", r.Time))
		}
	}
	return refused
}

// dump is everything in the product's database, as text.
func (s *stack) dump() string {
	s.t.Helper()
	out, err := s.pg.Install().Dump(s.t.Context(), s.pg.URL())
	require.NoError(s.t, err)
	require.True(s.t, strings.Contains(out, "PostgreSQL database dump complete"), "it is whole")
	return out
}
