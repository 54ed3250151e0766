package web

import (
	"context"
	"time"

	"salesforcesync/internal/gate"
	"salesforcesync/internal/store"
)

// Charts of an integration.
const (
	hoursShown = 24
	daysShown  = 30
	// chartPatience is how long a page waits for comments to be counted; a chart that is not there by then
	// comes with a later look.
	chartPatience = 40 * time.Millisecond
	countsAtATime = 2 // of all sources
)

// stretches are counts over time.
type stretches struct {
	From   time.Time
	Each   time.Duration
	Counts []int64
}

// sum is how many there are in all.
func (s stretches) sum() (n int64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// counts keeps how many comments sources had in which hour and on which day. Counting takes
// the longer the more there are.
type counts struct {
	hours, days *kept[stretches]
	patience    time.Duration
}

func newCounts() *counts {
	g := gate.New("count comments", countsAtATime, gate.Patience)
	return &counts{hours: newKept[stretches](g, 4*time.Second), days: newKept[stretches](g, time.Minute), patience: chartPatience}
}

// lastHours counts the comments of each of the last hours, the present one included.
func (web *Web) lastHours(ctx context.Context, sourceID string, patience time.Duration) (stretches, bool, error) {
	return web.counts.hours.of(ctx, sourceID, patience, func(ctx context.Context) (stretches, error) {
		return countOver(ctx, web.store, sourceID, time.Hour, hoursShown)
	})
}

// lastDays counts the comments of each of the last days (UTC), today included.
func (web *Web) lastDays(ctx context.Context, sourceID string, patience time.Duration) (stretches, bool, error) {
	return web.counts.days.of(ctx, sourceID, patience, func(ctx context.Context) (stretches, error) {
		return countOver(ctx, web.store, sourceID, 24*time.Hour, daysShown)
	})
}

func countOver(ctx context.Context, s Store, sourceID string, each time.Duration, n int) (stretches, error) {
	out := stretches{From: time.Now().UTC().Truncate(each).Add(-time.Duration(n-1) * each), Each: each}
	var err error
	out.Counts, err = s.CommentsOver(ctx, sourceID, out.From, each, n)
	return out, err
}

// chart draws counts over time.
func (s stretches) chart(title, what string) *chart {
	columns := make([]column, len(s.Counts))
	for i, n := range s.Counts {
		at := s.From.Add(time.Duration(i) * s.Each)
		columns[i] = column{Label: at.Format("15:04"), At: at, Values: []int64{n}}
		if s.Each >= 24*time.Hour {
			columns[i].Label, columns[i].Day = at.Format("2 Jan"), true
		}
	}
	c := newChart(title, []string{what}, columns)
	return &c
}

// callsByHour sums our own calls of the last day by hour.
func callsByHour(now time.Time, own []store.QuotaCalls) stretches {
	s := stretches{From: now.UTC().Truncate(time.Hour).Add(-(hoursShown - 1) * time.Hour), Each: time.Hour, Counts: make([]int64, hoursShown)}
	for _, o := range own {
		if i := int(o.Start.Sub(s.From) / time.Hour); !o.Start.Before(s.From) && i < len(s.Counts) {
			s.Counts[i] += o.Calls
		}
	}
	return s
}
