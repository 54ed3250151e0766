package quota

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

const (
	// fresh is how long what was read of an org's budget is good for deciding how often to
	// look. That there is nothing left is never decided by what is older than refusing.
	fresh    = 15 * time.Second
	refusing = time.Second

	// tellEvery is how often what Salesforce says is stored at least, while it says it.
	tellEvery = 30 * time.Second

	// refusedLimits is how long an org is not asked for its limits after it refused: that
	// takes a permission, and somebody must give it.
	refusedLimits = 6 * time.Hour

	// learning is how much a look counts in the average of its calls.
	learning = 0.1

	// mostReads is how many calls of reading count for one look: a flood says nothing of
	// what the next looks will find.
	mostReads = 25
)

// Governor answers for all integrations of a process. It is safe for concurrent use.
// Store is required.
type Governor struct {
	Store *store.Store
	// Limits asks an integration's org for its limits. It is used when answers do not say how
	// much of the day is used. nil: answers have to do.
	Limits func(ctx context.Context, integrationID string) (map[string]salesforce.Limit, error)
	// Now is the time that counts; nil is the database's clock, which all processes share.
	Now func() time.Time

	mu    sync.Mutex
	orgOf map[string]*org // by integration, once it is known
	orgs  map[string]*org // by org id

	stats Stats
}

// org is what this process knows of an org.
type org struct {
	id      string
	loading sync.Mutex // one reads at a time

	mu       sync.Mutex
	read     store.Quota
	readAt   time.Time     // by this process's clock
	skew     time.Duration // from this process's clock to the one that counts
	told     store.QuotaTold
	storedAt time.Time        // of the told that was stored last
	untold   bool             // an answer came that said nothing
	refused  time.Time        // when it refused to tell its limits
	paces    map[string]*pace // by integration
}

// pace is how often one integration looks.
type pace struct {
	stored store.QuotaPace
	calls  float64 // of one look, on average
	spent  float64 // the same with the reading of what it found
	reads  int     // calls since the last look
}

// Stats counts what became of calls, for metrics.
type Stats struct {
	Admitted, ByShare, ByReserve, ByApp atomic.Int64
}

// Stats are the counts since the start.
func (g *Governor) Stats() *Stats { return &g.stats }

// find gives the org of an integration; nil before it is connected to one.
func (g *Governor) find(ctx context.Context, integrationID string) (*org, error) {
	g.mu.Lock()
	o := g.orgOf[integrationID]
	g.mu.Unlock()
	if o != nil {
		return o, nil
	}
	id, err := g.Store.QuotaOrg(ctx, integrationID)
	if err != nil || id == "" {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.orgs == nil {
		g.orgOf, g.orgs = map[string]*org{}, map[string]*org{}
	}
	if o = g.orgs[id]; o == nil {
		o = &org{id: id, paces: map[string]*pace{}}
		g.orgs[id] = o
	}
	g.orgOf[integrationID] = o
	return o, nil
}

// at is the time to hand to the store: zero lets the database say.
func (g *Governor) at() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Time{}
}

// load reads the org's budget unless what was read is no older than age.
func (g *Governor) load(ctx context.Context, o *org, age time.Duration) error {
	o.loading.Lock()
	defer o.loading.Unlock()
	o.mu.Lock()
	good := !o.readAt.IsZero() && g.since(o) < age
	o.mu.Unlock()
	if good {
		return nil
	}
	q, err := g.Store.LoadQuota(ctx, o.id, g.at())
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read, o.readAt = q, time.Now()
	if g.Now != nil {
		o.readAt = g.Now()
	}
	o.skew = q.Now.Sub(o.readAt)
	if q.Told.At.After(o.told.At) {
		o.told, o.storedAt = q.Told, q.Told.At
	}
	return nil
}

func (g *Governor) since(o *org) time.Duration {
	if g.Now != nil {
		return g.Now().Sub(o.readAt)
	}
	return time.Since(o.readAt)
}

// now is the time that counts, for an org that was loaded. The lock is held.
func (g *Governor) now(o *org) time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now().Add(o.skew)
}

