package quota

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

const (
	// Day is what Salesforce counts requests over; it rolls.
	Day = 24 * time.Hour
	// kept is how long a bucket counts: until its last call is a day old.
	kept = Day + store.QuotaBucket

	// LookAgain is how old Salesforce's word may be that the org's requests run short
	// before it is asked for again. Its numbers lag by up to five minutes.
	LookAgain = 10 * time.Minute

	// AssumedMax is what an org of unknown size is taken for: the smallest there is for
	// longer use, a Developer Edition. The first answer says the true number.
	AssumedMax = 15000
)

// Parts of the share.
const (
	// looking is what looking for news may fill. The rest is for reading what was found.
	looking = 0.9
	// free is below which nobody is slowed down for the share's sake alone; what was
	// slowed down becomes gradually slower up to here.
	free = 0.2
	// backgroundPart is what work that can wait may fill.
	backgroundPart = 0.7
)

// slowest is how far a look is put off at most while there is anything to look with,
// unless so many integrations share the org that this is too often for all of them.
const slowest = 15 * time.Minute

// Class says how urgent a call is.
type Class int

// Classes of calls.
const (
	Live       Class = iota // news, and whatever nobody declared otherwise
	Background              // can wait: loads of old records, repairs, sweeps. Leaves room for Live
	Underway                // of a piece of background work that was let in: it is admitted like Live, so that it ends
)

// Budget is what is known of an org's requests at one moment.
type Budget struct {
	Now   time.Time
	Terms config.Quota       // the strictest of the org's integrations
	Told  store.QuotaTold    // by Salesforce; zero before the first answer
	Own   []store.QuotaCalls // our own calls, oldest first
}

// Max is the org's requests per day.
func (b Budget) Max() int64 {
	if b.Told.Max <= 0 {
		return AssumedMax
	}
	return b.Told.Max
}

// Known reports whether Salesforce has said how many requests the org has.
func (b Budget) Known() bool { return b.Told.Max > 0 }

// Most is how many calls of our own a day may hold: the share of the org's, and no more
// than the app's allowance, where the org set one. It is never less than one.
func (b Budget) Most() int64 {
	most := int64(b.Terms.Share.Of(b.Max()))
	if b.Told.AppMax > 0 {
		most = min(most, b.Told.AppMax)
	}
	return max(most, 1)
}

// MostOf is Most for a class.
func (b Budget) MostOf(c Class) int64 {
	if c == Background {
		return max(int64(float64(b.Most())*backgroundPart), 1)
	}
	return b.Most()
}

// Spent is how many calls of our own count at present. A bucket counts until its last
// moment is a day old, so that no day, wherever it begins, holds more than Most.
func (b Budget) Spent() int64 {
	n := int64(0)
	for _, c := range b.Own {
		if c.Start.Add(kept).After(b.Now) {
			n += c.Calls
		}
	}
	return n
}

// Left is how many requests the org has left above what is kept for others. Background
// stays clear of that by half as much again. It is negative below.
func (b Budget) Left(c Class) int64 {
	reserve := b.Terms.Reserve.Of(b.Max())
	if c == Background {
		reserve *= 1.5
	}
	return b.Max() - b.Told.Used - int64(math.Ceil(reserve))
}

// appLeft is what is left of the app's allowance, whoever used it.
func (b Budget) appLeft() int64 { return b.Told.AppMax - b.Told.AppUsed }

// refusal is why a call may not be made.
type refusal int

const (
	admitted refusal = iota
	byShare
	byReserve
	byApp
)

// refuse says whether a call may be made now.
func (b Budget) refuse(c Class) refusal {
	switch {
	case b.Spent() >= b.MostOf(c):
		return byShare
	case b.Known() && b.Left(c) <= 0:
		return byReserve
	case b.Told.AppMax > 0 && b.appLeft() <= 0:
		return byApp
	}
	return admitted
}

