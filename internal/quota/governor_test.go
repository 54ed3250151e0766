package quota_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// bench is an org in the simulator, a database, and processes that call the org for
// integrations on it. Time moves by hand.
type bench struct {
	*testing.T
	sim   *simforce.Server
	url   string
	hosts salesforce.HostPolicy
	db    *store.Store
	seed  *storetest.Seed

	mu  sync.Mutex
	now time.Time
}

// process is a Governor with the clients it governs.
type process struct {
	*quota.Governor
	auth *oauth.Service
}

func start(t *testing.T, daily int) *bench {
	t.Helper()
	b := &bench{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var err error
	b.sim, err = simforce.New(simforce.Options{Clock: b.time, DailyRequests: daily})
	require.NoError(t, err)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.SessionTTLSeconds = 30 * 24 * 3600 }))
	web := httptest.NewServer(b.sim)
	t.Cleanup(web.Close)
	b.url = web.URL
	b.sim.SetBaseURL(web.URL)
	u, err := url.Parse(web.URL)
	require.NoError(t, err)
	b.hosts, err = salesforce.NewHostPolicy([]string{u.Host})
	require.NoError(t, err)
	b.db, b.seed = storetest.NewSeed(t)
	return b
}

func (b *bench) time() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) process() *process {
	p := &process{Governor: &quota.Governor{Store: b.db, Now: b.time}}
	p.auth = &oauth.Service{Store: b.db, Hosts: b.hosts, Quota: p.Governor}
	p.Limits = func(ctx context.Context, id string) (map[string]salesforce.Limit, error) {
		return p.auth.Org(id).Limits(ctx)
	}
	return p
}

func (b *bench) spec(name string, q config.Quota) config.Integration {
	return config.Integration{Project: "support", Integration: name, Source: name, PollInterval: config.DefaultPollInterval, Quota: q,
		Connection: config.Connection{InstanceURL: b.url, LoginURL: b.url, ConsumerKey: "3MVG9simforce", ConsumerSecret: "simforce-secret"}}
}

// integration applies and connects one.
func (b *bench) integration(name string, q config.Quota) string {
	b.Helper()
	result, err := b.db.ApplyIntegration(b.Context(), b.spec(name, q))
	require.NoError(b, err)
	tokens, err := b.sim.Grant(simforce.SyncUser)
	require.NoError(b, err)
	acme := b.sim.Orgs()[0]
	require.NoError(b, b.db.SaveGrant(b.Context(), store.SalesforceGrant{IntegrationID: result.IntegrationID, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser],
		Username: simforce.SyncUser, InstanceURL: b.url, Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)}))
	return result.IntegrationID
}

// call asks Salesforce something small.
func (p *process) call(ctx context.Context, id string) error {
	_, err := p.auth.Org(id).Query(ctx, "SELECT Id FROM Case LIMIT 1", salesforce.QueryOptions{})
	return err
}

// data is how many API requests the simulator has had.
func (b *bench) data() int {
	n := 0
	for kind, calls := range b.sim.Counters().Kinds {
		if kind != "token_refresh" && kind != "token_code" {
			n += calls
		}
	}
	return n
}

// refused requires that a call is refused by us: Salesforce hears nothing of it.
func (b *bench) refused(p *process, ctx context.Context, id, why string) time.Duration {
	b.Helper()
	before := b.data()
	err := p.call(ctx, id)
	require.ErrorContains(b, err, why)
	require.Equal(b, fault.Quota, fault.KindOf(err))
	require.NotEmpty(b, fault.HintOf(err))
	require.Equal(b, before, b.data(), "nobody was called")
	return fault.RetryAfterOf(err)
}

func (b *bench) stored() quota.Budget {
	b.Helper()
	q, err := b.db.LoadQuota(b.Context(), b.sim.Orgs()[0].ID, b.time())
	require.NoError(b, err)
	return quota.BudgetOf(q)
}

func TestWallAndResume(t *testing.T) {
	t.Parallel()
	b := start(t, 100)
	p := b.process()
	id := b.integration("a", config.DefaultQuota)
	for range 10 {
		require.NoError(t, p.call(t.Context(), id))
	}
	b.pass(3 * time.Hour)
	for range 10 {
		require.NoError(t, p.call(t.Context(), id))
	}
	wait := b.refused(p, t.Context(), id, "the share of the org's API requests is used: 20 of 20 in 24 hours (20% of 100)")
	require.Equal(t, 21*time.Hour+store.QuotaBucket, wait, "when the first ten are a day old")
	require.Equal(t, b.time().Add(wait), b.stored().GoesOn().UTC())
	b.refused(b.process(), t.Context(), id, "20 of 20") // a worker that just started knows as much
	b.sim.KillSessions("")
	b.refused(p, t.Context(), id, "20 of 20")
	_, err := p.auth.Tokens(id).Refresh(t.Context(), 1)
	require.NoError(t, err, "the token endpoint is free")

	b.pass(wait)
	for range 10 {
		require.NoError(t, p.call(t.Context(), id))
	}
	b.refused(p, t.Context(), id, "20 of 20")
	require.EqualValues(t, 30, p.Stats().Admitted.Load())
	require.EqualValues(t, 3, p.Stats().ByShare.Load())
}

