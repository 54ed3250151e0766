package web

import (
	"context"
	"strconv"
	"time"

	"salesforcesync/internal/store"
)

// loadLine is a large load under way as the page shows it.
type loadLine struct {
	store.Backfill
	Percent int // of its rows, if Known
	Known   bool
	Rate    string // rows per second; "" = none came, or it waits
	Left    string // how long it will take; "" = nobody can tell
	Wait    *store.Wait
	Held    bool // somebody paused it, and nothing else keeps it from going on
}

// loadOf is the integration whose loads are meant.
type loadOf struct {
	ID, Name  string // the name with its project's
	Desired   string
	Connected bool
}

// loads reads the backfills of an integration that are under way.
func (web *Web) loads(ctx context.Context, of loadOf) ([]loadLine, error) {
	list, err := web.store.Backfills(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	var lines []loadLine
	for _, b := range list {
		if b.State != store.BackfillOpen {
			continue
		}
		line := loadLine{Backfill: b, Wait: b.WaitsFor(of.Name, of.Desired, of.Connected)}
		if line.Wait != nil {
			line.Wait.Hint = pageHint(line.Wait.Hint)
		}
		line.Held = b.Desired == store.BackfillPaused && of.Desired == store.DesiredRunning && of.Connected
		share, known := b.Share()
		line.Percent, line.Known = int(share*100), known
		if line.Wait == nil {
			if b.Rate >= 1 {
				line.Rate = groupDigits(int64(b.Rate))
			}
			if left, known := b.Left(); known {
				line.Left = inWords(left)
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// anewLine is an object whose texts are being made anew, as the page shows it.
type anewLine struct {
	store.Retransform
	Percent int
	Rate    string // records per second; "" = it has not begun
	Left    string // how long it will take; "" = nobody can tell
}

// anew reads what is being made anew of an integration.
func (web *Web) anew(ctx context.Context, integrationID string) ([]anewLine, error) {
	list, err := web.store.Retransforms(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	var lines []anewLine
	for _, r := range list {
		if r.State != store.RetransformOpen {
			continue
		}
		line := anewLine{Retransform: r, Percent: int(min(100, 100*r.Counts.Records/max(r.Total, 1)))}
		if rate := r.Rate(); rate >= 1 {
			line.Rate = groupDigits(int64(rate))
		}
		if left, known := r.Left(); known {
			line.Left = inWords(left)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// inWords writes how long something will take as exactly as it can be known.
func inWords(d time.Duration) string {
	count := func(n int64, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return strconv.FormatInt(n, 10) + " " + unit + "s"
	}
	switch {
	case d < 100*time.Second:
		return count(max(int64(d.Round(time.Second)/time.Second), 1), "second")
	case d < 100*time.Minute:
		return count(int64(d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int64(d.Round(time.Hour)/time.Hour), "hour")
	}
	return count(int64(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}
