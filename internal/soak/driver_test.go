package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// failure is what a script found wrong. It travels as a panic, because everything that
// finds something may be deep inside a call.
type failure struct{ text string }

func (f failure) Error() string { return f.text }

func fail(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func check(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

func must(err error, doing string) {
	if err != nil {
		fail("%s: %v", doing, err)
	}
}

// run is one script under way: the world, the product, and what the workflow remembers.
type run struct {
	*world
	d   *database
	ctx context.Context
	set setup

	auth    *oauth.Service
	svc     *poll.Service
	batches transform.Batches
	spec    config.Integration
	id      string
	source  string

	waits    map[string]time.Time // objects that failed leave the watch until then
	refused  map[string]int       // how often in a row
	loads    map[string]bool      // objects whose backfill has a workflow
	checkAt  time.Time
	away     bool // disconnected by an operator
	healing  bool // nothing bad happens any more
	blind    bool // what is published on the way is not looked at
	held     []*held
	refs     []flow.BatchRef
	caught   error // what was found wrong while somebody else's call was under way
	streams  map[string]streamState
	receipts map[flow.BatchRef]flow.Counts
	trail    []string
	tally    tally
}

// tally is what a run did.
type tally struct {
	steps, ticks, batches, rows, units, kills, reconnects, loads int
	kinds                                                        map[string]int // errors by kind
}

func (t *tally) add(o tally) {
	t.steps += o.steps
	t.ticks += o.ticks
	t.batches += o.batches
	t.rows += o.rows
	t.units += o.units
	t.kills += o.kills
	t.reconnects += o.reconnects
	t.loads += o.loads
	if t.kinds == nil {
		t.kinds = map[string]int{}
	}
	for k, n := range o.kinds {
		t.kinds[k] += n
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d steps, %d ticks, %d batches of %d rows, %d AI units, %d workers killed, %d grants lost, %d backfills, errors %v",
		t.steps, t.ticks, t.batches, t.rows, t.units, t.kills, t.reconnects, t.loads, t.kinds)
}

// streamState is what may only grow.
type streamState struct {
	Object   string
	Epoch    int64
	Seq      int64
	Stamp    time.Time
	ID       string
	Verified time.Time
}

// orgs lets package poll see clients as the interface it declares.
type orgs struct{ auth *oauth.Service }

func (o orgs) Org(id string) poll.Salesforce { return o.auth.Org(id) }

// newRun builds the org and the product around it, applies the file and connects.
func newRun(ctx context.Context, d *database, set setup, b *bend, l *live) *run {
	r := &run{d: d, ctx: ctx, set: set, waits: map[string]time.Time{}, refused: map[string]int{}, loads: map[string]bool{}, streams: map[string]streamState{}, receipts: map[flow.BatchRef]flow.Counts{}}
	r.tally.kinds = map[string]int{}
	r.world = newWorld(set.seed, start, simforce.Options{Generate: set.mails}, l)
	if l == nil {
		r.d.setClock(ctx, start)
	}
	u, err := url.Parse(r.url)
	must(err, "read the simulator's address")
	other := "localhost:" + u.Port()
	hosts, err := salesforce.NewHostPolicy([]string{u.Host, other})
	must(err, "allow the simulator")
	w := &wire{next: r.sim.Transport(), bend: b}
	if b != nil {
		b.run, r.blind = r, b.blind
	}
	governor := &quota.Governor{Store: d.db, Now: r.now}
	r.auth = &oauth.Service{Store: d.db, Hosts: hosts, Transport: w, Quota: governor}
	governor.Limits = func(ctx context.Context, id string) (map[string]salesforce.Limit, error) {
		return r.auth.Org(id).Limits(ctx)
	}
	r.svc = &poll.Service{Store: d.db, Orgs: orgs{r.auth}, Listener: store.NewListener(), BatchBytes: set.batchBytes, Quota: governor,
		BulkFrom: set.bulkFrom, PartRows: set.partRows, PagesAtOnce: set.pagesAtOnce, StepFor: time.Nanosecond}
	r.batches = transform.Batches{Store: d.db}
	r.objects = set.objects()
	must(r.sim.SetKnobs(set.knobs), "turn the knobs")
	r.spec = config.Integration{Project: "support", Integration: "prod", Source: "all", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: r.url, LoginURL: r.url, ConsumerKey: "3MVG9simforce", ConsumerSecret: "simforce-secret"}}
	if l != nil {
		r.spec.Project = fmt.Sprintf("script-%d", set.seed)
		r.spec.PollInterval, r.spec.VerifyInterval = config.MinPollInterval, config.MinVerifyInterval
	}
	r.populate(rand.New(rand.NewPCG(set.seed, 0x9090)))
	r.apply()
	r.connect()
	return r
}

func (r *run) end() {
	for _, h := range r.held {
		h.finish()
	}
	r.close()
}

// apply makes the file of the objects as they are now the one in force.
func (r *run) apply() {
	r.spec.Objects = nil
	for _, o := range r.objects {
		r.spec.Objects = append(r.spec.Objects, o.file())
	}
	result, err := r.d.db.ApplyIntegration(r.ctx, r.spec)
	must(err, "apply the file")
	r.id = result.IntegrationID
	target, err := r.d.db.LoadTarget(r.ctx, r.spec.Project, r.spec.Integration)
	must(err, "read the integration")
	r.source = target.SourceID
	r.signal(flow.SignalConfigChanged)
}

// desire writes what the operator wants, as the starter does.
func (r *run) desire(desired, signal string) {
	must(r.d.db.SetDesired(r.ctx, r.id, desired), desired)
	r.signal(signal)
}

// connect is the administrator's one click.
func (r *run) connect() {
	r.breathe()
	tokens, err := r.sim.Grant(simforce.SyncUser)
	must(err, "grant")
	acme := r.sim.Orgs()[0]
	must(r.d.db.SaveGrant(r.ctx, store.SalesforceGrant{IntegrationID: r.id, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser],
		Username: simforce.SyncUser, InstanceURL: r.home(), Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)}), "save the grant")
	r.away = false
	r.signal(flow.SignalTokenGranted)
}