// budget is what is known now. The lock is held.
func (g *Governor) budget(o *org) Budget {
	b := BudgetOf(o.read)
	b.Now, b.Told = g.now(o), o.told
	return b
}

// BudgetOf makes a budget of what the store has of an org.
func BudgetOf(q store.Quota) Budget {
	b := Budget{Now: q.Now, Told: q.Told, Own: q.Own}
	for i, m := range q.Members {
		if i == 0 {
			b.Terms = m.Terms
		}
		b.Terms = b.Terms.Strictest(m.Terms)
	}
	b.Terms = b.Terms.InForce()
	return b
}

// Demands is what the org's integrations want but the one named: those that an operator
// has stopped want nothing.
func Demands(q store.Quota, except string) []Demand {
	var out []Demand
	for _, m := range q.Members {
		if m.Running && m.IntegrationID != except {
			out = append(out, DemandOf(m))
		}
	}
	return out
}

// DemandOf is what one integration wants, going by its looks so far.
func DemandOf(m store.QuotaMember) Demand {
	d := Demand{Wanted: m.PollInterval, Calls: 1}
	if m.Pace != nil {
		d.Calls = max(m.Pace.Calls, m.Pace.Spent, 1)
	}
	return d
}

// Admit is asked before each HTTP exchange with an integration's org, and counts it. It
// returns fault.Quota with the time to wait when the share is used, or when the org has
// not more left than what is kept for others.
func (g *Governor) Admit(ctx context.Context, integrationID string) error {
	o, err := g.find(ctx, integrationID)
	if err != nil || o == nil {
		return err // without a grant there is nobody to call
	}
	if err := g.load(ctx, o, fresh); err != nil {
		return err
	}
	if isProbe(ctx) {
		return g.take(ctx, o, math.MaxInt64)
	}
	class := classOf(ctx)
	b, why := g.refuse(o, class)
	if why != admitted { // not by what somebody else may have changed meanwhile
		if err := g.load(ctx, o, refusing); err != nil {
			return err
		}
		b, why = g.refuse(o, class)
	}
	if blind := b.Now.Sub(b.Told.At) >= LookAgain; blind && (why == byReserve || why == byApp || why == admitted && g.isUntold(o)) {
		asked, err := g.probe(ctx, o, integrationID)
		if err != nil && why != admitted {
			return err
		}
		b, why = g.refuse(o, class)
		if asked && (why == byReserve || why == byApp) && b.Now.Sub(b.Told.At) >= LookAgain {
			why = admitted // it does not tell its limits: the answer to this very call has to
		}
	}
	if why == admitted {
		if err = g.take(ctx, o, b.MostOf(class)); err == nil {
			g.meter(ctx, o, integrationID)
			g.stats.Admitted.Add(1)
			return nil
		}
		if !fault.Is(err, fault.Quota) {
			return err
		}
		// Others have used it up since this was read.
		if err := g.load(ctx, o, 0); err != nil {
			return err
		}
		b, _ = g.refuse(o, class)
		why = byShare
	}
	switch why {
	case byReserve:
		g.stats.ByReserve.Add(1)
	case byApp:
		g.stats.ByApp.Add(1)
	default:
		g.stats.ByShare.Add(1)
	}
	// No call is made that would store what the refusal rests on.
	if err := g.tell(ctx, o); err != nil {
		return err
	}
	return b.err(class, why)
}

// tell stores what Salesforce said last, unless it is stored: people and other processes read it there.
func (g *Governor) tell(ctx context.Context, o *org) error {
	o.mu.Lock()
	told, news := o.told, o.told.At.After(o.storedAt)
	o.mu.Unlock()
	if !news {
		return nil
	}
	if err := g.Store.SaveTold(ctx, o.id, told); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.storedAt = told.At
	return nil
}

