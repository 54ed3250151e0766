package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// written is an org in which a was written at noon and edited ten seconds later, and a mass
// load of a minute wrote b a second after noon.
func written() *org {
	o := &org{history: map[string][]int{"a": {0, 2}, "b": {1}}, changes: []change{
		{id: "a", stamp: noon, commit: noon},
		{id: "b", stamp: noon.Add(time.Second), commit: noon.Add(61 * time.Second), load: true},
		{id: "a", stamp: noon.Add(10 * time.Second), commit: noon.Add(12 * time.Second)},
	}}
	o.set(noon.Add(20 * time.Second))
	return o
}

func accountOf(o *org) *account { return &account{org: o, latest: map[string]int{}} }

func TestAVersionStandsForThoseBeforeIt(t *testing.T) {
	t.Parallel()
	a := accountOf(written())
	require.Equal(t, missing{all: 2, loads: 1}, a.missing())
	require.Equal(t, 3, a.lost())

	a.arrived(2, noon.Add(20*time.Second))
	require.Equal(t, missing{all: 1, loads: 1}, a.missing())
	require.Equal(t, 1, a.lost())
	require.Equal(t, []time.Duration{20 * time.Second, never, 8 * time.Second}, a.waits)

	a.arrived(0, noon.Add(30*time.Second)) // an older version that comes later changes nothing
	require.Equal(t, []time.Duration{20 * time.Second, never, 8 * time.Second}, a.waits)
	require.Equal(t, []time.Duration{8 * time.Second, 20 * time.Second, never}, a.staleness(1, 50, 99))

	a = accountOf(written())
	a.arrived(0, noon)
	require.Equal(t, missing{all: 2, outdated: 1, loads: 1}, a.missing())
	require.Equal(t, 2, a.lost())
}

func TestReadingTheSameVersionAgainIsCounted(t *testing.T) {
	t.Parallel()
	a := accountOf(written())
	for _, number := range []int{0, 1, 0, 2, 0} {
		a.got(number)
	}
	require.Equal(t, [2]int{5, 2}, [2]int{a.rows, a.again})
}

func TestClaimsAreHeldToTheirWord(t *testing.T) {
	t.Parallel()
	a := accountOf(written())
	var c claims
	a.org.set(noon)
	require.ErrorContains(t, c.hear(noon, a), "a change of 2026-11-23 12:00:00 +0000 UTC is missing")

	a.org.set(noon.Add(20 * time.Second))
	a.arrived(0, noon)
	c = claims{}
	require.NoError(t, c.hear(noon, a))
	require.NoError(t, c.hear(noon, a))
	require.ErrorContains(t, c.hear(noon.Add(time.Second), a), "commits at 2026-11-23 12:01:01", "its transaction is open")

	a.org.set(noon.Add(70 * time.Second))
	a.arrived(1, noon.Add(70*time.Second))
	c = claims{}
	require.NoError(t, c.hear(noon.Add(9*time.Second), a))
	require.ErrorContains(t, c.hear(noon.Add(5*time.Second), a), "went back")
	require.ErrorContains(t, c.hear(noon.Add(10*time.Second), a), "is missing", "the edit has not arrived")
	require.Equal(t, []time.Duration{61 * time.Second, 65 * time.Second, 60 * time.Second}, c.ages)

	a.arrived(2, noon.Add(70*time.Second))
	c = claims{}
	require.NoError(t, c.hear(noon.Add(20*time.Second), a))
	require.Equal(t, 3, c.checked)

	a = accountOf(written()) // the edit hides what was there before: it is the edit that is not there yet
	c = claims{}
	require.NoError(t, c.hear(noon, a))
	a.org.set(noon.Add(11 * time.Second)) // but it has not been committed
	c = claims{}
	require.ErrorContains(t, c.hear(noon, a), "is missing")
}

func TestPercentilesAreNearestRanks(t *testing.T) {
	t.Parallel()
	var values []time.Duration
	for i := range 200 {
		values = append(values, time.Duration(200-i))
	}
	require.Equal(t, []time.Duration{1, 100, 190, 198, 200}, percentiles(values, 0, 50, 95, 99, 100))
	require.Equal(t, []time.Duration{0}, percentiles(nil, 50))
}

func TestNumbersAreSpelledForPeople(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"0", "999", "1,000", "1,234,567"}, []string{count(0), count(999), count(1000), count(1234567)})
	require.Equal(t, []string{"9.8 s", "301 s", "never"}, []string{wait(9799 * time.Millisecond), wait(301 * time.Second), wait(never)})
}
