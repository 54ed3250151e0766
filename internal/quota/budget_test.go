package quota

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is an org and the integrations on it, as time passes.
type world struct {
	b     Budget
	calls []time.Time // every one that was made, in order
}

func newWorld(most int64, terms config.Quota) *world {
	return &world{b: Budget{Now: noon, Terms: terms, Told: store.QuotaTold{Max: most, At: noon}}}
}

// try makes a call if it may.
func (w *world) try(c Class) bool {
	if w.b.refuse(c) != admitted {
		return false
	}
	start := w.b.Now.Truncate(store.QuotaBucket)
	if n := len(w.b.Own); n > 0 && w.b.Own[n-1].Start.Equal(start) {
		w.b.Own[n-1].Calls++
	} else {
		w.b.Own = append(w.b.Own, store.QuotaCalls{Start: start, Calls: 1})
	}
	for len(w.b.Own) > 0 && !w.b.Own[0].Start.Add(kept).After(w.b.Now) {
		w.b.Own = w.b.Own[1:]
	}
	w.calls = append(w.calls, w.b.Now)
	return true
}

// fullestDay is the most calls that any day held, wherever it begins.
func (w *world) fullestDay() int {
	most, first := 0, 0
	for i, at := range w.calls {
		for !w.calls[first].After(at.Add(-Day)) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Whoever asks, however wildly: no day holds more calls than the share, and what was
// refused is admitted at the time that the refusal named, if nobody else was faster.
func TestNoDayHoldsMoreThanTheShare(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			terms := config.Quota{Share: config.Percent(1 + r.IntN(60)), Reserve: config.Percent(r.IntN(30))}
			w := newWorld(int64(100+r.IntN(3000)), terms)
			end := noon.Add(4 * Day)
			refused, resumed := 0, 0
			for w.b.Now.Before(end) {
				switch r.IntN(10) {
				case 0: // a burst
					for range r.IntN(400) {
						w.try(Class(r.IntN(2)))
					}
				case 1:
					w.b.Now = w.b.Now.Add(time.Duration(r.Int64N(int64(8 * time.Hour))))
				}
				w.b.Now = w.b.Now.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))
				if w.try(Live) {
					continue
				}
				refused++
				wait := w.b.wait(Live, byShare)
				require.Positive(t, wait)
				require.LessOrEqual(t, wait, kept)
				require.Equal(t, fault.Quota, fault.KindOf(w.b.err(Live, byShare)))
				w.b.Now = w.b.Now.Add(wait - time.Nanosecond)
				if w.b.MostOf(Live) >= 200 { // enough is more than one then
					require.Less(t, w.b.MostOf(Live)-w.b.Spent(), max(w.b.MostOf(Live)/100, 1))
				}
				w.b.Now = w.b.Now.Add(time.Nanosecond)
				require.True(t, w.try(Live), "it goes on when it was said to")
				require.GreaterOrEqual(t, w.b.MostOf(Live)-w.b.Spent(), max(w.b.MostOf(Live)/100, 1)-1, "with some calls to go on with")
				resumed++
			}
			require.LessOrEqual(t, w.fullestDay(), int(w.b.Most()))
			if refused > 0 {
				require.Equal(t, refused, resumed)
			}
		})
	}
}

// looker is an integration that looks for news at the pace it is given.
type looker struct {
	wanted  time.Duration
	calls   int
	reads   int // after each look
	next    time.Time
	looks   int
	longest time.Duration // between two looks
	walls   int
}

func (l *looker) demand() Demand { return Demand{Wanted: l.wanted, Calls: float64(l.calls + l.reads)} }

// run lets lookers look until end and calls seen before each interval is used.
func (w *world) run(end time.Time, lookers []*looker, seen func(l *looker, every time.Duration, reason string)) {
	for _, l := range lookers {
		l.next = w.b.Now
	}
	for {
		at := lookers[0]
		for _, l := range lookers {
			if l.next.Before(at.next) {
				at = l
			}
		}
		if w.b.Now = at.next; !w.b.Now.Before(end) {
			return
		}
		made := 0
		for made < at.calls+at.reads && w.try(Live) {
			made++
		}
		if made < at.calls+at.reads {
			at.walls++
			at.next = w.b.Now.Add(w.b.wait(Live, byShare))
			continue
		}
		at.looks++
		var others []Demand
		for _, l := range lookers {
			if l != at {
				others = append(others, l.demand())
			}
		}
		every, reason := w.b.Pace(at.demand(), others)
		at.longest = max(at.longest, every)
		if seen != nil {
			seen(at, every, reason)
		}
		at.next = w.b.Now.Add(every)
	}
}