// Room reports whether a piece of work that can wait may begin: whether there is enough
// left for it and for news besides. Work that was let in goes on as Underway.
func (g *Governor) Room(ctx context.Context, integrationID string) (bool, error) {
	o, err := g.find(ctx, integrationID)
	if err != nil || o == nil {
		return err == nil, err
	}
	if err := g.load(ctx, o, fresh); err != nil {
		return false, err
	}
	_, why := g.refuse(o, Background)
	return why == admitted, nil
}

// meter counts an admitted call where it belongs: to a look, or to the reading of what a
// look found. What can wait belongs to neither.
func (g *Governor) meter(ctx context.Context, o *org, integrationID string) {
	if m := meterOf(ctx); m != nil {
		m.calls.Add(1)
		return
	}
	if classOf(ctx) == Live {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pace(integrationID).reads++
	}
}

// pace is an integration's. The lock is held.
func (o *org) pace(integrationID string) *pace {
	if o.paces[integrationID] == nil {
		o.paces[integrationID] = &pace{}
	}
	return o.paces[integrationID]
}

func (g *Governor) refuse(o *org, class Class) (Budget, refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := g.budget(o)
	why := b.refuse(class)
	if why != admitted {
		b.Own = slices.Clone(b.Own) // it is read once the lock is given back
	}
	return b, why
}

func (g *Governor) isUntold(o *org) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.untold && (o.refused.IsZero() || g.now(o).Sub(o.refused) >= refusedLimits)
}

