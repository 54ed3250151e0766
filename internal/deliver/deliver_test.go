package deliver

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/api"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/tenant"
)

// The other side is this product's own API on another database: what it has in the end is what we
// have, field by field, and its bill is one unit per text.
func TestDeliversToOurOwnAPI(t *testing.T) {
	t.Parallel()
	there, seed := storetest.NewSeed(t)
	target := seed.Source(seed.Project("cm.project"), "mail")
	users := access.New(there)
	_, err := users.CreateUser(t.Context(), "robot@example.com", "", []store.Grant{
		{Project: "cm.project", Permission: access.SourcesAddComments}, {Project: "cm.project", Permission: access.SourcesRead}})
	require.NoError(t, err)
	robot, err := users.CreateToken(t.Context(), "robot@example.com", "test", time.Time{})
	require.NoError(t, err)
	server := httptest.NewServer(request.Handler(api.New(there, users, api.Options{}), func(request.Record) {}))
	t.Cleanup(server.Close)
	b := setup(t, server)
	b.spec.Destination.Endpoint, b.spec.Destination.Token = server.URL, robot
	b.apply()

	at := noon.Add(123456 * time.Microsecond)
	b.seed.Comment(b.source, comment.Comment{ID: "a+b%c:d", Timestamp: at, ThreadID: "5f", Messages: []comment.Message{{
		Body: comment.Text{Text: "<b>hi</b> & \u2028 bye"}, Subject: &comment.Text{Text: "s"}, Signature: &comment.Text{Text: "-- \nA"},
		From: "Ann <a@b.c>", To: []string{"d@e.f"}, Cc: []string{"g@h.i"}, SentAt: &at, Language: "en"}, {Body: comment.Text{}}},
		Properties: comment.Properties{"string:Case Number": "00001026", "number:Priority": 2.0, "number:Half": -0.5}})
	b.mails(300)
	stop := b.run()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		id := fmt.Sprintf("c%03d", random.IntN(300))
		switch random.IntN(4) {
		case 0:
			b.entomb(id)
		default:
			b.rewrite(id, fmt.Sprint(n+2))
		}
	}
	d := b.delivered()
	stop()
	require.Equal(t, live(t, b.db, b.source), live(t, there, target))
	require.Equal(t, d.Counts.Sent, d.Counts.New+d.Counts.Updated+d.Counts.Unchanged)
	require.Zero(t, d.Counts.Uncounted)
	require.Equal(t, fmt.Sprint(d.Counts.New+d.Counts.TextChanged), seed.Strings(`select sum(units)::text from ledger`)[0], "their bill is what the tenant's answers say")

	b.service.CompareEvery = time.Millisecond // they may have been compared in between, when it was idle for a moment
	b.run()
	b.eventually(func() bool { d = b.delivery(); return d.ComparedAt != nil && d.ComparedAt.After(*d.SentAt) }, "the counts are compared")
	require.Equal(t, *d.OwnComments, *d.TenantComments)
	require.EqualValues(t, len(b.ours()), *d.OwnComments)
}

// live are a source's comments as they are sent.
func live(t *testing.T, db *store.Store, sourceID string) map[string]string {
	t.Helper()
	out := map[string]string{}
	q := store.CommentQuery{SourceID: sourceID, Limit: 256}
	for more := true; more; {
		var page []store.StoredComment
		var err error
		page, more, err = db.Comments(t.Context(), q)
		require.NoError(t, err)
		for _, c := range page {
			raw, err := tenant.Encode(c.Comment)
			require.NoError(t, err)
			out[c.ID] = string(raw)
			q.After = &store.CommentKey{Timestamp: c.Timestamp, ID: c.ID}
		}
	}
	return out
}