// Looking alone never runs into the wall, whatever the numbers; no day holds more than
// the share, nobody starves, and what there is is used.
func TestLookingNeverMeetsTheWall(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(int64(5000+r.IntN(40000)), config.Quota{Share: config.Percent(5 + r.IntN(40)), Reserve: 10})
			var lookers []*looker
			var demands []Demand
			wants := 0.0
			for range 1 + r.IntN(6) {
				l := &looker{wanted: time.Duration(3+r.IntN(120)) * time.Second, calls: 1 + r.IntN(3)}
				lookers, demands = append(lookers, l), append(demands, l.demand())
				wants += l.demand().rate()
			}
			w.run(noon.Add(2*Day), lookers, func(l *looker, every time.Duration, reason string) {
				require.GreaterOrEqual(t, every, l.wanted)
				require.Equal(t, every > l.wanted, reason != "", "%s %q", every, reason)
				var others []Demand
				for i, o := range lookers {
					if o != l {
						others = append(others, demands[i])
					}
				}
				require.LessOrEqual(t, every, max(l.wanted, slowest, 4*w.b.Steady(l.demand(), others)))
			})
			for _, l := range lookers {
				require.Zero(t, l.walls, "%+v", l)
				require.Positive(t, l.looks)
			}
			day := w.fullestDay()
			require.LessOrEqual(t, day, int(w.b.Most()))
			if wants*Day.Seconds() > float64(w.b.Most()) {
				require.Greater(t, float64(day), 0.85*float64(w.b.Most()), "it uses what it may")
			} else if wants*kept.Seconds() < looking*float64(w.b.Most()) {
				for _, l := range lookers {
					require.Equal(t, l.wanted, l.longest, "there is enough for all: nobody is slowed down")
				}
			}
		})
	}
}

// The example of the documentation: 20 % of 15,000.
func TestTwentyPercentOfFifteenThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(15000, config.DefaultQuota)
	require.EqualValues(t, 3000, w.b.Most())
	require.InDelta(t, 28.8, Day.Seconds()/float64(w.b.Most()), 0.001, "one call in 29 s")
	one := Demand{Wanted: 10 * time.Second, Calls: 1}
	require.Equal(t, 32300*time.Millisecond, w.b.Steady(one, nil), "nine tenths of it are for looking")
	require.Equal(t, 64500*time.Millisecond, w.b.Steady(one, []Demand{one}), "two share it")
	require.Equal(t, 10*time.Minute, w.b.Steady(Demand{Wanted: 10 * time.Minute, Calls: 1}, []Demand{one}), "who wants less has what it wants")

	l := &looker{wanted: 10 * time.Second, calls: 1}
	var last time.Duration
	w.run(noon.Add(5*Day), []*looker{l}, func(_ *looker, every time.Duration, _ string) {
		if w.b.Now.After(noon.Add(time.Hour)) && last > 0 {
			require.Less(t, float64(every), 1.2*float64(last), "at %s: no jump", w.b.Now)
		}
		last = every
	})
	steady := w.b.Steady(one, nil)
	require.InDelta(t, steady.Seconds(), last.Seconds(), 0.25*steady.Seconds(), "after five days it is as steady as plan says")
	require.Less(t, l.longest, 50*time.Second)
	t.Logf("measured: looking every 10 s at 20 %% of 15,000 requests: %d calls in the fullest of five days, longest interval %s, the last one %s",
		w.fullestDay(), l.longest, last)
}

// Reading what was found uses the share too: looks become rarer by as much, and none of
// it meets the wall while it goes on evenly.
func TestReadingSlowsLooking(t *testing.T) {
	t.Parallel()
	for _, reads := range []int{1, 3, 8} {
		w := newWorld(15000, config.DefaultQuota)
		l := &looker{wanted: 10 * time.Second, calls: 1, reads: reads}
		w.run(noon.Add(4*Day), []*looker{l}, nil)
		require.Zero(t, l.walls, "%d reads after each look", reads)
		require.LessOrEqual(t, w.fullestDay(), 3000)
		require.Greater(t, w.fullestDay(), 2600, "%d reads: what there is is used", reads)
		require.Less(t, l.longest, time.Duration(reads+1)*45*time.Second)
	}
}