func TestTwoIntegrationsShareOneOrg(t *testing.T) {
	t.Parallel()
	b := start(t, 200)
	p, q := b.process(), b.process()
	a, c := b.integration("a", config.Quota{Share: 50, Reserve: 1}), b.integration("c", config.Quota{Share: 10, Reserve: 10})
	var made atomic.Int64
	var all sync.WaitGroup
	for i := range 8 { // two processes, two integrations, all at once
		all.Go(func() {
			for range 10 {
				err := []*process{p, q}[i%2].call(t.Context(), []string{a, c}[i/2%2])
				if err == nil {
					made.Add(1)
				} else if !fault.Is(err, fault.Quota) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// Before the first answer the org was taken for a larger one: one call in flight each.
	require.EqualValues(t, made.Load(), b.data())
	require.GreaterOrEqual(t, made.Load(), int64(20), "the strictest file holds for both: 10% of 200")
	require.LessOrEqual(t, made.Load(), int64(28))
	b.refused(p, t.Context(), a, "(10% of 200)")

	// The strict one is taken away: the other's own word holds, at once.
	b.seed.Exec(`update integrations set desired = 'deleted' where id = $1`, c)
	b.pass(2 * time.Second)
	require.NoError(t, p.call(t.Context(), a))
}

func TestAppliedShareHoldsAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, 100)
	p := b.process()
	id := b.integration("a", config.Quota{Share: 5, Reserve: 10})
	for range 5 {
		require.NoError(t, p.call(t.Context(), id))
	}
	b.refused(p, t.Context(), id, "5 of 5")
	_, err := b.db.ApplyIntegration(t.Context(), b.spec("a", config.Quota{Share: 8, Reserve: 10}))
	require.NoError(t, err)
	b.pass(2 * time.Second)
	for range 3 {
		require.NoError(t, p.call(t.Context(), id))
	}
	b.refused(p, t.Context(), id, "8 of 8")
	_, err = b.db.ApplyIntegration(t.Context(), b.spec("a", config.Quota{Share: 2, Reserve: 10}))
	require.NoError(t, err)
	b.pass(2 * time.Second)
	b.refused(p, t.Context(), id, "8 of 2")
}

func TestOthersUseTheOrgUp(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	p := b.process()
	a, c := b.integration("a", config.DefaultQuota), b.integration("c", config.DefaultQuota)
	require.NoError(t, p.call(t.Context(), a))
	require.NoError(t, b.sim.SetQuotaUsed("", 899))
	b.pass(time.Second)
	require.NoError(t, p.call(t.Context(), a), "its answer tells")
	wait := b.refused(p, t.Context(), a, "the org has 100 of its 1,000 API requests of 24 hours left, and 10% are kept")
	require.Equal(t, quota.LookAgain, wait)
	require.EqualValues(t, 900, b.stored().Told.Used, "who looks at it now sees why, not what was before")
	b.refused(p, t.Context(), c, "the org has 100 of its 1,000")
	b.pass(5 * time.Minute)
	require.Equal(t, 5*time.Minute, b.refused(p, t.Context(), c, "the org has 100 of its 1,000"))

	// In the meantime nothing is asked; then one call, to /limits, for all.
	b.pass(5 * time.Minute)
	before := b.data()
	require.ErrorContains(t, p.call(t.Context(), a), "the org has 99 of its")
	require.ErrorContains(t, p.call(t.Context(), c), "the org has 99 of its")
	require.Equal(t, before+1, b.data())
	require.Equal(t, 1, b.sim.Counters().Kinds["limits"])

	require.NoError(t, b.sim.SetQuotaUsed("", 500))
	b.refused(p, t.Context(), a, "the org has 99 of its")
	b.pass(quota.LookAgain)
	require.NoError(t, p.call(t.Context(), c), "it goes on by itself")
	require.NoError(t, p.call(t.Context(), a))
	require.Equal(t, 2, b.sim.Counters().Kinds["limits"])
}

// Without the right to read limits the next call itself has to tell, one for all.
func TestLimitsAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	p, q := b.process(), b.process()
	asked := 0
	p.Limits = func(context.Context, string) (map[string]salesforce.Limit, error) {
		asked++
		return nil, fault.New(fault.Permission, "the user lacks View Setup")
	}
	q.Limits = nil
	id := b.integration("a", config.DefaultQuota)
	require.NoError(t, b.sim.SetQuotaUsed("", 950))
	require.NoError(t, p.call(t.Context(), id))
	b.refused(p, t.Context(), id, "left")
	b.pass(quota.LookAgain)
	before := b.data()
	require.NoError(t, p.call(t.Context(), id))
	require.ErrorContains(t, p.call(t.Context(), id), "left")
	require.ErrorContains(t, q.call(t.Context(), id), "left")
	require.Equal(t, before+1, b.data())
	b.pass(quota.LookAgain)
	require.NoError(t, p.call(t.Context(), id))
	require.Equal(t, 1, asked, "it is not asked again soon")
}

// Answers that do not say how much is used: limits do.
func TestAnswersWithoutAWord(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	g := &quota.Governor{Store: b.db, Now: b.time}
	asked, left := 0, 900
	g.Limits = func(ctx context.Context, id string) (map[string]salesforce.Limit, error) {
		if err := g.Admit(ctx, id); err != nil { // the client asks for this call too
			return nil, err
		}
		asked++
		return map[string]salesforce.Limit{"DailyApiRequests": {Max: 1000, Remaining: left}}, nil
	}
	id := b.integration("a", config.DefaultQuota)
	call := func() error {
		err := g.Admit(t.Context(), id)
		if err == nil {
			g.Observe(id, salesforce.Call{Kind: "query", Status: 200})
		}
		return err
	}
	require.NoError(t, call())
	require.Zero(t, asked, "the first answer may tell")
	require.NoError(t, call())
	require.Equal(t, 1, asked)
	require.NoError(t, call())
	require.Equal(t, 1, asked)
	left = 50
	b.pass(quota.LookAgain)
	require.ErrorContains(t, call(), "the org has 50 of its 1,000")
	require.Equal(t, 2, asked)
	require.EqualValues(t, 5, b.stored().Spent(), "asking for limits counts as well")
}

// The allowance of bulk jobs is one thing, that of API requests another.
func TestTheEndOfBulkJobsIsNotTheEndOfRequests(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.JobsPerDay = 0 }))
	p := b.process()
	id := b.integration("a", config.DefaultQuota)
	require.NoError(t, p.call(t.Context(), id))
	_, err := p.auth.Org(id).CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.Equal(t, fault.Quota, fault.KindOf(err), "%v", err)
	require.NoError(t, p.call(t.Context(), id))
	require.EqualValues(t, 3, b.stored().Spent(), "the refused call counts as well")
}

