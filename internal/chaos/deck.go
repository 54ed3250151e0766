package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/netfault"
)

// What can happen to a process.
const (
	killed = "SIGKILL" // at once, as by a crash
	frozen = "SIGSTOP" // for a while, with its connections open
	ended  = "SIGTERM" // in order
)

// card is a fault that can be drawn.
type card struct {
	what    string // one of the above; "" = a way is broken
	members []*member
	way     *netfault.Proxy
}

// target is whom the fault hits.
func (c card) target() string {
	if c.way != nil {
		return c.way.Name()
	}
	var names []string
	for _, m := range c.members {
		names = append(names, m.name)
	}
	return strings.Join(names, " and ")
}

// event is a fault that happened.
type event struct {
	what, target string
	kind         netfault.Kind // of a way
	detail       string
	began, over  time.Time
}

func (e event) String() string {
	return fmt.Sprintf("%s %s%s at %s for %s", e.what, e.target, e.detail, e.began.Format(time.TimeOnly), e.over.Sub(e.began).Round(100*time.Millisecond))
}

// deck draws faults. Every fault comes once before one comes again; what kills and what parts comes first.
type deck struct {
	r *Run

	mu     sync.Mutex
	g      *rand.Rand
	cards  []card
	left   []card
	kinds  map[*netfault.Proxy][]netfault.Fault // that a way has still to see
	busy   map[any]bool                         // members and ways that a fault has
	events []event
	stops  time.Duration // the longest that a program took to end in order
}

func newDeck(r *Run) *deck {
	d := &deck{r: r, g: rand.New(rand.NewPCG(r.o.Seed, 2)), kinds: map[*netfault.Proxy][]netfault.Fault{}, busy: map[any]bool{}}
	s := r.stack
	var first, then []card
	for _, w := range s.ways {
		first = append(first, card{way: w})
	}
	for _, m := range s.members {
		first = append(first, card{what: killed, members: []*member{m}})
		then = append(then, card{what: frozen, members: []*member{m}})
	}
	for _, m := range slices.Concat(s.workers, s.authsvcs) {
		then = append(then, card{what: ended, members: []*member{m}})
	}
	then = append(then, card{what: killed, members: s.workers}, card{what: killed, members: s.authsvcs})
	shuffle(d.g, first)
	shuffle(d.g, then)
	d.cards = slices.Concat(first, then)
	d.left = slices.Clone(d.cards)
	return d
}

func shuffle[T any](g *rand.Rand, list []T) {
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// draw takes the next card whose target has no fault, and how long it lasts.
func (d *deck) draw() (c card, f netfault.Fault, lasts time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		d.left = slices.Clone(d.cards)
		shuffle(d.g, d.left)
	}
	i := slices.IndexFunc(d.left, func(c card) bool {
		return !d.busy[c.way] && !slices.ContainsFunc(c.members, func(m *member) bool { return d.busy[m] })
	})
	if i < 0 {
		return card{}, f, 0, false
	}
	c = d.left[i]
	d.left = slices.Delete(d.left, i, i+1)
	d.hold(c, true)
	if c.way != nil {
		f = d.fault(c.way)
	}
	return c, f, d.between(d.r.o.Shortest, d.r.o.Longest), true
}

func (d *deck) hold(c card, busy bool) {
	if c.way != nil {
		d.busy[c.way] = busy
	}
	for _, m := range c.members {
		d.busy[m] = busy
	}
}

func (d *deck) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.g.Int64N(int64(most-least)+1))
}

// fault is what happens to a way next: each kind comes once before one comes again.
func (d *deck) fault(w *netfault.Proxy) netfault.Fault {
	if len(d.kinds[w]) == 0 {
		d.kinds[w] = []netfault.Fault{
			{Kind: netfault.Refuse}, {Kind: netfault.Cut},
			{Kind: netfault.Stall}, {Kind: netfault.Stall, Direction: netfault.ToServer}, {Kind: netfault.Stall, Direction: netfault.ToClient},
			{Kind: netfault.Vanish}, {Kind: netfault.Vanish, Direction: netfault.ToServer}, {Kind: netfault.Vanish, Direction: netfault.ToClient},
			{Kind: netfault.Delay, Delay: d.between(50*time.Millisecond, time.Second)},
			{Kind: netfault.Throttle, Rate: 2000 + d.g.IntN(50_000)},
			{Kind: netfault.CutAfter, Bytes: d.g.IntN(4000)},
		}
		shuffle(d.g, d.kinds[w])
	}
	f := d.kinds[w][0]
	d.kinds[w] = d.kinds[w][1:]
	return f
}

// lane has one fault after the other until ctx ends; the last one is over then.
func (d *deck) lane(ctx context.Context) {
	for {
		d.mu.Lock()
		pause := d.between(0, d.r.o.Pause)
		d.mu.Unlock()
		if !wait(ctx, pause) {
			return
		}
		c, f, lasts, ok := d.draw()
		if !ok {
			continue
		}
		e := event{what: c.what, target: c.target(), began: time.Now()}
		if c.way != nil {
			e.what, e.kind, e.detail = "partition of", f.Kind, ": "+f.String()
		}
		d.r.say("%s %s%s, for %s", e.what, e.target, e.detail, lasts.Round(100*time.Millisecond))
		if err := d.play(ctx, c, f, lasts); err != nil {
			d.r.off("the faults", "%s: %v", e.target, err)
		}
		e.over = time.Now()
		d.mu.Lock()
		d.hold(c, false)
		d.events = append(d.events, e)
		d.mu.Unlock()
	}
}

// play has the fault and ends it. When ctx ends it is over early, and everything is back all the same.
func (d *deck) play(ctx context.Context, c card, f netfault.Fault, lasts time.Duration) error {
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if c.way != nil {
		c.way.Break(f)
		if f.Kind != netfault.Cut {
			wait(ctx, lasts)
		}
		return c.way.Heal(back)
	}
	if c.members[0] == d.r.stack.org {
		return d.r.withoutSalesforce(back, func() error { return d.strike(ctx, back, c, lasts) })
	}
	return d.strike(ctx, back, c, lasts)
}

// strike hits processes and brings them back.
func (d *deck) strike(ctx, back context.Context, c card, lasts time.Duration) error {
	if c.what == frozen {
		proc := c.members[0].process()
		if err := proc.Freeze(); err != nil {
			return err
		}
		wait(ctx, lasts)
		return proc.Thaw()
	}
	for _, m := range c.members {
		proc := m.end()
		if c.what == killed {
			if err := proc.Kill(); err != nil {
				return err
			}
			continue
		}
		began := time.Now()
		if err := proc.Stop(); err != nil {
			d.r.off("a graceful stop", "%s: %v", m.name, err)
		}
		d.mu.Lock()
		d.stops = max(d.stops, time.Since(began))
		d.mu.Unlock()
	}
	wait(ctx, lasts)
	for _, m := range c.members {
		if err := m.start(back); err != nil {
			return err
		}
	}
	return nil
}

// lately lists what was over last, for a person who wonders what took so long.
func (d *deck) lately(since time.Time) []event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []event
	for _, e := range d.events {
		if e.over.After(since) {
			out = append(out, e)
		}
	}
	return out
}
