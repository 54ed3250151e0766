package simforce

import "time"

// dateRange is a named date of SOQL. span gives its seconds [from, to) in the
// users' time zone, which is GMT here.
type dateRange struct {
	counted bool // takes :n
	span    func(now time.Time, n int) (int64, int64)
}

func days(from, to int) func(time.Time, int) (int64, int64) {
	return func(now time.Time, _ int) (int64, int64) {
		d := now.UTC().Truncate(24 * time.Hour)
		return d.AddDate(0, 0, from).Unix(), d.AddDate(0, 0, to).Unix()
	}
}

func weeks(from, to int) func(time.Time, int) (int64, int64) {
	return func(now time.Time, _ int) (int64, int64) {
		d := now.UTC().Truncate(24 * time.Hour)
		d = d.AddDate(0, 0, -int(d.Weekday())) // weeks begin on Sunday in en_US
		return d.AddDate(0, 0, 7*from).Unix(), d.AddDate(0, 0, 7*to).Unix()
	}
}

func months(from, to int) func(time.Time, int) (int64, int64) {
	return func(now time.Time, _ int) (int64, int64) {
		y, m, _ := now.UTC().Date()
		first := func(by int) int64 { return time.Date(y, m+time.Month(by), 1, 0, 0, 0, 0, time.UTC).Unix() }
		return first(from), first(to)
	}
}

func years(from, to int) func(time.Time, int) (int64, int64) {
	return func(now time.Time, _ int) (int64, int64) {
		y := now.UTC().Year()
		first := func(by int) int64 { return time.Date(y+by, 1, 1, 0, 0, 0, 0, time.UTC).Unix() }
		return first(from), first(to)
	}
}

func counted(f func(n int) func(time.Time, int) (int64, int64)) dateRange {
	return dateRange{true, func(now time.Time, n int) (int64, int64) { return f(n)(now, n) }}
}

// dateRanges are the named dates the simulator knows; quarters and fiscal
// periods are refused by the parser because they are not here.
var dateRanges = map[string]dateRange{
	"YESTERDAY":    {false, days(-1, 0)},
	"TODAY":        {false, days(0, 1)},
	"TOMORROW":     {false, days(1, 2)},
	"LAST_WEEK":    {false, weeks(-1, 0)},
	"THIS_WEEK":    {false, weeks(0, 1)},
	"NEXT_WEEK":    {false, weeks(1, 2)},
	"LAST_MONTH":   {false, months(-1, 0)},
	"THIS_MONTH":   {false, months(0, 1)},
	"NEXT_MONTH":   {false, months(1, 2)},
	"LAST_YEAR":    {false, years(-1, 0)},
	"THIS_YEAR":    {false, years(0, 1)},
	"NEXT_YEAR":    {false, years(1, 2)},
	"LAST_90_DAYS": {false, days(-90, 1)},
	"NEXT_90_DAYS": {false, days(1, 91)},

	"LAST_N_DAYS":   counted(func(n int) func(time.Time, int) (int64, int64) { return days(-n, 1) }),
	"NEXT_N_DAYS":   counted(func(n int) func(time.Time, int) (int64, int64) { return days(1, n+1) }),
	"N_DAYS_AGO":    counted(func(n int) func(time.Time, int) (int64, int64) { return days(-n, -n+1) }),
	"LAST_N_WEEKS":  counted(func(n int) func(time.Time, int) (int64, int64) { return weeks(-n, 0) }),
	"LAST_N_MONTHS": counted(func(n int) func(time.Time, int) (int64, int64) { return months(-n, 0) }),
	"LAST_N_YEARS":  counted(func(n int) func(time.Time, int) (int64, int64) { return years(-n, 0) }),
}
