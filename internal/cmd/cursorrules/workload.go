package main

import (
	"math"
	"slices"
	"time"
)

// workload is what is written, and when.
type workload struct {
	seed   uint64
	begin  time.Time
	length time.Duration
	busy   float64 // transactions a second at noon
	words  int     // of a mail, on average
	loads  []load
	long   []long
}

// load is a mass load: chunks of 200 records at a time, as Salesforce writes them, all
// stamped in one second and each committed when it is done.
type load struct {
	after   time.Duration
	records int
	edits   bool
	slowest time.Duration // the last chunk commits so long after its stamp
}

// long is a transaction of a batch job that commits later than any look-back reaches.
type long struct{ after, open time.Duration }

const chunk = 200

// aDay is a working day of a support org: it begins at midnight, and so do the numbers.
func aDay(seed uint64) workload {
	return workload{
		seed: seed, begin: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), length: 24 * time.Hour, busy: 0.35, words: 100,
		loads: []load{
			{after: 9*time.Hour + 30*time.Minute + 4*time.Second, records: 5000, slowest: 8 * time.Second},               // an import
			{after: 13*time.Hour + 15*time.Minute + 7*time.Second, records: 2600, slowest: 25 * time.Second},             // another, while much is written
			{after: 21*time.Hour + 5*time.Minute + 2*time.Second, records: 6000, edits: true, slowest: 12 * time.Second}, // the nightly job
		},
	}
}

// event is one transaction, or one mass load.
type event struct {
	at  time.Time
	run func(*org) error
}

// rate is how many transactions begin in a second: few at night, most at noon.
func (w workload) rate(at time.Time) float64 {
	hour := at.Sub(at.Truncate(24 * time.Hour)).Hours()
	day := 0.0
	if hour > 7 && hour < 19 {
		day = math.Sin(math.Pi * (hour - 7) / 12)
	}
	return w.busy * (0.03 + 0.97*day)
}

// events draws the day's events with the org's random numbers.
func (w workload) events(o *org) []event {
	var list []event
	for at := w.begin; ; {
		at = at.Add(time.Duration(o.random.ExpFloat64() / w.busy * float64(time.Second)))
		if at.Sub(w.begin) >= w.length {
			break
		}
		if o.random.Float64() < w.rate(at)/w.busy {
			list = append(list, event{at, transaction})
		}
	}
	for _, l := range w.loads {
		list = append(list, event{w.begin.Add(l.after + 200*time.Millisecond), l.run})
	}
	for _, l := range w.long {
		list = append(list, event{w.begin.Add(l.after + 600*time.Millisecond), func(o *org) error { return o.write(20, nil, l.open) }})
	}
	slices.SortStableFunc(list, func(a, b event) int { return a.at.Compare(b.at) })
	return list
}

// transaction is what goes on all day: a new mail, or an edit of one that is not old.
// Somewhat more than half are visible at once, most others within three seconds; four in
// a hundred take up to ten minutes, short ones more often than long ones, and write
// several records.
func transaction(o *org) error {
	n, delay := 1, time.Duration(0)
	switch kind := o.random.Float64(); {
	case kind < 0.04:
		n = 1 + o.random.IntN(10)
		delay = time.Duration(math.Exp(o.random.Float64()*math.Log(600)) * float64(time.Second))
	case kind < 0.44:
		delay = time.Duration((1 + 2*o.random.Float64()) * float64(time.Second))
	}
	if o.random.Float64() < 0.45 {
		if ids := o.pick(n, 500); len(ids) > 0 {
			return o.write(len(ids), ids, delay)
		}
	}
	return o.write(n, nil, delay)
}

func (l load) run(o *org) error {
	o.loading = true
	defer func() { o.loading = false }()
	var ids []string
	if l.edits {
		ids = o.pick(l.records, 2*l.records)
		l.records = len(ids)
	}
	for done := 0; done < l.records; done += chunk {
		n := min(chunk, l.records-done)
		var these []string
		if l.edits {
			these = ids[done : done+n]
		}
		delay := 500*time.Millisecond + time.Duration(o.random.Float64()*float64(l.slowest-500*time.Millisecond))
		if err := o.write(n, these, delay); err != nil {
			return err
		}
	}
	return nil
}

// first is the beginning of the workload.
func (w workload) first(length time.Duration) workload {
	w.length = length
	w.loads = slices.DeleteFunc(slices.Clone(w.loads), func(l load) bool { return l.after >= length })
	w.long = slices.DeleteFunc(slices.Clone(w.long), func(l long) bool { return l.after >= length })
	return w
}
