package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Whenever somebody asks to be forgotten while batches with the record are applied, nothing of it is left in the end, and each text
// that was there before has its unit.
func TestForgettingBesideBatches(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	const batches = 20
	for round := range 5 {
		id := fmt.Sprintf("02s%012dAAA", round)
		var group sync.WaitGroup
		begun := make(chan struct{})
		group.Go(func() {
			<-begun
			time.Sleep(time.Duration(round*7) * time.Millisecond) // anywhere among the batches
			for range 2 {
				if _, err := l.db.Forget(t.Context(), l.source, "id", []string{"c-" + id}, []string{id}); err != nil {
					t.Errorf("forget: %v", err)
				}
			}
		})
		for n := range batches {
			ref := l.prepare(mail{id: id, stamp: at(round*100 + n), raw: fmt.Sprintf("canary %d", n)})
			if n == 0 {
				close(begun)
			}
			_, err := l.db.Upsert(t.Context(), ref)
			require.NoError(t, err)
		}
		group.Wait()
		ref := l.prepare(mail{id: id, stamp: at(round*100 + batches), raw: "canary at last"})
		result, err := l.db.Upsert(t.Context(), ref)
		require.NoError(t, err)
		require.EqualValues(t, 1, result.Counts.SetAside)
		require.Zero(t, result.Counts.Units)
		require.Equal(t, "set_aside ", l.one(`select state || ' ' || encode(text_digest, 'hex') from records where record_id = $1`, id))
		require.Empty(t, l.strings(`select texts::text from revisions where comment_id = $1`, "c-"+id))
		require.Subset(t, []string{"true [] {}", ""}, []string{l.one(`select erased || ' ' || envelope || ' ' || properties from comments where id = $1`, "c-"+id)},
			"an empty row, or none where nothing had been read yet")
	}
	require.Equal(t, l.one(`select coalesce(sum(units), 0)::text from batches`), l.one(`select count(*)::text from ledger`))
	_, err := l.db.Forget(t.Context(), l.source, "id", make([]string, store.ForgetPage+1), nil)
	requireKind(t, fault.Internal, err)
}
