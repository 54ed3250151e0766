package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// holding runs statements in a transaction of its own and keeps it open until the
// returned function commits it.
func (l *lane) holding(sql string, args ...any) (commit func()) {
	l.t.Helper()
	conn, err := pgx.Connect(l.t.Context(), l.seed.URL())
	require.NoError(l.t, err)
	l.t.Cleanup(func() { conn.Close(context.Background()) })
	tx, err := conn.Begin(l.t.Context())
	require.NoError(l.t, err)
	_, err = tx.Exec(l.t.Context(), sql, args...)
	require.NoError(l.t, err)
	return func() {
		l.t.Helper()
		require.NoError(l.t, tx.Commit(l.t.Context()))
	}
}

// waiting waits until n sessions of the database wait for a lock.
func (l *lane) waiting(n int) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		return l.one(`select count(*)::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == fmt.Sprint(n)
	}, time.Minute, 5*time.Millisecond)
}

func TestBeginBatchMeetsASealThatIsUnderWay(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	b := l.begin()
	require.NoError(t, l.db.AddChunk(t.Context(), b, store.Chunk{Number: 0, Format: store.FormatJSON, IDs: []string{idA}, Data: []byte("x")}))
	commit := l.holding(`update batches set state = 'sealed', chunks = 1, rows = 1, checksum = 'sum', read_end = nextval('read_order')`)
	begun := make(chan *store.Batch, 1)
	go func() {
		found, _ := l.db.BeginBatch(t.Context(), l.ref)
		begun <- found
	}()
	l.waiting(1)
	commit()
	found := <-begun
	require.NotNil(t, found)
	require.Equal(t, store.BatchSealed, found.State)
	require.Equal(t, 1, found.Attempt)
	lines, err := l.db.ReadChunk(t.Context(), found, 0)
	require.NoError(t, err, "what was sealed is still there")
	require.Equal(t, "x", string(lines.Data))
}

func TestUpsertOfOneBatchByTwo(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	var rows []mail
	for i := range 200 {
		rows = append(rows, mail{id: fmt.Sprintf("02s%012dAAA", i), stamp: at(i), raw: fmt.Sprint("text ", i)})
	}
	ref := l.prepare(rows...)
	results := make([]flow.UpsertResult, 8)
	errs := make([]error, len(results))
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i], errs[i] = l.db.Upsert(t.Context(), ref) })
	}
	all.Wait()
	first := 0
	for i, r := range results {
		require.NoError(t, errs[i])
		require.Equal(t, flow.Counts{Rows: 200, Created: 200, Units: 200}, r.Counts)
		if !r.Again {
			first++
		}
	}
	require.Equal(t, 1, first)
	require.Equal(t, 200, l.units())
	l.sound()
}

func TestUpsertWhileTheRowsAreStagedAgain(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	var rows []mail
	for i := range 300 {
		rows = append(rows, mail{id: fmt.Sprintf("02s%012dAAA", i), stamp: at(i), raw: fmt.Sprint("text ", i)})
	}
	ref := l.prepare(rows...)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			// An attempt that lives on after Temporal gave it up.
			if err := l.stage(ref, 1, rows...); err != nil && !fault.Is(err, fault.Fenced) {
				t.Errorf("stage again: %v", err)
			}
		})
		all.Go(func() {
			if _, err := l.db.Upsert(t.Context(), ref); err != nil {
				t.Errorf("upsert: %v", err)
			}
		})
	}
	all.Wait()
	require.Equal(t, 300, l.units())
	l.sound()
}

// Two lanes of one object meet at a record that neither knows, or at one that both know.
func TestTwoLanesMeetAtARecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		older, newer mail
		text         string
		state        string
		units        int
	}{
		"created by both":                {mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idA, stamp: at(0), raw: "one"}, "one", "live", 1},
		"created, and set aside later":   {mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idA, stamp: at(10), raw: "one", reason: "bad"}, "", "set_aside", -1},
		"created, and deleted later":     {mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idA, stamp: at(10), raw: "one", deleted: true}, "", "deleted", -1},
		"created, and text changed soon": {mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idA, stamp: at(10), raw: "two"}, "two", "live", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 4 {
				known, newerFirst := i&1 != 0, i&2 != 0
				l := newLane(t, config.DeletedTombstone)
				other := l.second("backfill")
				before := 0
				if known {
					l.apply(mail{id: idA, stamp: at(-10), raw: "zero"})
					before = 1
				}
				older, newer := l.prepare(c.older), other.prepare(c.newer)
				// Both are held up at the same place, where each has decided what its row is
				// if nothing keeps them apart.
				commit := l.holding(`lock table records, revisions, comments, ledger in share mode`)
				errs := make(chan error, 2)
				start := func(ref flow.BatchRef) {
					_, err := l.db.Upsert(t.Context(), ref)
					errs <- err
				}
				first, second := older, newer
				if newerFirst {
					first, second = newer, older
				}
				go start(first)
				l.waiting(1)
				go start(second)
				l.waiting(2)
				commit()
				require.NoError(t, <-errs)
				require.NoError(t, <-errs)
				l.sound()
				require.Equal(t, c.state, l.state(idA))
				if c.text != "" {
					require.Equal(t, c.text, l.text(idA))
				}
				if c.units >= 0 {
					require.Equal(t, before+c.units, l.units())
				}
			}
		})
	}
}

func TestTwoLanesAtOnceNeitherDeadlockNorBillTwice(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	lanes := []*lane{l, l.second("resync"), l.second("backfill")}
	for round := range 6 {
		var refs []flow.BatchRef
		for _, one := range lanes {
			var rows []mail
			for _, i := range random.Perm(100) {
				rows = append(rows, mail{id: fmt.Sprintf("02s%012dAAA", i), stamp: at(round), raw: fmt.Sprint("text ", i, " of round ", round)})
			}
			refs = append(refs, one.prepare(rows...))
		}
		var all sync.WaitGroup
		for _, ref := range refs {
			all.Go(func() {
				if _, err := l.db.Upsert(t.Context(), ref); err != nil {
					t.Errorf("upsert: %v", err)
				}
			})
		}
		all.Wait()
		l.sound()
		require.Equal(t, 100*(round+1), l.units(), "each text is billed once, whichever lane brings it")
	}
}

// A changed file takes the streams away from under a batch, or waits for it.
func TestUpsertMeetsAChangedFile(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	for i := range 10 {
		ref := l.prepare(mail{id: idA, stamp: at(i), raw: fmt.Sprint("text ", i)})
		spec := laneFile("salesforce-prod", config.DeletedTombstone)
		spec.Objects[0].Where = fmt.Sprintf("Subject != '%d'", i)
		var all sync.WaitGroup
		var upsertErr, applyErr error
		all.Go(func() { _, upsertErr = l.db.Upsert(t.Context(), ref) })
		all.Go(func() { _, applyErr = l.db.ApplyIntegration(t.Context(), spec) })
		all.Wait()
		require.NoError(t, applyErr)
		if upsertErr != nil {
			requireKind(t, fault.Fenced, upsertErr)
			l.seed.Exec(`delete from batches where state <> 'applied'`)
		}
		target, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
		require.NoError(t, err)
		l.ref.Epoch, l.ref.Seq = target.Objects[0].Epoch, target.Objects[0].Seq+1
		l.sound()
	}
}
