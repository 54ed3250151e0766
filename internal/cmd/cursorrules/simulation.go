package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"salesforcesync/internal/store/simtime"
)

const (
	// interval is the same for all rules, and the product's default.
	interval = 10 * time.Second
	// quiet is how long nothing is written at the end: whoever has not got something by
	// then will never get it.
	quiet = 15 * time.Minute
	// settling is for the product's first load of an empty object, before anything is counted.
	settling = 5 * time.Minute
)

// outcome is what one rule made of the day.
type outcome struct {
	name string
	*account
	day spent
}

// spent is what a rule asked and got while things were written.
type spent struct {
	calls, rows, again, light int
	kinds                     map[string]int
	bytes                     int64
}

// result is a simulated day.
type result struct {
	work     workload
	org      *org
	others   []outcome // in the order of rules
	ours     outcome
	claims   claims
	comments int // in the product's store at the end
}

// simulate runs all rules side by side on one org.
func simulate(ctx context.Context, w workload, db *simtime.Database) (*result, error) {
	o, err := newOrg(w, w.begin.Add(-settling))
	if err != nil {
		return nil, err
	}
	u, err := newOurs(ctx, o, db)
	if err != nil {
		return nil, err
	}
	for o.now().Before(w.begin) {
		if err := u.tick(ctx); err != nil {
			return nil, err
		}
		o.set(o.now().Add(interval))
	}
	fresh := newAccount(o)
	fresh.next = u.next
	*u.account = *fresh
	u.claims = claims{}
	o.sim.ResetCounters()

	s := &simulation{org: o, ours: u, jitter: rand.New(rand.NewPCG(w.seed, 0x71c7))} //nolint:gosec // a workload that can be repeated
	for _, r := range rules {
		t, err := newTool(o, r, w.begin)
		if err != nil {
			return nil, err
		}
		s.tools = append(s.tools, t)
	}
	end := w.begin.Add(w.length)
	if err := s.until(ctx, w.begin, end, w.events(o)); err != nil {
		return nil, err
	}
	res := &result{work: w, org: o, ours: outcome{name: "**ours**", account: u.account, day: u.spent()}}
	for _, t := range s.tools {
		res.others = append(res.others, outcome{name: t.name, account: t.account, day: t.spent()})
	}
	if err := s.until(ctx, end, end.Add(quiet), nil); err != nil {
		return nil, err
	}
	total := u.total()
	for _, t := range s.tools {
		total += t.total()
	}
	if counted := o.sim.Counters(); counted.Total != total+counted.Kinds["token_refresh"] {
		return nil, fmt.Errorf("the rules made %d calls, and the simulator has counted %d: %v", total, counted.Total, counted.Kinds)
	}
	res.claims = u.claims
	res.comments, err = u.compare(ctx)
	return res, err
}

func (a *account) spent() spent {
	kinds := map[string]int{}
	for k, n := range a.calls {
		kinds[k] = n
	}
	return spent{calls: a.total(), rows: a.rows, again: a.again, light: a.light, kinds: kinds, bytes: a.bytes}
}

type simulation struct {
	org    *org
	tools  []*tool
	ours   *ours
	jitter *rand.Rand
}

// until lets time pass: what is written happens at its moment, and once an interval
// everybody looks. They look somewhere in a second, not at its beginning, or none would
// ever see a second that is not over.
func (s *simulation) until(ctx context.Context, from, to time.Time, events []event) error {
	for next := from; next.Before(to); next = next.Add(interval) {
		at := next.Add(time.Duration(s.jitter.Int64N(int64(time.Second))))
		for len(events) > 0 && !events[0].at.After(at) {
			s.org.set(events[0].at)
			if err := events[0].run(s.org); err != nil {
				return err
			}
			events = events[1:]
		}
		s.org.set(at)
		for _, t := range s.tools {
			if err := t.poll(ctx); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if err := s.ours.tick(ctx); err != nil {
			return err
		}
	}
	for _, e := range events { // what is left of the last interval
		s.org.set(e.at)
		if err := e.run(s.org); err != nil {
			return err
		}
	}
	return nil
}