// Whatever the tenant does between taking a call and answering it: in the end it has what we have,
// no comment ever went back to an older text, and once it is well nothing is left.
func TestDeliversToATenantThatMisbehaves(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	random := rand.New(rand.NewPCG(3, 4))
	moods := []func(int, http.ResponseWriter, *http.Request, []string) bool{
		fails(500, `{"status":"error","message":"oops"}`), fails(502, `<html>bad gateway</html>`), fails(503, ``, "Retry-After", "0"),
		fails(429, `{"status":"error"}`), fails(409, `{"status":"error"}`), fails(408, ``),
		fails(200, `{"status":"error","message":"not now"}`), fails(200, `<html>sign in</html>`), fails(200, ``), fails(204, ``),
		fails(200, `{"status":"ok","new":-1,"updated":5,"unchanged":0}`), fails(200, `{"status":"ok","new":1000,"updated":0,"unchanged":0}`),
		breaks, fails(200, strings.Repeat(" ", 1<<20)+`{"status":"ok"}`),
	}
	tried := map[int]bool{}
	misbehave := func(call int, w http.ResponseWriter, r *http.Request, ids []string) bool {
		if random.IntN(3) == 0 {
			return false
		}
		mood := random.IntN(len(moods))
		tried[mood] = true
		return moods[mood](call, w, r, ids)
	}
	s.before = func(call int, w http.ResponseWriter, r *http.Request, ids []string) bool {
		return random.IntN(2) == 0 && misbehaveBefore(random, call, w, r, ids)
	}
	s.after = misbehave
	b.run()
	enough := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.calls > 100 && len(tried) == len(moods)
	}
	for n, end := 0, time.Now().Add(patience); n < 40 || !enough(); n++ {
		require.True(t, time.Now().Before(end), "it was tried enough")
		id := fmt.Sprintf("c%03d", n*7919%40)
		switch {
		case n < 40:
			b.mail(fmt.Sprintf("c%03d", n), "1")
			b.notify()
		case n%7 == 0:
			b.entomb(id)
		default:
			b.rewrite(id, fmt.Sprint(n))
		}
	}
	s.set(func() { s.before, s.after = nil, nil })
	d := b.delivered()
	require.Equal(t, b.ours(), s.has())
	require.Empty(t, s.order, "no comment went back to an older text")
	require.Zero(t, d.Undeliverable)
	require.Empty(t, b.errs, "what a tenant does is no failure of ours")
}

// misbehaveBefore is trouble before the call is acted on.
func misbehaveBefore(random *rand.Rand, call int, w http.ResponseWriter, r *http.Request, ids []string) bool {
	return []func(int, http.ResponseWriter, *http.Request, []string) bool{
		fails(500, ``), fails(503, `{}`), fails(429, `{"status":"error"}`), breaks,
	}[random.IntN(4)](call, w, r, ids)
}

func TestSetsASideWhatTheTenantRefuses(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.refuse = func(id, body string) string {
		if strings.Contains(body, "poison") {
			return "comment " + id + ": " + body + " is not allowed"
		}
		return ""
	}
	b := setup(t, s.server)
	b.mails(100)
	b.rewrite("c017", "poison one")
	b.rewrite("c050", "poison two")
	b.rewrite("c051", "poison three")
	b.run()
	d := b.delivered()
	require.EqualValues(t, 3, d.Undeliverable)
	require.EqualValues(t, 97, d.Counts.New)
	require.Len(t, s.has(), 97, "the others go on")
	refused, err := b.db.ListUndeliverable(t.Context(), b.id, 10)
	require.NoError(t, err)
	require.Equal(t, store.Refusal{ID: "c017", Message: "comment c017: poison one is not allowed"}, refused[0])
	require.NotContains(t, fmt.Sprint(b.shown()), "poison", "what the tenant says may repeat a comment, and history is kept")

	b.rewrite("c017", "cured")
	b.entomb("c050")
	b.eventually(func() bool { return b.delivery().Undeliverable == 1 }, "what changes is tried again, and what is gone is forgotten")
	require.Equal(t, "cured", s.has()["c017"])

	s.set(func() { s.refuse = nil })
	b.spec.Destination.Token = "re_another"
	require.True(t, b.apply().TokenChanged)
	b.eventually(func() bool { return b.delivery().Undeliverable == 0 }, "after a change of the file it is tried again as it is")
	b.delivered()
	require.Equal(t, b.ours(), s.has())
}

// A tenant that refuses everything is not told of millions of comments one by one.
func TestParksWhenEverythingIsRefused(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.refuse = func(string, string) string { return "no_charge is not known here" }
	b := setup(t, s.server)
	b.mails(128)
	b.run()
	b.inState(flow.StateConfigInvalid)
	d := b.delivery()
	require.Zero(t, d.Undeliverable, "nothing is set aside")
	require.Equal(t, store.Place{}, d.At)
	require.Contains(t, d.Reason, "refuses one comment after the other")
	require.Equal(t, "no_charge is not known here", d.Said)
	require.Less(t, s.calls, 60)
	s.set(func() { s.refuse = nil })
	require.NoError(t, b.db.RequestSync(t.Context(), b.id))
	b.delivered()
	require.Len(t, s.has(), 128)
}

