package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Retention is how long something is kept, in whole days. The zero value is forever.
type Retention int

// RetentionForever keeps things for good. It is the default: nothing is removed that nobody asked for, and texts can be made anew, and
// explained, only of raw copies that are there.
const RetentionForever Retention = 0

// Limits of a retention: a day is enough to apply what was read in the worst of days.
const (
	MinRetention Retention = 1
	MaxRetention Retention = 3660
)

const forever = "forever"

// String writes "90d" or "forever".
func (r Retention) String() string {
	if r == RetentionForever {
		return forever
	}
	return strconv.Itoa(int(r)) + "d"
}

// Before is the time before which things are kept no longer; false = they are kept forever.
func (r Retention) Before(now time.Time) (time.Time, bool) {
	if r == RetentionForever {
		return time.Time{}, false
	}
	return now.Add(-time.Duration(r) * 24 * time.Hour), true
}

// Longer reports whether r keeps what before does not.
func (r Retention) Longer(before Retention) bool {
	return before != RetentionForever && (r == RetentionForever || r > before)
}

// MarshalText writes "90d" or "forever".
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "90d" or "forever".
func (r *Retention) UnmarshalText(text []byte) error {
	if string(text) == forever {
		*r = RetentionForever
		return nil
	}
	number, ok := strings.CutSuffix(string(text), "d")
	days, err := strconv.Atoi(number)
	if !ok || err != nil || Retention(days) < MinRetention || Retention(days) > MaxRetention {
		return fmt.Errorf("%q is neither a number of days from %s to %s nor %q", text, MinRetention, MaxRetention, forever)
	}
	*r = Retention(days)
	return nil
}