// GoesOn is when live calls may be made again, or zero when they may be now.
func (b Budget) GoesOn() time.Time {
	if why := b.refuse(Live); why != admitted {
		return b.Now.Add(b.wait(Live, why))
	}
	return time.Time{}
}

// wait is how long a refusal lasts. Our own calls leave the day bucket by bucket: enough
// have left when a hundredth of the budget is free, so that going on is worth it. What
// others use nobody can foresee: then it is until Salesforce is asked again.
func (b Budget) wait(c Class, why refusal) time.Duration {
	if why != byShare {
		return max(b.Told.At.Add(LookAgain).Sub(b.Now), time.Minute)
	}
	most := b.MostOf(c)
	spent, want := b.Spent(), most-max(most/100, 1)
	for _, o := range b.Own {
		leaves := o.Start.Add(kept)
		if !leaves.After(b.Now) {
			continue
		}
		if spent -= o.Calls; spent <= want {
			return leaves.Sub(b.Now)
		}
	}
	return time.Minute // not reached while Own holds what is spent
}

// err makes a fault of a refusal.
func (b Budget) err(c Class, why refusal) error {
	e := &fault.Error{Kind: fault.Quota, RetryAfter: b.wait(c, why)}
	switch why {
	case byReserve:
		e.Message = fmt.Sprintf("the org has %s of its %s API requests of 24 hours left, and %s are kept for other programs",
			number(max(b.Max()-b.Told.Used, 0)), number(b.Max()), b.Terms.Reserve)
		e.Hint = "nothing to do: it looks again every 10 minutes and goes on by itself; Salesforce Setup shows who uses the org's API requests"
	case byApp:
		e.Message = fmt.Sprintf("the app has used %s of the %s API requests that the org allows it in 24 hours", number(b.Told.AppUsed), number(b.Told.AppMax))
		e.Hint = "nothing to do: it goes on by itself; a Salesforce administrator can raise the app's allowance"
	default:
		e.Message = fmt.Sprintf("the share of the org's API requests is used: %s of %s in 24 hours (%s)",
			number(b.Spent()), number(b.MostOf(c)), b.shareText(c))
		e.Hint = "nothing to do: it goes on by itself as calls become a day old; a larger quota.share or a longer poll_interval in the integration file leave more room"
	}
	return e
}

func (b Budget) shareText(c Class) string {
	text := fmt.Sprintf("%s of %s", b.Terms.Share, number(b.Max()))
	if b.Told.AppMax > 0 && b.Most() == b.Told.AppMax {
		text = "the app's allowance"
	}
	if c == Background {
		text += ", less what is kept for news"
	}
	return text
}

// Demand is what one integration wants: looks at an interval, of so many calls each.
type Demand struct {
	Wanted time.Duration
	Calls  float64 // of one look and of reading what it found, on average
}

func (d Demand) rate() float64 { return d.Calls / d.Wanted.Seconds() }

// Steady is how often the integration of demand mine may look for good, beside others
// on the org, when nothing but looking is done. It is what plan prints.
func (b Budget) Steady(mine Demand, others []Demand) time.Duration {
	rate := looking * float64(b.Most()) / kept.Seconds()
	return stretch(mine, level(rate, mine, others))
}