// An org without the header, and numbers that lag as Salesforce's do: limits are asked
// now and then, and the share, which is counted here, is kept all the same.
func TestTheHeaderIsMissingAndLimitsLag(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.LimitInfo, k.LimitsLagSeconds, k.QuotaSoft = "off", 300, 500 }))
	p := b.process()
	id := b.integration("a", config.DefaultQuota)
	made := 0
	for range 12 {
		for range 20 {
			if err := p.call(t.Context(), id); err == nil {
				made++
			} else {
				require.True(t, fault.Is(err, fault.Quota), "%v", err)
			}
		}
		b.pass(6 * time.Minute)
	}
	limits := b.sim.Counters().Kinds["limits"]
	require.Equal(t, 200, made+limits)
	require.Equal(t, 200, b.data())
	require.Less(t, limits, 10)
	require.EqualValues(t, 1000, b.stored().Max())
}

// What a call's admission costs: a round trip to PostgreSQL.
func TestAdmissionIsCheap(t *testing.T) {
	t.Parallel()
	b := start(t, 1_000_000)
	g := &quota.Governor{Store: b.db}
	id := b.integration("a", config.DefaultQuota)
	require.NoError(t, g.Admit(t.Context(), id))
	const calls = 300
	began := time.Now()
	for range calls {
		require.NoError(t, g.Admit(t.Context(), id))
	}
	each := time.Since(began) / calls
	t.Logf("measured: admitting a call takes %s, counting it in PostgreSQL included", each.Round(10*time.Microsecond))
	require.Less(t, each, 100*time.Millisecond)
}

