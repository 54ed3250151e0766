package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"salesforcesync/internal/simforce"
)

// unrest are the faults of Salesforce itself: answers that are wrong, late or cut, sessions that end, tokens that rotate.
type unrest struct {
	r *Run

	mu     sync.Mutex
	g      *rand.Rand
	knobs  map[string]any // as they should be; the simulator forgets them when it is killed
	faults map[string]int // given so far, by class
	acts   map[string]int // sessions ended and the like

	requests, rotations int
}

func newUnrest(r *Run) *unrest {
	return &unrest{r: r, g: rand.New(rand.NewPCG(r.o.Seed, 3)), faults: map[string]int{}, acts: map[string]int{},
		knobs: map[string]any{"rotation": "on", "session_ttl_seconds": 60, "latency_ms": 0}}
}

// set turns a knob, now and after each restart.
func (u *unrest) set(ctx context.Context, name string, value any) error {
	u.mu.Lock()
	u.knobs[name] = value
	u.mu.Unlock()
	return u.again(ctx)
}

// again turns the knobs to where they should be.
func (u *unrest) again(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.r.stack.control(ctx, http.MethodPatch, "knobs", u.knobs, nil)
}

// lane has one fault after the other until ctx ends; none is left then.
func (u *unrest) lane(ctx context.Context) {
	for wait(ctx, time.Duration(u.g.Int64N(int64(2*u.r.o.Pause)))) {
		u.r.load.writing.Lock() // while somebody takes Salesforce away it cannot be steered
		what, lasts, err := u.act(context.WithoutCancel(ctx))
		u.r.load.writing.Unlock()
		if err != nil {
			u.r.off("the faults", "Salesforce: %v", err)
			continue
		}
		u.r.say("Salesforce: %s", what)
		wait(ctx, lasts)
	}
	u.r.load.writing.Lock()
	defer u.r.load.writing.Unlock()
	if err := u.calm(context.WithoutCancel(ctx)); err != nil {
		u.r.off("the faults", "Salesforce: %v", err)
	}
}

// act does one thing, which lasts for a while.
func (u *unrest) act(ctx context.Context) (what string, lasts time.Duration, err error) {
	users := []string{simforce.SyncUser, simforce.OtherUser}
	lasts = time.Duration(1+u.g.IntN(int(u.r.o.Longest/time.Second))) * time.Second
	s := u.r.stack
	switch die := u.g.IntN(11); die {
	case 0, 1, 2, 3:
		c := simforce.Chaos{Rate: 0.05 + 0.4*u.g.Float64(), Seed: u.g.Uint64(), Classes: passing()}
		u.acts["times of random failures"]++
		return fmt.Sprintf("%.0f%% of requests fail", 100*c.Rate), lasts, s.control(ctx, http.MethodPost, "chaos", c, nil)
	case 4, 5:
		u.acts["sessions ended"]++
		return "sessions end", time.Second, s.control(ctx, http.MethodPost, "sessions/kill", map[string]string{"username": users[u.g.IntN(2)]}, nil)
	case 6:
		u.acts["token endpoint unavailable"]++
		return "the token endpoint is unavailable twice", time.Second, u.set(ctx, "token_error", simforce.OAuthFault{Status: 503, Error: "temporarily_unavailable", Times: 2})
	case 7:
		ms := u.g.IntN(1500)
		u.acts["slow"]++
		return fmt.Sprintf("every answer takes %d ms more", ms), lasts, u.set(ctx, "latency_ms", ms)
	case 8:
		c := simforce.Chaos{Rate: 0.3 + 0.7*u.g.Float64(), Seed: u.g.Uint64(), Classes: refusals}
		u.acts["times without rights"]++
		return fmt.Sprintf("%.0f%% of requests are refused for want of a right", 100*c.Rate), lasts, s.control(ctx, http.MethodPost, "chaos", c, nil)
	case 9:
		u.acts["cursors ended"]++
		return "cursors end", time.Second, s.control(ctx, http.MethodPost, "cursors/kill", nil, nil)
	default:
		size := []int{0, 7, 40}[u.g.IntN(3)]
		u.acts["small pages"]++
		return fmt.Sprintf("pages of %d", size), time.Second, u.set(ctx, "page_max", size)
	}
}

// refusals say that a right is missing. One that is given back, or was never gone, must be of use as soon as any fault is over.
var refusals = []string{"operation_too_large", "insufficient_access"}

// passing are the classes of faults that are over by themselves.
func passing() (names []string) {
	for _, c := range simforce.FaultClasses() {
		if !c.Lasting && !c.Heavy {
			names = append(names, c.Name)
		}
	}
	return names
}

// calm ends what lasts.
func (u *unrest) calm(ctx context.Context) error {
	u.mu.Lock()
	u.knobs["latency_ms"], u.knobs["token_error"] = 0, nil
	u.mu.Unlock()
	if err := u.again(ctx); err != nil {
		return err
	}
	if err := u.r.stack.control(ctx, http.MethodDelete, "chaos", nil, nil); err != nil {
		return err
	}
	return u.count(ctx)
}

// count adds up the faults that were given, which the simulator forgets when it is killed.
func (u *unrest) count(ctx context.Context) error {
	var c simforce.Counters
	if err := u.r.stack.control(ctx, http.MethodGet, "counters", nil, &c); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests += c.Total
	u.rotations += c.Kinds["token_refresh"] - c.Refused["token_refresh"]
	for class, n := range c.Faults {
		u.faults[class] += n
	}
	return u.r.stack.control(ctx, http.MethodDelete, "counters", nil, nil)
}

// withoutSalesforce takes the simulator away. What it has acknowledged is kept, as the real Salesforce keeps it: no
// write is under way, no transaction open, and its log is on disk.
func (r *Run) withoutSalesforce(ctx context.Context, do func() error) error {
	r.load.writing.Lock()
	defer r.load.writing.Unlock()
	if err := r.stack.commitAll(ctx); err != nil {
		return err
	}
	if err := r.unrest.count(ctx); err != nil {
		return err
	}
	wait(ctx, 600*time.Millisecond) // its log is written every quarter of a second
	if err := do(); err != nil {
		return err
	}
	return r.unrest.again(ctx)
}