// home is where the org lives now.
func (r *run) home() string {
	if moved := r.sim.Knobs().InstanceURL; moved != "" {
		return moved
	}
	return r.url
}

// pass moves the clock: Salesforce's, and the database's.
func (r *run) pass(d time.Duration) {
	if r.live != nil {
		r.live.pass(r.ctx, r.d, d)
		r.look()
		return
	}
	r.mu.Lock()
	before := r.time
	r.time = r.time.Add(d)
	now := r.time
	r.mu.Unlock()
	r.d.setClock(r.ctx, now)
	// By time alone nothing changes but what commits late.
	if slices.ContainsFunc(r.open, func(tx *openTx) bool { return tx.until.After(before) && !tx.until.After(now) }) {
		r.look()
	}
}

// breathe is the time an activity takes: no two begin at the same instant.
func (r *run) breathe() {
	if r.live != nil {
		return
	}
	r.mu.Lock()
	r.time = r.time.Add(37 * time.Millisecond)
	now := r.time
	r.mu.Unlock()
	r.d.setClock(r.ctx, now)
}

// guard runs what happens inside somebody else's call; what it finds is told when the
// call is over.
func (r *run) guard(f func()) {
	defer func() {
		if x := recover(); x != nil {
			found, ok := x.(failure)
			if !ok {
				panic(x)
			}
			r.caught = errors.Join(r.caught, found)
		}
	}()
	f()
}

func (r *run) tellCaught() {
	if err := r.caught; err != nil {
		r.caught = nil
		fail("%v", err)
	}
}