// Reading that nobody foresaw eats into looking until there is a balance.
func TestUnforeseenReadingFindsABalance(t *testing.T) {
	t.Parallel()
	w := newWorld(15000, config.DefaultQuota)
	const reads = 3
	blind := Demand{Wanted: 10 * time.Second, Calls: 1} // what it says it costs
	walls, looks := 0, 0
	for w.b.Now.Before(noon.Add(5 * Day)) {
		made := 0
		for made < 1+reads && w.try(Live) {
			made++
		}
		if made < 1+reads {
			if w.b.Now.After(noon.Add(kept)) { // on the first day nothing becomes free
				walls++
			}
			w.b.Now = w.b.Now.Add(w.b.wait(Live, byShare))
			continue
		}
		looks++
		every, _ := w.b.Pace(blind, nil)
		require.LessOrEqual(t, every, slowest)
		w.b.Now = w.b.Now.Add(every)
	}
	require.Zero(t, walls)
	require.Greater(t, looks, 5*2700/(1+reads)*9/10)
	require.LessOrEqual(t, w.fullestDay(), 3000)
}

// A flood that uses up what Background may leaves room to look for news all day.
func TestAFloodLeavesRoomForNews(t *testing.T) {
	t.Parallel()
	w := newWorld(15000, config.DefaultQuota)
	for w.try(Background) {
	}
	require.EqualValues(t, 2100, w.b.Spent())
	wait := w.b.wait(Background, byShare)
	require.InDelta(t, kept.Seconds(), wait.Seconds(), 600, "all of it was a moment ago")
	l := &looker{wanted: 10 * time.Second, calls: 1}
	w.run(noon.Add(2*Day), []*looker{l}, nil)
	require.Zero(t, l.walls)
	require.Less(t, l.longest, 4*time.Minute)

	// A flood that nobody declared takes everything; then it is said until when.
	w = newWorld(15000, config.DefaultQuota)
	for w.try(Live) {
	}
	require.EqualValues(t, 3000, w.b.Spent())
	require.Equal(t, noon.Add(kept), w.b.GoesOn())
	w.b.Now = w.b.GoesOn()
	require.True(t, w.b.GoesOn().IsZero())
}

// Near the reserve looks become rarer as others use the org up, and at it they stop for
// a short while each.
func TestTheReserveIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(15000, config.DefaultQuota)
	one := Demand{Wanted: 10 * time.Second, Calls: 1}
	last := time.Duration(0)
	for used := int64(12000); used < 13500; used += 10 {
		w.b.Told.Used = used
		require.Equal(t, admitted, w.b.refuse(Live), "%d", used)
		every, reason := w.b.Pace(one, nil)
		require.GreaterOrEqual(t, every, last)
		require.LessOrEqual(t, every, slowest)
		if every > one.Wanted {
			require.Contains(t, reason, "requests of 24 hours left")
		}
		last = every
	}
	require.Greater(t, last, 5*time.Minute)
	require.Equal(t, byReserve, w.b.refuse(Background), "what can wait stops earlier")
	w.b.Told.Used = 13500
	require.Equal(t, byReserve, w.b.refuse(Live))
	require.Equal(t, LookAgain, w.b.wait(Live, byReserve))
	require.ErrorContains(t, w.b.err(Live, byReserve), "the org has 1,500 of its 15,000 API requests of 24 hours left, and 10% are kept for other programs")
	w.b.Now = noon.Add(3 * time.Hour)
	require.Equal(t, time.Minute, w.b.wait(Live, byReserve), "the word is old: soon")

	w.b.Terms.Reserve = 0
	require.Equal(t, admitted, w.b.refuse(Live), "nothing is kept back where nobody wants it")
	w.b.Told.Used = 15001 // Salesforce lets orgs exceed it a little
	require.Equal(t, byReserve, w.b.refuse(Live))
	require.ErrorContains(t, w.b.err(Live, byReserve), "the org has 0 of its")
}

// Where the org gives the app an allowance, that is the budget if it is the smaller one.
func TestTheAppsAllowance(t *testing.T) {
	t.Parallel()
	w := newWorld(100000, config.DefaultQuota)
	w.b.Told.AppMax = 250
	require.EqualValues(t, 250, w.b.Most())
	every, reason := Budget{Now: noon, Terms: w.b.Terms, Told: w.b.Told, Own: []store.QuotaCalls{{Start: noon, Calls: 100}}}.Pace(Demand{Wanted: 10 * time.Second, Calls: 1}, nil)
	require.Greater(t, every, 6*time.Minute)
	require.Contains(t, reason, "allows the app 250")
	w.b.Told.AppUsed = 250 // another installation has used it
	require.Equal(t, byApp, w.b.refuse(Live))
	require.ErrorContains(t, w.b.err(Live, byApp), "250 of the 250 API requests that the org allows it")
	require.Equal(t, LookAgain, w.b.wait(Live, byApp))
	w.b.Told.AppMax = 1_000_000
	require.EqualValues(t, 20000, w.b.Most())
}