func TestParksUntilSomebodyActs(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a token went to another host")
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request, []string) bool
		says   string
		hint   string
	}{
		"401":        {fails(401, `{"status":"error","message":"bad token `+token+`"}`), "does not take the token", "destination.token_env"},
		"403":        {fails(403, `{"status":"error"}`), "may not write", "sources-add-comments"},
		"404":        {fails(404, `<html>`), "no source cm.project/mail", "create the source there"},
		"a redirect": {fails(307, ``, "Location", elsewhere.URL+"/"), "another address", "own address"},
		"405":        {fails(405, ``), "refuses the call", "endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t)
			s.before = c.answer
			b := setup(t, s.server)
			b.mails(3)
			b.run()
			b.inState(flow.StateConfigInvalid)
			d := b.delivery()
			require.Contains(t, d.Reason, c.says)
			require.Contains(t, d.Hint, c.hint)
			require.NotContains(t, fmt.Sprint(*d), token, "the token is nowhere")
			require.NotNil(t, d.RetryAt)
			require.Equal(t, 1, s.calls, "it is not tried again before somebody acts")
			s.set(func() { s.before = nil })
			require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredRunning))
			b.delivered()
			require.Len(t, s.has(), 3)
			require.Empty(t, b.delivery().Reason)
		})
	}
}

// Some refusals are gone with the next call: nobody has to act on those.
func TestARefusalInPassingIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.before = func(call int, w http.ResponseWriter, r *http.Request, ids []string) bool {
		return call <= 3 && fails(403, `{"status":"error"}`)(call, w, r, ids)
	}
	b := setup(t, s.server)
	b.service.Refused = 300 * time.Millisecond
	b.mails(3)
	began := time.Now()
	b.run()
	b.inState(flow.StateConfigInvalid)
	b.delivered()
	require.Len(t, s.has(), 3)
	require.GreaterOrEqual(t, time.Since(began), 2100*time.Millisecond, "300, 600 and 1200 ms")
	require.Zero(t, b.delivery().Failures)
}

func TestATenantThatIsAwayCostsNothingButDelay(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.before = func(_ int, w http.ResponseWriter, _ *http.Request, _ []string) bool { panic(http.ErrAbortHandler) }
	b := setup(t, s.server)
	b.service.Longest = time.Hour
	b.mails(5)
	b.run()
	b.inState(flow.StateBackingOff)
	d := b.delivery()
	require.Contains(t, d.Reason, "the tenant does not answer")
	for n := range 20 {
		b.rewrite("c001", fmt.Sprint(n+2))
	}
	behind, err := b.db.Behind(t.Context(), d)
	require.NoError(t, err)
	require.EqualValues(t, 5, behind.Changes, "each once, however often it changed")
	require.NotNil(t, behind.Since)
	s.set(func() { s.before = nil })
	require.NoError(t, b.db.Steer(t.Context(), "support", "prod", flow.SignalSyncNow))
	b.delivered()
	require.Equal(t, "21", s.has()["c001"])

	t.Run("Retry-After is respected", func(t *testing.T) {
		s.set(func() { s.before = fails(429, `{"status":"error"}`, "Retry-After", "1800") })
		b.rewrite("c001", "30")
		b.eventually(func() bool { d = b.delivery(); return d.RetryAt != nil && time.Until(*d.RetryAt) > 25*time.Minute }, "it waits as long as it is told to")
		require.Contains(t, d.Reason, "slow down")
	})
}

func TestPauseDisconnectAndTheEnd(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	b.mails(3)
	b.run()
	b.delivered()
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredPaused))
	b.inState(flow.StatePaused)
	calls := s.calls
	b.rewrite("c000", "2")
	b.eventually(func() bool {
		behind, err := b.db.Behind(t.Context(), b.delivery())
		return err == nil && behind.Changes == 1
	}, "it is behind")
	require.Equal(t, calls, s.calls, "nothing is sent while it is paused")
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredRunning))
	b.eventually(func() bool { return s.has()["c000"] == "2" }, "it goes on")

	// Somebody else's work of before is not noted: it is done again, and changes nothing there.
	s.set(func() {
		s.after = func(int, http.ResponseWriter, *http.Request, []string) bool {
			b.seed.Exec(`update deliveries set holder = 'other', held_until = now() + interval '200 milliseconds'`)
			s.after = nil
			return false
		}
	})
	before := b.delivered().Counts
	b.rewrite("c001", "2")
	d := b.delivered()
	require.Equal(t, before.Unchanged+1, d.Counts.Unchanged)
	require.True(t, fault.Is(b.errs[0], fault.Fenced, fault.Transient))

	// So is everything after a restore of the database.
	b.seed.Exec(`update deliveries set life = 'another'`)
	require.Equal(t, store.Place{}, b.delivery().At)
	b.notify()
	b.eventually(func() bool { return b.delivered().Counts.Unchanged == d.Counts.Unchanged+3 }, "all are sent again")

	b.spec.Destination = nil
	b.apply()
	b.inState(flow.StateCancelled)
	require.Nil(t, b.delivery())
	require.Len(t, s.has(), 3, "what was delivered stays there")
}