func (r *run) say(format string, args ...any) {
	r.trail = append(r.trail, r.now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// chance is true once in n times, and never while healing.
func (r *run) chance(g *rand.Rand, n int) bool { return g.IntN(n) == 0 && !r.healing }

// calmly runs f without anything bad happening.
func (r *run) calmly(f func()) {
	was := r.healing
	r.healing = true
	defer func() { r.healing = was }()
	f()
}

// attempt is one attempt of an activity with what happens around it: writes in between,
// time that passes, a worker that dies.
func (r *run) attempt(g *rand.Rand) (context.Context, func()) {
	r.breathe()
	a := newActor()
	ctx, cancel := context.WithCancel(a.on(r.ctx))
	if r.chance(g, 4) {
		for range 1 + g.IntN(2) {
			act, sub := anyWrite(g), rand.New(rand.NewPCG(g.Uint64(), 1))
			happens := func() { r.guard(func() { act.do(r, sub) }) }
			if g.IntN(2) == 0 {
				a.before[g.IntN(4)] = happens
			} else {
				a.after[g.IntN(4)] = happens
			}
		}
	}
	if r.chance(g, 6) {
		d := time.Duration(g.IntN(2500)) * time.Millisecond
		a.before[g.IntN(4)] = func() { r.guard(func() { r.pass(d) }) }
	}
	if r.chance(g, 15) {
		r.tally.kills++
		a.before[g.IntN(4)] = cancel
	}
	return ctx, func() {
		cancel()
		r.tellCaught()
	}
}

// note counts an error. Some kinds would be defects of ours whatever Salesforce does.
func (r *run) note(doing string, err error) fault.Kind {
	kind := fault.KindOf(err)
	if errors.Is(err, context.Canceled) {
		kind = fault.Transient // the worker died
	}
	r.tally.kinds[string(kind)]++
	r.say("%s: %s: %.300s", doing, kind, err.Error())
	check(kind != fault.Internal && kind != fault.Unreachable && kind != fault.Conflict, "%s failed as it never may: %s: %v", doing, kind, err)
	return kind
}

// passing kinds are tried again by the activity itself.
func passing(kind fault.Kind) bool {
	switch kind {
	case fault.Transient, fault.RateLimited, fault.Unreachable, fault.Internal:
		return true
	}
	return false
}

// failed is what the workflow does when an object's batch failed.
func (r *run) failed(object string, kind fault.Kind, after time.Duration) {
	switch kind {
	case fault.Stopped, fault.Fenced, fault.Reauthorize:
	case fault.Config:
		r.checkAt = r.now()
		r.waits[object] = r.now().Add(r.refusal(object))
	case fault.Permission:
		r.waits[object] = r.now().Add(r.refusal(object))
	default:
		r.waits[object] = r.now().Add(max(after, 2*time.Second))
	}
}

// refusal is how long the workflow waits after one more refusal.
func (r *run) refusal(object string) time.Duration {
	r.refused[object]++
	return min(15*time.Second<<min(r.refused[object], 7)>>1, 15*time.Minute)
}

// tick is one round of the workflow: Watch, and what it asks for. It reports whether
// there was nothing to do.
func (r *run) tick(g *rand.Rand) bool {
	r.tally.ticks++
	if r.live != nil {
		r.liveTick(g)
		return true
	}
	var skip []string
	for object, until := range r.waits {
		if until.After(r.now()) {
			skip = append(skip, object)
		} else {
			delete(r.waits, object)
		}
	}
	slices.Sort(skip)
	params := flow.WatchParams{Project: r.spec.Project, Integration: r.spec.Integration, Once: true, Skip: skip}
	if r.chance(g, 25) {
		r.tally.kills++
		h := hold(r.ctx, "Watch", g.IntN(3), g.IntN(2) == 0, func(ctx context.Context) {
			if _, err := r.svc.Watch(ctx, params); err != nil {
				r.guard(func() { r.note("Watch of a worker that was given up", err) })
			}
		})
		r.held = append(r.held, h)
		r.tellCaught()
	}
	ctx, done := r.attempt(g)
	result, err := r.svc.Watch(ctx, params)
	done()
	r.published()
	if err != nil {
		kind := r.note("Watch", err)
		if kind == fault.Config {
			r.checkAt = r.now()
		}
		r.waitForQuota(kind, err)
		return false
	}
	r.say("Watch: %s %s, news %d, faults %d, skipped %v", result.Outcome, result.Reason, len(result.News), len(result.Faults), skip)
	switch result.Outcome {
	case flow.OutcomeUnchecked:
		r.check(g)
		return false
	case flow.OutcomeAwaiting:
		if r.healing || g.IntN(2) == 0 {
			r.tally.reconnects++
			r.connect()
		}
		return false
	case flow.OutcomePaused, flow.OutcomeDisconnected:
		return true
	case flow.OutcomeDeleted:
		fail("Watch says that the integration is gone")
	}
	for _, f := range result.Faults {
		r.tally.kinds[f.Kind]++
		r.say("Watch: %s: %s: %.300s", f.Object, f.Kind, f.Message)
		check(f.Kind != string(fault.Internal), "Watch failed for %s as it never may: %s", f.Object, f.Message)
		r.failed(f.Object, fault.Kind(f.Kind), f.RetryAfter)
	}
	if len(result.Invalid) > 0 && r.checkAt.IsZero() {
		r.checkAt = r.now().Add(15 * time.Second)
	}
	for _, n := range result.News {
		ref := n.Batch
		ref.Object = n.Object
		r.batchesOf(g, ref)
	}
	for _, object := range result.Backfills {
		r.loads[object] = true
	}
	r.loadAll(g)
	if !r.checkAt.IsZero() && !r.checkAt.After(r.now()) {
		r.check(g)
	}
	return len(result.News)+len(result.Faults)+len(r.loads) == 0
}

// loadAll is one round of each backfill's workflow: a step, and the pages that it says
// can be read.
func (r *run) loadAll(g *rand.Rand) {
	for _, object := range slices.Sorted(maps.Keys(r.loads)) {
		if r.chance(g, 15) {
			r.say("the workflow of the backfill of %s is lost", object)
			delete(r.loads, object)
			continue
		}
		ctx, done := r.attempt(g)
		result, err := r.svc.BackfillStep(ctx, flow.BackfillStepParams{Project: r.spec.Project, Integration: r.spec.Integration, Object: object})
		done()
		if err != nil {
			r.waitForQuota(r.note("BackfillStep of "+object, err), err)
			continue
		}
		r.say("BackfillStep of %s: %s %s, %d of %d parts, %d ready", object, result.Outcome, result.Reason, result.Done, result.Parts, len(result.Ready))
		switch result.Outcome {
		case flow.OutcomeDone, flow.OutcomeCancelled, flow.OutcomeDeleted:
			r.tally.loads++
			delete(r.loads, object)
			continue
		}
		for _, ref := range result.Ready {
			ref.Object = object
			r.batchesOf(g, ref)
		}
	}
}

// waitForQuota sleeps as long as the governor says; a script has other things to do.
func (r *run) waitForQuota(kind fault.Kind, err error) {
	if kind == fault.Quota && r.healing {
		r.pass(max(fault.RetryAfterOf(err), time.Minute))
	}
}

// check is the Check activity.
func (r *run) check(g *rand.Rand) {
	ctx, done := r.attempt(g)
	result, err := r.svc.Check(ctx, flow.CheckParams{Project: r.spec.Project, Integration: r.spec.Integration})
	done()
	if err != nil {
		r.waitForQuota(r.note("Check", err), err)
		return
	}
	r.checkAt = time.Time{}
	clear(r.waits)
	for _, o := range result.Objects {
		if o.Problem != "" {
			r.say("Check: %s: %s", o.Object, o.Problem)
			if at := r.now().Add(r.refusal(o.Object)); r.checkAt.IsZero() || at.Before(r.checkAt) {
				r.checkAt = at
			}
		}
	}
}

// batchesOf polls, transforms and applies until there is no more.
func (r *run) batchesOf(g *rand.Rand, ref flow.BatchRef) {
	for range 200 {
		polled, ok := r.poll(g, ref)
		if !ok {
			return
		}
		if !polled.Sealed {
			if !polled.More {
				delete(r.refused, ref.Object)
				return
			}
			continue
		}
		done, ok := r.upsert(g, ref)
		if !ok {
			return
		}
		r.tally.batches++
		r.tally.rows += int(done.Counts.Rows)
		if !done.More {
			delete(r.refused, ref.Object)
			return
		}
		object := ref.Object
		ref = done.Next
		ref.Object = object
	}
	fail("the batches of %s do not end", ref.Object)
}

// poll is the Poll activity with its retries.
func (r *run) poll(g *rand.Rand, ref flow.BatchRef) (flow.PollResult, bool) {
	if r.chance(g, 12) {
		r.tally.kills++
		r.say("Poll %v is held", ref)
		r.held = append(r.held, hold(r.ctx, "Poll", g.IntN(4), g.IntN(2) == 0, func(ctx context.Context) {
			if _, err := r.svc.Poll(ctx, ref); err != nil {
				r.guard(func() { r.note("Poll of a worker that was given up", err) })
			}
		}))
		r.tellCaught()
	}
	var lost *flow.PollResult
	for range 4 {
		ctx, done := r.attempt(g)
		result, err := r.svc.Poll(ctx, ref)
		done()
		if err == nil {
			r.say("Poll %v: %d rows, sealed %v, more %v", ref, result.Rows, result.Sealed, result.More)
			if lost != nil && lost.Sealed {
				check(result.Rows == lost.Rows && result.Bytes == lost.Bytes && result.More == lost.More && result.Sealed,
					"Poll %v was sealed with %+v, and asked again it says %+v", ref, *lost, result)
			}
			if result.Sealed {
				r.refs = append(r.refs, ref)
			}
			if r.chance(g, 8) {
				r.tally.kills++
				lost = &result
				continue // its answer never arrived: it is asked again
			}
			return result, true
		}
		if kind := r.note(fmt.Sprintf("Poll %v", ref), err); !passing(kind) {
			r.failed(ref.Object, kind, fault.RetryAfterOf(err))
			return flow.PollResult{}, false
		}
		if errors.Is(err, context.Canceled) {
			continue
		}
		r.pass(time.Second + max(fault.RetryAfterOf(err), 0))
	}
	r.failed(ref.Object, fault.Transient, 0)
	return flow.PollResult{}, false
}

// upsert is Transform and Upsert with their retries.
func (r *run) upsert(g *rand.Rand, ref flow.BatchRef) (flow.UpsertResult, bool) {
	for range 4 {
		if r.chance(g, 25) {
			r.say("the worker died before Transform")
			r.tally.kills++
			return flow.UpsertResult{}, false
		}
		for range 1 + g.IntN(2)*g.IntN(2) {
			r.breathe()
			if _, err := r.batches.Transform(r.ctx, ref); err != nil {
				r.failed(ref.Object, r.note(fmt.Sprintf("Transform %v", ref), err), 0)
				return flow.UpsertResult{}, false
			}
		}
		if r.chance(g, 20) {
			r.tally.kills++
			r.say("the worker died before Upsert")
			return flow.UpsertResult{}, false
		}
		wiped := r.chance(g, 15)
		if wiped {
			r.tally.kills++
			r.say("PostgreSQL crashed: staged is empty")
			r.d.exec(r.ctx, `truncate staged`)
		}
		done, err := r.upsertOnce(g, ref)
		if err == nil {
			r.receipt(ref, done.Counts)
			r.published()
			if r.chance(g, 8) {
				r.tally.kills++
				again, err := r.d.db.Upsert(r.ctx, ref)
				must(err, "apply the batch again")
				check(again.Again && again.Counts == done.Counts && again.More == done.More, "applied again the batch %v says %+v, it said %+v", ref, again, done)
			}
			return done, true
		}
		if kind := r.note(fmt.Sprintf("Upsert %v", ref), err); kind != fault.Stale {
			r.failed(ref.Object, kind, 0)
			return flow.UpsertResult{}, false
		}
	}
	r.failed(ref.Object, fault.Stale, 0)
	return flow.UpsertResult{}, false
}

// upsertOnce is one attempt of Upsert, or two of two workers at once.
func (r *run) upsertOnce(g *rand.Rand, ref flow.BatchRef) (flow.UpsertResult, error) {
	r.breathe()
	if !r.chance(g, 20) {
		return r.d.db.Upsert(r.ctx, ref)
	}
	r.tally.kills++
	type answer struct {
		done flow.UpsertResult
		err  error
	}
	other := make(chan answer)
	go func() {
		done, err := r.d.db.Upsert(r.ctx, ref)
		other <- answer{done, err}
	}()
	done, err := r.d.db.Upsert(r.ctx, ref)
	twin := <-other
	if err == nil && twin.err == nil {
		check(done.Again != twin.done.Again && done.Counts == twin.done.Counts, "two workers applied the batch %v at once: %+v and %+v", ref, done, twin.done)
	}
	if err != nil {
		return twin.done, twin.err
	}
	return done, err
}

// receipt checks that a batch's counts add up and never change.
func (r *run) receipt(ref flow.BatchRef, c flow.Counts) {
	ref.Object = ""
	check(c.Rows == c.Sum(), "the counts of batch %v do not add up: %+v", ref, c)
	check(c.Units == c.Created+c.TextChanged, "the units of batch %v are not its new texts: %+v", ref, c)
	before, known := r.receipts[ref]
	check(!known || before == c, "the receipt of batch %v was %+v and is %+v", ref, before, c)
	r.receipts[ref] = c
}

// haunt is a worker of long ago that finishes what it has in hand: a batch that was
// read under another file, or has been applied long since.
func (r *run) haunt(g *rand.Rand) {
	if len(r.refs) == 0 {
		return
	}
	ref := r.refs[g.IntN(len(r.refs))]
	r.say("a worker of long ago finishes %v", ref)
	r.tally.kills++
	if g.IntN(2) == 0 {
		if _, err := r.svc.Poll(r.ctx, ref); err != nil {
			r.note("Poll of long ago", err)
			return
		}
	}
	if _, err := r.batches.Transform(r.ctx, ref); err != nil {
		r.note("Transform of long ago", err)
		return
	}
	done, err := r.d.db.Upsert(r.ctx, ref)
	if err != nil {
		r.note("Upsert of long ago", err)
		return
	}
	r.receipt(ref, done.Counts)
	r.published()
}

// published checks what is said of the streams: cursors and "complete up to" never move
// back, and what is published is true.
func (r *run) published() {
	if r.blind {
		return
	}
	for _, now := range rows[streamState](r.ctx, r.d, `
		select object, epoch, seq, coalesce(hi_stamp, '0001-01-01Z') as stamp, coalesce(hi_id, '') as id,
			-- During a first load nobody is told that the object is complete, nor after one that somebody cancelled, until
			-- everything was read by another or compared by Id.
			coalesce(case when not exists (select 1 from backfills f where f.integration_id = s.integration_id and f.object = s.object and f.first
				and (f.state = 'open' or f.state = 'cancelled' and f.desired = 'cancelled' and (coalesce(s.swept_at <= f.finished_at, true)
						or exists (select 1 from rechecks k where k.integration_id = s.integration_id and k.object = s.object and k.reason = 'repair'))
					and not exists (select 1 from backfills a where a.integration_id = f.integration_id and a.object = f.object and a.id > f.id
						and a.state = 'done' and a.from_stamp is null and a.until_stamp is null)))
				then verified_to end, '0001-01-01Z') as verified
		from streams s where integration_id = $1 and lane = 'live'`, r.id) {
		old := r.streams[now.Object]
		r.streams[now.Object] = now
		check(now.Epoch >= old.Epoch && now.Seq >= old.Seq, "the stream of %s went back from %+v to %+v", now.Object, old, now)
		if now.Epoch == old.Epoch {
			check(!now.Stamp.Before(old.Stamp) && (!now.Stamp.Equal(old.Stamp) || now.ID >= old.ID), "the cursor of %s went back from %+v to %+v", now.Object, old, now)
			check(now.Verified.IsZero() || !now.Verified.Before(old.Verified), "\"complete up to\" of %s went back from %s to %s", now.Object, old.Verified, now.Verified)
		}
		if now.Verified.After(old.Verified) || now.Epoch != old.Epoch {
			r.complete(now)
		}
	}
}

type recordState struct {
	RecordID string `db:"record_id"`
	Stamp    time.Time
	State    string
}

func (r *run) recordsOf(object string) map[string]recordState {
	out := map[string]recordState{}
	for _, s := range rows[recordState](r.ctx, r.d, `select record_id, stamp, state from records where source_id = $1 and object = $2`, r.source, object) {
		out[s.RecordID] = s
	}
	return out
}

// complete checks one "complete up to T" at the moment it is published: whatever
// Salesforce shows with a stamp up to T is there, and no transaction is open that could
// still commit something so old.
func (r *run) complete(s streamState) {
	if s.Verified.IsZero() || s.Verified.Year() < 1900 {
		return
	}
	i := slices.IndexFunc(r.objects, func(o *object) bool { return o.name == s.Object })
	if i < 0 {
		return
	}
	have := r.recordsOf(s.Object)
	for id, now := range r.objects[i].now {
		if !now.readable() || now.slipped || now.stamp.After(s.Verified) {
			continue
		}
		if record, there := have[id]; !there || record.Stamp.Before(now.stamp) {
			fail("%s is said to be complete up to %s, and %s of %s is missing: the store has it as of %s, %q\n%s", s.Object, s.Verified.Format(time.RFC3339),
				id, now.stamp.Format(time.RFC3339), record.Stamp.Format(time.RFC3339), record.State, r.objects[i].story(id))
		}
	}
	for _, tx := range r.open {
		if tx.until.After(r.now()) {
			check(s.Verified.Before(tx.began.Truncate(time.Second)), "%s is said to be complete up to %s, and a transaction that began at %s is open", s.Object, s.Verified, tx.began)
		}
	}
}

// heal ends everything bad and lets time pass until nothing is due any more.
func (r *run) heal() {
	r.healing = true
	r.say("everything heals")
	must(r.sim.SetChaos(simforce.Chaos{}), "end the faults")
	r.sim.ClearFaults()
	must(r.sim.SetKnobs(func(k *simforce.Knobs) {
		k.QueryLimits = simforce.QueryLimits{}
		k.Maintenance = simforce.Maintenance{}
	}), "turn the knobs back")
	must(r.sim.SetQuotaUsed("", 0), "give the quota back")
	for _, what := range r.set.hidden {
		must(r.sim.SetVisible("", simforce.SyncUser, what, true), "show "+what)
	}
	r.set.hidden = nil
	for _, tx := range r.open {
		if tx.until.After(r.now()) {
			r.pass(tx.until.Sub(r.now()) + time.Second)
		}
	}
	r.open = nil
	for _, h := range r.held {
		h.finish()
		r.published()
		r.tellCaught()
	}
	r.held = nil
	r.look()
	r.desire(store.DesiredRunning, flow.SignalResume)
	clear(r.waits) // a signal ends them
	clear(r.refused)
	if r.away {
		r.connect()
	}
	if r.live != nil {
		r.apply() // what was refused while it lasted is checked again, and not in a quarter of an hour
		return
	}
	r.settle()
}

// settle ticks until nothing is due, with enough time passing for everything that
// works at intervals.
func (r *run) settle() {
	g := rand.New(rand.NewPCG(1, 1))
	quiet := func(d time.Duration, most int) {
		for range most {
			done := r.tick(g)
			if r.pass(d); len(r.loads) > 0 {
				r.pass(20 * time.Second) // a job takes its time
			}
			if done {
				return
			}
		}
		fail("Watch is never quiet\n%s", strings.Join(r.trail[max(0, len(r.trail)-30):], "\n"))
	}
	quiet(3*time.Second, 100)
	for range 16 {
		r.pass(150 * time.Second)
		quiet(3*time.Second, 60)
	}
	quiet(3*time.Second, 60)
	check(len(r.waits) == 0, "objects still wait after everything healed: %v", r.waits)
}

// units is what the source has cost.
func (r *run) units() int64 {
	n, err := r.d.db.Units(r.ctx, r.source)
	must(err, "count units")
	return n
}

func jsonOf(v any) string {
	raw, err := json.Marshal(v)
	must(err, "write JSON")
	return string(raw)
}