// When the org's day is used up, one integration's answer stops all of them.
func TestTheOrgsWallStopsAll(t *testing.T) {
	t.Parallel()
	b := start(t, 1000)
	p := b.process()
	a, c := b.integration("a", config.Quota{Share: 20}), b.integration("c", config.Quota{Share: 20})
	require.NoError(t, p.call(t.Context(), a))
	require.NoError(t, b.sim.SetQuotaUsed("", 1000))
	b.pass(time.Second)
	err := p.call(t.Context(), a)
	require.ErrorContains(t, err, "REQUEST_LIMIT_EXCEEDED")
	require.Equal(t, time.Hour, fault.RetryAfterOf(err))
	_, err = p.Pace(t.Context(), a, time.Minute, 1) // as after each look
	require.NoError(t, err)
	require.EqualValues(t, 1000, b.stored().Told.Used)
	b.refused(p, t.Context(), c, "the org has 0 of its 1,000")
}

func TestBackgroundLeavesRoom(t *testing.T) {
	t.Parallel()
	b := start(t, 100)
	p := b.process()
	id := b.integration("a", config.DefaultQuota)
	later := quota.WithClass(t.Context(), quota.Background)
	for range 14 {
		require.NoError(t, p.call(later, id))
	}
	b.refused(p, later, id, "14 of 14 in 24 hours (20% of 100, less what is kept for news)")
	room, err := p.Room(t.Context(), id)
	require.NoError(t, err)
	require.False(t, room)
	require.NoError(t, p.call(quota.WithClass(t.Context(), quota.Underway), id), "what was let in ends")
	for range 5 {
		require.NoError(t, p.call(t.Context(), id))
	}
	b.refused(p, t.Context(), id, "20 of 20")
	b.pass(25 * time.Hour)
	room, err = p.Room(t.Context(), id)
	require.NoError(t, err)
	require.True(t, room)
}

func TestPaceIsStretchedAndStored(t *testing.T) {
	t.Parallel()
	b := start(t, 15000)
	p := b.process()
	a := b.integration("a", config.DefaultQuota)
	look := func(id string) time.Duration {
		t.Helper()
		ctx, calls := quota.Metered(t.Context())
		require.NoError(t, p.call(ctx, id))
		require.Equal(t, 1, calls.Calls())
		every, err := p.Pace(t.Context(), id, 10*time.Second, calls.Calls())
		require.NoError(t, err)
		return every
	}
	require.Less(t, look(a), 12*time.Second, "hardly anything is used yet")
	require.EqualValues(t, 15000, b.stored().Told.Max, "what the first answer said is stored")
	org := b.sim.Orgs()[0].ID
	b.seed.Exec(`insert into quota_calls (org_id, bucket, calls) select $1, t, 18 from generate_series($2::timestamptz - interval '24 hours', $2::timestamptz - interval '10 minutes', interval '10 minutes') t`, org, b.time())
	b.pass(time.Minute)
	alone := look(a)
	require.InDelta(t, 32, alone.Seconds(), 8)
	members, err := b.db.LoadQuota(t.Context(), org, b.time())
	require.NoError(t, err)
	require.Equal(t, alone, members.Members[0].Pace.Paced)
	require.Equal(t, 10*time.Second, members.Members[0].Pace.Wanted)
	require.Equal(t, "20% of the org's 15,000 API requests in 24 hours", members.Members[0].Pace.Reason)

	c := b.integration("c", config.DefaultQuota)
	b.pass(time.Minute)
	require.InDelta(t, 2*alone.Seconds(), look(c).Seconds(), 15, "two share it")
	require.InDelta(t, 2*alone.Seconds(), look(a).Seconds(), 15)
	require.NoError(t, b.db.Steer(t.Context(), "support", "c", "pause"))
	b.pass(time.Minute)
	require.InDelta(t, alone.Seconds(), look(a).Seconds(), 8, "a paused one takes nothing")

	b.seed.Exec(`delete from quota_calls`)
	b.pass(time.Minute)
	require.Less(t, look(a), 12*time.Second)
	full, ok := p.Fullest()
	require.True(t, ok)
	require.EqualValues(t, 15000, full.Max())
}

func TestNobodyIsGovernedBeforeAGrant(t *testing.T) {
	t.Parallel()
	b := start(t, 100)
	p := b.process()
	result, err := b.db.ApplyIntegration(t.Context(), b.spec("a", config.DefaultQuota))
	require.NoError(t, err)
	require.NoError(t, p.Admit(t.Context(), result.IntegrationID))
	every, err := p.Pace(t.Context(), result.IntegrationID, time.Minute, 1)
	require.NoError(t, err)
	require.Equal(t, time.Minute, every)
	_, ok := p.Fullest()
	require.False(t, ok)
}
