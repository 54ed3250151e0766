package bill

import (
	"context"
	"math"
	"time"

	"salesforcesync/internal/store"
)

// Ledger is what the bill is read from; *store.Store is one.
type Ledger interface {
	UsageDays(ctx context.Context, f store.LedgerFilter) (days []store.UsageDay, now time.Time, err error)
	ListUnits(ctx context.Context, f store.LedgerFilter, before time.Time, after *store.UnitKey, limit int) (units []store.Unit, more bool, err error)
	SettledUnits(ctx context.Context) (time.Time, error)
	Usage(ctx context.Context, f store.LedgerFilter, groups ...string) ([]store.UsageRow, error)
	UnitCaps(ctx context.Context) ([]store.Cap, error)
}

// ForecastRule is how a forecast is made, in one sentence for people.
const ForecastRule = "the month so far, plus for the time that is left of it the average of the last 7 full days (UTC), large loads and texts made anew left out"

// forecastDays is how many full days a pace is taken from.
const forecastDays = 7

// Month is what a month (UTC) has cost, and is heading for.
type Month struct {
	Start time.Time
	End   time.Time // the first moment of the next one
	Units int64     // so far
	// PerDay is the pace, of so many full days; with none behind us there is no pace and no forecast.
	PerDay   float64
	Days     int
	Forecast *int64 // of the whole month
	// Began is the first day that cost anything; zero = nothing has.
	Began time.Time
}

// MonthOf reads the present month of the units that a filter chooses; its days are not looked at.
func MonthOf(ctx context.Context, s Ledger, f store.LedgerFilter) (Month, error) {
	f.From, f.To = time.Time{}, time.Time{}
	days, now, err := s.UsageDays(ctx, f)
	if err != nil {
		return Month{}, err
	}
	return forecast(days, now), nil
}

// forecast is MonthOf of days that are known, oldest first.
func forecast(days []store.UsageDay, now time.Time) Month {
	now = now.UTC()
	today := now.Truncate(24 * time.Hour)
	m := Month{Start: time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)}
	m.End = m.Start.AddDate(0, 1, 0)
	for _, d := range days {
		if !d.Day.Before(m.Start) && d.Day.Before(m.End) {
			m.Units += d.Regular + d.Once
		}
	}
	if len(days) == 0 {
		return m
	}
	m.Began = days[0].Day
	// Before the first unit there was nothing to be slow at.
	m.Days = min(forecastDays, int(today.Sub(days[0].Day).Hours()/24))
	if m.Days < 1 {
		m.Days = 0
		return m
	}
	var sum int64
	for _, d := range days {
		if d.Day.Before(today) && !d.Day.Before(today.AddDate(0, 0, -m.Days)) {
			sum += d.Regular
		}
	}
	m.PerDay = float64(sum) / float64(m.Days)
	whole := m.Units + int64(math.Round(m.PerDay*m.End.Sub(now).Hours()/24))
	m.Forecast = &whole
	return m
}