// Pace is how long the integration of demand mine may wait for its next look, beside
// others on the org, and why that is longer than it wants; reason is "" when it is not.
// Nobody who can have the wanted interval gets another; what is left is shared evenly.
func (b Budget) Pace(mine Demand, others []Demand) (every time.Duration, reason string) {
	total := mine.rate()
	for _, o := range others {
		total += o.rate()
	}
	rate := b.even(looking * float64(b.Most()))
	most, spent := float64(b.Most()), float64(b.Spent())
	// What was meant for reading is used up by reading: look less and less, not at once not at all.
	spare := max(most-spent, 0) / ((1 - looking) * most)
	rate = max(rate, min(spare, 1)/2*b.even(most))
	if total > rate {
		rate += (total - rate) * max(1-spent/(free*most), 0)
	}
	reason = fmt.Sprintf("%s of the org's %s API requests in 24 hours", b.Terms.Share, number(b.Max()))
	if b.Told.AppMax > 0 && b.Most() == b.Told.AppMax {
		reason = fmt.Sprintf("the org allows the app %s API requests in 24 hours", number(b.Told.AppMax))
	}
	// What the org has left above the reserve is to last an hour, whoever else takes of it.
	if b.Known() {
		if last := float64(max(b.Left(Live), 0)) / time.Hour.Seconds(); last < rate {
			rate = last
			reason = fmt.Sprintf("the org has %s of its %s API requests of 24 hours left", number(max(b.Max()-b.Told.Used, 0)), number(b.Max()))
		}
	}
	if b.Told.AppMax > 0 {
		if last := float64(max(b.appLeft(), 0)) / time.Hour.Seconds(); last < rate {
			rate = last
			reason = fmt.Sprintf("the app has %s of its %s API requests of 24 hours left", number(max(b.appLeft(), 0)), number(b.Told.AppMax))
		}
	}
	if total <= rate {
		return mine.Wanted, ""
	}
	every = stretch(mine, level(rate, mine, others))
	every = min(every, max(mine.Wanted, slowest, 4*b.Steady(mine, others)))
	if every <= mine.Wanted {
		return mine.Wanted, ""
	}
	return every, reason
}

// even is the fastest steady pace, in calls per second, at which a budget of so many
// calls lasts: at no time of the coming day would more be used than are free by then.
// Calls leave the day as evenly as their bucket holds them.
func (b Budget) even(budget float64) float64 {
	const bucket = float64(store.QuotaBucket / time.Second)
	// leaves is in how many seconds the last calls of a bucket do, counted how many of
	// its calls still count.
	leaves := func(o store.QuotaCalls) float64 { return (kept - b.Now.Sub(o.Start)).Seconds() }
	counted := func(o store.QuotaCalls, leaves float64) float64 {
		return float64(o.Calls) * min(max(leaves/bucket, 0), 1)
	}
	now := budget
	for _, o := range b.Own {
		now -= counted(o, leaves(o))
	}
	pace, left, next := math.Inf(1), 0.0, 0
	// The bound is tightest just when a bucket has left: look at all these moments but the
	// first, which is too near to matter.
	for at := 2*bucket - b.Now.Sub(b.Now.Truncate(store.QuotaBucket)).Seconds(); ; at += bucket {
		for ; next < len(b.Own); next++ {
			in := leaves(b.Own[next])
			if in > at+1e-3 { // they leave at just these moments, give or take a rounding
				break
			}
			left += counted(b.Own[next], in)
		}
		pace = min(pace, (now+left)/at)
		if at >= kept.Seconds() {
			return max(pace, 0)
		}
	}
}

// level is the most that one of them may use so that together they use rate: who wants
// less has what it wants, and the others have the same each.
func level(rate float64, mine Demand, others []Demand) float64 {
	open := len(others) + 1
	left := rate
	settled := make([]bool, open)
	of := func(i int) float64 {
		if i == 0 {
			return mine.rate()
		}
		return others[i-1].rate()
	}
	for {
		each := left / float64(open)
		moved := false
		for i := range settled {
			if want := of(i); !settled[i] && want <= each {
				settled[i], moved = true, true
				left -= want
				open--
			}
		}
		if open == 0 {
			return math.Inf(1)
		}
		if !moved {
			return each
		}
	}
}

// stretch is the interval at which d uses no more than most calls per second.
func stretch(d Demand, most float64) time.Duration {
	if d.rate() <= most {
		return d.Wanted
	}
	const longest = 10 * Day
	if most <= d.Calls/longest.Seconds() {
		return longest
	}
	const step = 100 * time.Millisecond
	return (time.Duration(d.Calls/most*float64(time.Second)) + step - 1).Truncate(step)
}

// number writes 15000 as 15,000.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
