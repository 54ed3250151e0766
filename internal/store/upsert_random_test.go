package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
)

// TestUpsertFollowsAnyHistory lets records live at random in a model of Salesforce, reads
// them as a careless poller would (late, twice, in any order, rechecks when due, each batch
// applied more than once), and compares what is stored with the model: the texts, what is
// a tombstone, and one unit for each text that was seen to differ.
func TestUpsertFollowsAnyHistory(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{config.DeletedTombstone, config.DeletedErase} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			followAnyHistory(t, policy)
		})
	}
}

func followAnyHistory(t *testing.T, policy string) {
	erases := policy == config.DeletedErase
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	l := newLane(t, policy)
	l.clock = time.Now().Add(time.Hour) // everything is settled

	type held struct {
		now    mail
		bill   string // the text in force in the store
		billed int
		erased bool
	}
	records := make([]*held, 20)
	clock := 0
	for i := range records {
		records[i] = &held{now: mail{id: fmt.Sprintf("02s%012dAAA", i), raw: "text 0", stamp: at(0)}}
	}
	change := func(r *held) {
		clock++
		m := &r.now
		before := m.stamp
		m.stamp = at(clock)
		switch random.IntN(7) {
		case 0, 1:
			m.raw = fmt.Sprint("text ", random.IntN(3))
		case 2:
			m.priority = fmt.Sprint(random.IntN(3))
		case 3:
			m.deleted = !m.deleted
		case 4:
			m.reason = "no timestamp"
		case 5:
			m.reason = ""
		case 6: // a parent changes: no stamp moves
			m.stamp = before
			m.priority = fmt.Sprint("parent ", random.IntN(3))
		}
	}
	seen := func(r *held) {
		r.erased = r.erased || r.now.deleted && erases
		if r.now.deleted || r.now.reason != "" {
			return
		}
		if r.billed == 0 || r.bill != r.now.raw || r.erased {
			r.billed++
			r.bill, r.erased = r.now.raw, false
		}
	}
	var old []mail
	for range 150 {
		for range random.IntN(6) {
			change(records[random.IntN(len(records))])
		}
		var batch []mail
		for _, i := range random.Perm(len(records))[:1+random.IntN(6)] {
			r := records[i]
			batch = append(batch, r.now)
			old = append(old, r.now)
			seen(r)
		}
		ref := l.prepare(batch...)
		first := l.upsert(ref)
		again, err := l.db.Upsert(t.Context(), ref)
		require.NoError(t, err)
		require.True(t, again.Again)
		require.Equal(t, first, again.Counts)

		// Old copies that come late change nothing.
		if random.IntN(3) == 0 {
			var late []mail
			done := map[string]bool{}
			for _, m := range old {
				if !done[m.id] && m.stamp.Before(l.stampOf(m.id)) {
					done[m.id] = true
					late = append(late, m)
				}
			}
			if len(late) > 0 {
				require.EqualValues(t, len(late), l.apply(late...).Stale)
			}
		}
	}
	var all []mail
	for _, r := range records {
		all = append(all, r.now)
		seen(r)
	}
	l.apply(all...)
	again := l.apply(all...)
	require.EqualValues(t, len(all), again.Unchanged, "a second pass over everything finds nothing new")
	units := 0
	for _, r := range records {
		units += r.billed
		id := r.now.id
		switch {
		case r.now.deleted && erases:
			require.Equal(t, "erased", l.state(id))
		case r.now.deleted:
			require.Equal(t, "deleted", l.state(id))
			if r.billed > 0 {
				require.Equal(t, r.bill+" (deleted)", l.text(id))
			}
		case r.now.reason != "":
			require.Equal(t, "set_aside", l.state(id))
		default:
			require.Equal(t, "live", l.state(id))
			require.Equal(t, r.now.raw, l.text(id))
			require.Equal(t, r.now.priority, l.one(`select coalesce(properties->>'string:Priority', '') from comments where id = $1`, "c-"+id))
		}
	}
	require.Equal(t, units, l.units())
}

func (l *lane) stampOf(id string) time.Time {
	l.t.Helper()
	var at time.Time
	text := l.one(`select to_char(stamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') from records where record_id = $1`, id)
	if text == "" {
		return at
	}
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(l.t, err)
	return at
}