// take counts one call in PostgreSQL, and here. fault.Quota when there is none left.
func (g *Governor) take(ctx context.Context, o *org, most int64) error {
	o.mu.Lock()
	told := o.told
	o.mu.Unlock()
	taken, err := g.Store.TakeCall(ctx, o.id, g.at(), told, most)
	if err != nil {
		return err
	}
	if !taken {
		return fault.New(fault.Quota, "the share of the org's API requests is used")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.storedAt = told.At
	start := g.now(o).Truncate(store.QuotaBucket)
	if n := len(o.read.Own); n > 0 && !o.read.Own[n-1].Start.Before(start) {
		o.read.Own[n-1].Calls++
	} else {
		o.read.Own = append(o.read.Own, store.QuotaCalls{Start: start, Calls: 1})
	}
	return nil
}

// probe asks the org for its limits, when it is this process's turn. asked is false when
// it is somebody else's.
func (g *Governor) probe(ctx context.Context, o *org, integrationID string) (asked bool, err error) {
	if asked, err = g.Store.ClaimProbe(ctx, o.id, g.at(), LookAgain); err != nil || !asked {
		return false, err
	}
	o.mu.Lock()
	refused := !o.refused.IsZero() && g.now(o).Sub(o.refused) < refusedLimits
	before := o.told.At
	o.mu.Unlock()
	if g.Limits == nil || refused {
		return true, nil
	}
	limits, err := g.Limits(context.WithValue(ctx, probeKey{}, true), integrationID)
	daily, there := limits["DailyApiRequests"]
	switch {
	case fault.Is(err, fault.Permission, fault.NotFound) || err == nil && (!there || daily.Max <= 0):
		o.mu.Lock()
		defer o.mu.Unlock()
		o.refused = g.now(o)
		return true, nil
	case err != nil:
		return false, err // the call it was asked for would meet the same
	}
	o.mu.Lock()
	if !o.told.At.After(before) { // else the answer's header has said it, and of the app too
		o.told = store.QuotaTold{Max: int64(daily.Max), Used: int64(daily.Max - daily.Remaining), At: g.now(o)}
	}
	told := o.told
	o.storedAt = told.At
	o.mu.Unlock()
	return true, g.Store.SaveTold(ctx, o.id, told)
}

// Observe takes note of what an answer says of the org's requests. It does not block:
// what it learns is stored with the next call or look.
func (g *Governor) Observe(integrationID string, call salesforce.Call) {
	g.mu.Lock()
	o := g.orgOf[integrationID]
	g.mu.Unlock()
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	u := call.Usage
	switch {
	case u.Max > 0:
		o.told = store.QuotaTold{Used: int64(u.Used), Max: int64(u.Max), AppUsed: int64(u.AppUsed), AppMax: int64(u.AppMax), At: g.now(o)}
		o.untold = false
	// Bulk jobs have an allowance of their own, and a refusal with a code of its own.
	case call.Fault == fault.Quota && call.Code == "REQUEST_LIMIT_EXCEEDED" && o.told.Max > 0:
		o.told.Used, o.told.At = o.told.Max, g.now(o) // all of it is used, says the refusal
	case call.Fault == "" && call.Status > 0 && call.Kind != "limits":
		o.untold = true
	}
}

// Pace is asked after each look for news: how long until the next one may be, for an
// integration that wants it after wanted and whose look cost so many calls.
func (g *Governor) Pace(ctx context.Context, integrationID string, wanted time.Duration, calls int) (time.Duration, error) {
	o, err := g.find(ctx, integrationID)
	if err != nil || o == nil {
		return wanted, err
	}
	if err := g.load(ctx, o, fresh); err != nil {
		return wanted, err
	}
	o.mu.Lock()
	mine := o.pace(integrationID)
	if mine.calls == 0 {
		for _, m := range o.read.Members {
			if m.IntegrationID == integrationID && m.Pace != nil {
				mine.stored, mine.calls, mine.spent = *m.Pace, m.Pace.Calls, m.Pace.Spent
			}
		}
	}
	all := float64(calls + min(mine.reads, mostReads))
	mine.reads = 0
	if mine.calls <= 0 {
		mine.calls, mine.spent = float64(max(calls, 1)), max(all, 1)
	} else {
		if calls > 0 { // a look that asked nothing says nothing
			mine.calls += learning * (float64(calls) - mine.calls)
		}
		mine.spent += learning * (all - mine.spent)
	}
	b := g.budget(o)
	every, reason := b.Pace(Demand{Wanted: wanted, Calls: max(mine.calls, mine.spent)}, Demands(o.read, integrationID))
	now := store.QuotaPace{Wanted: wanted, Paced: every, Calls: mine.calls, Spent: mine.spent, Reason: reason, At: b.Now}
	save := differs(mine.stored, now)
	tell := b.Now.Sub(o.storedAt) >= tellEvery || b.refuse(Live) != admitted // nobody may call for long
	o.mu.Unlock()
	if save {
		if err := g.Store.SavePace(ctx, integrationID, now); err != nil {
			return wanted, err
		}
	}
	if tell {
		if err := g.tell(ctx, o); err != nil {
			return wanted, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if save {
		mine.stored = now
	}
	return every, nil
}

// differs reports whether a pace is worth storing over the one that is.
func differs(stored, now store.QuotaPace) bool {
	far := func(a, b float64) bool { return math.Abs(a-b) > 0.25*max(a, b) }
	return stored.Wanted != now.Wanted || (stored.Reason == "") != (now.Reason == "") ||
		far(stored.Paced.Seconds(), now.Paced.Seconds()) || far(stored.Calls, now.Calls) || far(stored.Spent, now.Spent) || now.At.Sub(stored.At) >= 10*time.Minute
}

// Fullest is the budget of the org that is nearest to a wall, of those this process
// calls, for metrics; ok is false when it calls none.
func (g *Governor) Fullest() (fullest Budget, ok bool) {
	g.mu.Lock()
	orgs := make([]*org, 0, len(g.orgs))
	for _, o := range g.orgs {
		orgs = append(orgs, o)
	}
	g.mu.Unlock()
	most := -1.0
	for _, o := range orgs {
		o.mu.Lock()
		if !o.readAt.IsZero() {
			b := g.budget(o)
			b.Own = append([]store.QuotaCalls(nil), b.Own...)
			fill := float64(b.Spent()) / float64(b.Most())
			if room := float64(b.Max()) - b.Terms.Reserve.Of(b.Max()); room > 0 {
				fill = max(fill, float64(b.Told.Used)/room)
			}
			if fill > most {
				most, fullest, ok = fill, b, true
			}
		}
		o.mu.Unlock()
	}
	return fullest, ok
}
