package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store/simtime"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// A quarter of an hour before noon, with a mass load that is a tie larger than a page, one that
// is read while it is being committed, and a batch job that stays open longer than every
// look-back reaches: what docs/cursor-rules.md says of the rules is so.
func TestOursMissesNothingWhereOtherRulesDo(t *testing.T) {
	t.Parallel()
	db, err := simtime.New(t.Context(), storetest.ServerURL(t), storetest.Keys(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := aDay(7)
	w.begin, w.length = w.begin.Add(11*time.Hour+40*time.Minute), 16*time.Minute
	w.words = 10
	w.loads = []load{
		{after: 4*time.Minute + 3*time.Second, records: 2200, slowest: 5 * time.Second},
		{after: 8*time.Minute + 5*time.Second, records: 600, slowest: 9 * time.Second},
	}
	w.long = []long{{time.Minute, 14 * time.Minute}}
	r, err := simulate(t.Context(), w, db) // holds "complete up to" to its word, too
	require.NoError(t, err)
	var said bytes.Buffer
	r.report(&said)
	t.Log("\n" + said.String())

	require.Greater(t, len(r.org.changes), 3100)
	require.Equal(t, missing{}, r.ours.missing(), "ours has everything")
	require.Zero(t, r.ours.lost())
	require.Equal(t, len(r.org.history), r.comments)
	require.Greater(t, r.claims.moved, 10)
	require.Less(t, r.ours.again, len(r.org.changes)*6/5, "a record is read once more when its stamp has settled, and few a third time")
	waits := r.ours.staleness(50, 100)
	require.Less(t, waits[0], interval, "what is visible at once is there with the next look")
	require.Less(t, waits[1], 4*time.Minute, "and what comes late with the next scan of the tail: once a minute for each page it has")
	require.Less(t, r.ours.day.calls, 3*96+100, "a look is one call, and what is new mostly two more")

	require.Len(t, r.others, len(rules))
	for _, x := range r.others {
		require.GreaterOrEqual(t, x.lost(), 15, "%s misses what the batch job has written", x.name)
		require.GreaterOrEqual(t, x.day.calls, 66, x.name)
		require.GreaterOrEqual(t, x.rows-x.again+x.lost(), len(r.org.changes)*9/10, "%s has read a change or lost it, but for those that were overwritten", x.name)
	}
	missing := func(i int) int { return r.others[i].missing().all }
	require.Greater(t, missing(strict), 100, "the rest of a second that was read while it was being committed")
	require.Greater(t, missing(strictPaged), missing(strict)+100, "and of a tie that is larger than a page")
	require.Greater(t, missing(from), 20, "what is committed when a later second has been read")
	require.Greater(t, missing(fromPaged), 500)
	require.False(t, r.others[fromPaged].idle.IsZero(), "a tie that is larger than a page holds it up for good")
	require.Greater(t, missing(tenSeconds), 20)
	require.LessOrEqual(t, missing(tenSeconds), missing(from))
	require.Less(t, missing(heldBack), missing(tenSeconds))
	require.Greater(t, r.others[heldBack].staleness(50)[0], 295*time.Second, "it is five minutes late, always")
	require.LessOrEqual(t, r.others[lookBack].lost(), 20, "it misses the batch job alone")
	require.Greater(t, r.others[lookBack].day.again, 20*len(r.org.changes), "and reads everything again and again")
}

// The rules by their place in rules.
const (
	strict = iota
	strictPaged
	from
	fromPaged
	tenSeconds
	heldBack
	lookBack
)

func TestThePlaceOfEachRule(t *testing.T) {
	t.Parallel()
	require.Equal(t, rule{name: rules[strict].name, op: ">"}, rules[strict])
	require.Equal(t, 2000, rules[strictPaged].limit)
	require.True(t, rules[from].known && rules[fromPaged].known && rules[fromPaged].limit == 2000)
	require.Equal(t, 10*time.Second, rules[tenSeconds].back)
	require.Equal(t, 300*time.Second, rules[heldBack].hold)
	require.Equal(t, 600*time.Second, rules[lookBack].back)
}