// Everything is delivered once more when somebody asks for it, in the middle of a delivery too: a page that
// was on its way does not count as the place that was reached.
func TestAllIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	b.mails(300)
	before := 0 // sent when it was asked for
	s.after = func(call int, _ http.ResponseWriter, _ *http.Request, ids []string) bool {
		if call <= 2 {
			before += len(ids)
		}
		if call == 2 {
			require.NoError(t, b.db.DeliverAgain(t.Context(), b.id))
		}
		return false
	}
	b.run()
	counts := b.delivered().Counts
	require.EqualValues(t, 300, counts.New)
	require.EqualValues(t, before, counts.Unchanged, "what was sent before is sent again")
	require.Greater(t, before, 200)
	s.set(func() {
		s.after = nil
		delete(s.comments, "c007")
		delete(s.comments, "c123")
		s.comments["c200"] = "an older copy"
	})
	b.entomb("c299")
	b.delivered()
	require.Len(t, s.has(), 297)

	require.NoError(t, b.db.DeliverAgain(t.Context(), b.id))
	d := b.delivered()
	require.Equal(t, b.ours(), s.has())
	require.EqualValues(t, 302, d.Counts.New)
	require.EqualValues(t, 1, d.Counts.Updated)
	b.eventually(func() bool { return b.delivery().ComparedAt != nil }, "the counts are compared anew")
	require.Empty(t, b.errs, "nobody was fenced")

	totals, err := b.db.DeliveryTotals(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.DeliveryTotals{States: map[string]int64{flow.StateIdle: 1}, Counts: d.Counts}, totals)
	s.set(func() { s.before = fails(503, "away") })
	b.seed.Exec(`update comments set last_modified = now() - interval '1 hour', changed = pg_current_xact_id() where id = 'c001'`)
	b.notify()
	b.inState(flow.StateBackingOff)
	b.seed.Exec(`insert into undeliverable (integration_id, comment_id, message) values ($1, 'c002', 'no')`, b.id)
	totals, err = b.db.DeliveryTotals(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 3600, totals.Behind.Seconds(), 60)
	require.EqualValues(t, 1, totals.Undeliverable)
	require.Equal(t, map[string]int64{flow.StateBackingOff: 1}, totals.States)
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredPaused))
	totals, err = b.db.DeliveryTotals(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int64{flow.StatePaused: 1}, totals.States, "as people are shown it")

	b.spec.Destination = nil
	b.apply()
	require.Equal(t, fault.NotFound, fault.KindOf(b.db.DeliverAgain(t.Context(), b.id)))
}

// Whoever looks for news is told of a delivery that nobody looks after, and of no other.
func TestADeliveryThatNobodyLooksAfterIsSeen(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	seen := func() bool {
		target, err := b.db.LoadTarget(t.Context(), "support", "prod")
		require.NoError(t, err)
		return target.Undelivered
	}
	require.True(t, seen(), "nobody has begun")
	stop := b.run()
	b.delivered()
	require.False(t, seen())
	stop()
	require.False(t, seen(), "between two activities")
	b.seed.Exec(`update deliveries set held_until = now() - interval '2 minutes'`)
	require.True(t, seen())
	b.spec.Destination = nil
	b.apply()
	require.False(t, seen())
}

func TestDeletesAreDelivered(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.strict = true
	b := setup(t, s.server)
	b.mails(80)
	b.entomb("c003") // before it was ever sent: nobody there knows it
	b.run()
	b.delivered()
	for i := range 70 {
		b.entomb(fmt.Sprintf("c%03d", i))
	}
	s.set(func() { delete(s.comments, "c005"); delete(s.comments, "c033") }) // somebody else was there first
	b.delivered()
	require.Equal(t, b.ours(), s.has())
	require.Len(t, s.has(), 10)
}

func TestTheTokenIsSealedAndBoundToItsEndpoint(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	for _, row := range b.seed.Strings(`select d::text from deliveries d union all select spec::text from integrations`) {
		require.NotContains(t, row, token)
	}
	b.spec.Destination.Token = ""
	require.False(t, b.apply().Changed, "it is kept")
	opened, err := b.db.DeliveryToken(b.delivery())
	require.NoError(t, err)
	require.Equal(t, secret.Text(token), opened)
	b.spec.Destination.Endpoint = "https://elsewhere.example"
	_, err = b.db.ApplyIntegration(t.Context(), b.spec)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Contains(t, err.Error(), "a token is missing for https://elsewhere.example")
	b.spec.Destination.Token = "re_other"
	b.seed.Exec(`update deliveries set at_changed = '5', at_id = 'x'`)
	result := b.apply()
	require.Equal(t, "destination.endpoint", result.Changes[0].Path)
	require.Equal(t, store.Place{}, b.delivery().At, "another destination begins at the first comment")
}