// counts is the part of a bucket that is less than a day old.
func counts(start, now time.Time) float64 {
	return min(max(start.Add(kept).Sub(now).Seconds()/store.QuotaBucket.Seconds(), 0), 1)
}

// The fastest pace that lasts, against the plain definition: at no moment of the coming
// day would more be used than is free by then.
func TestEvenIsTheFastestThatLasts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := Budget{Now: noon.Add(time.Duration(r.Int64N(int64(store.QuotaBucket))))}
		spent := int64(0)
		for start := b.Now.Add(-kept).Truncate(store.QuotaBucket); !start.After(b.Now); start = start.Add(store.QuotaBucket) {
			if n := r.Int64N(40); r.IntN(3) > 0 {
				b.Own = append(b.Own, store.QuotaCalls{Start: start, Calls: n + 1})
				spent += n + 1
			}
		}
		budget := float64(spent) * (1 + r.Float64())
		pace := b.even(budget)
		tight := math.Inf(1)
		for at := b.Now.Truncate(store.QuotaBucket).Add(2 * store.QuotaBucket); at.Before(b.Now.Add(kept + store.QuotaBucket)); at = at.Add(store.QuotaBucket) {
			h := at.Sub(b.Now)
			free := budget
			for _, o := range b.Own {
				free -= float64(o.Calls) * counts(o.Start, b.Now.Add(h))
			}
			require.LessOrEqual(t, pace*h.Seconds(), free+1e-6, "seed %d, after %s", seed, h)
			tight = min(tight, free-pace*h.Seconds())
		}
		require.Less(t, tight, 5.0, "seed %d: no faster than it must be", seed)
	}
	require.Zero(t, Budget{Now: noon, Own: []store.QuotaCalls{{Start: noon, Calls: 50}}}.even(20), "more is used than there is")
	require.InDelta(t, 144/kept.Seconds(), Budget{Now: noon}.even(144), 1e-3)
}

// What one integration gets beside others: who wants little has it, the rest share evenly,
// and together they use what there is and no more.
func TestLevelIsFair(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		all := make([]Demand, 1+r.IntN(8))
		total := 0.0
		for i := range all {
			all[i] = Demand{Wanted: time.Duration(1+r.IntN(3600)) * time.Second, Calls: 1 + 5*r.Float64()}
			total += all[i].rate()
		}
		rate := total * 1.5 * r.Float64()
		each := level(rate, all[0], all[1:])
		used := 0.0
		for i, d := range all {
			require.InDelta(t, each, level(rate, d, append(append([]Demand{}, all[:i]...), all[i+1:]...)), 1e-9+each*1e-9, "all see the same")
			used += min(d.rate(), each)
		}
		if total <= rate {
			require.True(t, math.IsInf(each, 1))
		} else {
			require.InDelta(t, rate, used, 1e-6)
		}
	}
}

func TestStrictestOfTheFiles(t *testing.T) {
	t.Parallel()
	q := store.Quota{Now: noon, Members: []store.QuotaMember{
		{IntegrationID: "a", Running: true, Terms: config.Quota{Share: 30, Reserve: 5}, PollInterval: time.Second},
		{IntegrationID: "b", Terms: config.Quota{Share: 10, Reserve: 0}, PollInterval: time.Second},
		{IntegrationID: "c", Running: true, Terms: config.DefaultQuota, PollInterval: time.Minute, Pace: &store.QuotaPace{Calls: 1.5, Spent: 2.5}},
	}}
	require.Equal(t, config.Quota{Share: 10, Reserve: 10}, BudgetOf(q).Terms)
	require.Equal(t, config.DefaultQuota, BudgetOf(store.Quota{}).Terms)
	require.Equal(t, []Demand{{Wanted: time.Minute, Calls: 2.5}}, Demands(q, "a"), "a stopped one wants nothing")
	require.EqualValues(t, AssumedMax, BudgetOf(q).Max())
	require.False(t, BudgetOf(q).Known())
	require.EqualValues(t, 1, Budget{Terms: config.Quota{Share: 0.1}, Told: store.QuotaTold{Max: 100}}.Most())
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 15000: "15,000", 1234567: "1,234,567", -1000: "-1,000"} {
		require.Equal(t, want, number(n))
	}
}
