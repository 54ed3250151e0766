package store_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func requireKind(t testing.TB, kind fault.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, fault.KindOf(err), err.Error())
}

// everything is all that Upsert writes, row versions included.
func (l *lane) everything() []string {
	l.t.Helper()
	var out []string
	for _, table := range []string{"comments", "revisions", "ledger", "records", "rechecks", "set_aside", "streams", "batches"} {
		out = append(out, l.strings(`select '`+table+` ' || ctid || ' ' || xmin || ' ' || t from `+table+` t order by 1`)...)
	}
	return out
}

func TestUpsertTwiceIsOnce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idB, stamp: at(0), raw: "two"})
	ref := l.prepare(mail{id: idA, stamp: at(3600), raw: "one"}, mail{id: idB, stamp: at(10), raw: "two!"}, mail{id: idC, stamp: at(0), reason: "bad"})
	first, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, flow.Counts{Rows: 3, Created: 1, TextChanged: 1, SetAside: 1, Units: 2}, first.Counts)
	before := l.everything()
	second, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, second.Again)
	second.Again = false
	require.Equal(t, first, second)
	require.Equal(t, before, l.everything())

	// The receipt stays when later batches are applied.
	l.apply(mail{id: idA, stamp: at(20), raw: "one!"})
	third, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, third.Again)
	require.Equal(t, first.Counts, third.Counts)
	l.sound()
}

// A workflow remembers batches that a restored database does not know: it is told so, and goes on with what is next here.
func TestBatchesThatARestoredDatabaseDoesNotKnowAreFenced(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	before := l.everything()
	for _, ahead := range []int64{0, 1, 7} { // the next one, and such that come after it
		ref := l.ref
		ref.Seq += ahead
		_, err := l.db.Upsert(t.Context(), ref)
		requireKind(t, fault.Fenced, err)
		if ahead > 0 {
			_, err = l.db.BeginBatch(t.Context(), ref)
			requireKind(t, fault.Fenced, err)
		}
	}
	gone := l.ref
	gone.Stream += 1000
	_, err := l.db.Upsert(t.Context(), gone)
	requireKind(t, fault.Fenced, err)
	require.Equal(t, before, l.everything())
	l.apply(mail{id: idA, stamp: at(1), raw: "two"})
}

func TestUpsertOfTheSameRowsInTwoBatchesBillsOnce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	rows := []mail{{id: idA, stamp: at(0), raw: "one"}, {id: idB, stamp: at(0), raw: "two"}}
	l.apply(rows...)
	require.Equal(t, flow.Counts{Rows: 2, Unchanged: 2}, l.apply(rows...))
	require.Equal(t, 2, l.units())
}

func TestBeginBatchSaysWhatItBegan(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	b := l.begin()
	require.Equal(t, store.BatchReading, b.State)
	require.Equal(t, 1, b.Attempt)
	require.Equal(t, l.ref, b.BatchRef)
	require.Equal(t, l.id, b.IntegrationID)
	require.Equal(t, l.source, b.SourceID)
	require.Positive(t, b.ReadBegin)

	again := l.begin()
	require.Equal(t, store.BatchReading, again.State)
	require.Equal(t, 2, again.Attempt)
	require.Greater(t, again.ReadBegin, b.ReadBegin)
}

func TestBeginBatchReturnsWhatIsThere(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	b := l.begin()
	l.seal(b, 1)
	for _, state := range []string{store.BatchSealed, store.BatchTransformed, store.BatchApplied} {
		switch state {
		case store.BatchTransformed:
			require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}))
		case store.BatchApplied:
			l.upsert(l.ref)
		}
		found := l.begin()
		require.Equal(t, state, found.State)
		require.Equal(t, 1, found.Attempt, "an attempt that finds the work done does not take it over")
		require.EqualValues(t, 1, found.Rows)
		require.Equal(t, 1, found.Chunks)
		lines, err := l.db.ReadChunk(t.Context(), found, 0)
		require.NoError(t, err)
		require.Len(t, lines.Data, 1)
	}
	found := l.begin()
	require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, found.Counts)
}

func TestNewAttemptFencesTheOlder(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	older := l.begin()
	require.NoError(t, l.db.AddChunk(t.Context(), older, store.Chunk{Number: 0, Format: store.FormatJSON, IDs: []string{idA}, Data: []byte("of the older attempt")}))
	newer := l.begin()
	require.Empty(t, l.strings(`select chunk::text from raw_chunks`), "what the older attempt staged is gone")
	requireKind(t, fault.Fenced, l.db.AddChunk(t.Context(), older, store.Chunk{Number: 1, Format: store.FormatJSON, IDs: []string{idA}, Data: []byte("late")}))
	requireKind(t, fault.Fenced, l.db.SealBatch(t.Context(), older, store.Seal{Chunks: 2, Rows: 2, Checksum: []byte("older")}))
	require.NoError(t, l.db.AddChunk(t.Context(), newer, store.Chunk{Number: 0, Format: store.FormatJSON, IDs: []string{idA}, Data: []byte("newer")}))
	require.NoError(t, l.db.SealBatch(t.Context(), newer, store.Seal{Chunks: 1, Rows: 1, Checksum: []byte("newer")}))
	requireKind(t, fault.Fenced, l.db.SealBatch(t.Context(), newer, store.Seal{Chunks: 1, Rows: 1, Checksum: []byte("newer")}))
	requireKind(t, fault.Fenced, l.db.SealBatch(t.Context(), older, store.Seal{Chunks: 2, Rows: 2, Checksum: []byte("older")}))

	sealed, err := l.db.LoadBatch(t.Context(), l.ref)
	require.NoError(t, err)
	require.Equal(t, []byte("newer"), sealed.Checksum)
	lines, err := l.db.ReadChunk(t.Context(), sealed, 0)
	require.NoError(t, err)
	require.Equal(t, "newer", string(lines.Data))
	_, err = l.db.ReadChunk(t.Context(), sealed, 1)
	requireKind(t, fault.NotFound, err)
}

func TestBatchesComeInOrder(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ahead := l.ref
	ahead.Seq++
	_, err := l.db.BeginBatch(t.Context(), ahead)
	requireKind(t, fault.Fenced, err)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	l.seed.Exec(`delete from batches`)
	behind := l.ref
	behind.Seq--
	_, err = l.db.BeginBatch(t.Context(), behind)
	requireKind(t, fault.Fenced, err)
	_, err = l.db.Upsert(t.Context(), behind)
	requireKind(t, fault.Fenced, err)

	gone := l.ref
	gone.Stream = 4711
	_, err = l.db.BeginBatch(t.Context(), gone)
	requireKind(t, fault.Fenced, err)
	_, err = l.db.Upsert(t.Context(), gone)
	requireKind(t, fault.Fenced, err)
	requireKind(t, fault.Fenced, l.db.Gate(t.Context(), gone.Stream, gone.Epoch))
	_, err = l.db.LoadBatch(t.Context(), gone)
	requireKind(t, fault.NotFound, err)
	_, _, err = l.db.LoadStreamTarget(t.Context(), gone.Stream)
	requireKind(t, fault.Fenced, err)
}

func TestNewEpochFencesTheWorkOfTheOld(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	old := l.prepare(mail{id: idA, stamp: at(10), raw: "by the old mapping"})
	require.NoError(t, l.db.Gate(t.Context(), old.Stream, old.Epoch))

	spec := laneFile("salesforce-prod", config.DeletedTombstone)
	spec.Objects[0].Where = "Incoming = true"
	_, err := l.db.ApplyIntegration(t.Context(), spec)
	require.NoError(t, err)

	requireKind(t, fault.Fenced, l.db.Gate(t.Context(), old.Stream, old.Epoch))
	_, err = l.db.Upsert(t.Context(), old)
	requireKind(t, fault.Fenced, err)
	_, err = l.db.BeginBatch(t.Context(), old)
	requireKind(t, fault.Fenced, err)
	requireKind(t, fault.Fenced, l.db.FollowDependency(t.Context(), old, l.id, store.Dependency{Path: "Parent", Parent: "Case"}, store.Position{Stamp: at(0)}, nil))
	require.Equal(t, "one", l.text(idA))

	now, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, old.Stream, now.Objects[0].Stream)
	require.Equal(t, old.Epoch+1, now.Objects[0].Epoch)
	require.EqualValues(t, 1, now.Objects[0].Seq)
	l.ref = flow.BatchRef{Stream: old.Stream, Epoch: old.Epoch + 1, Seq: 2, Object: old.Object}
	require.Equal(t, flow.Counts{Rows: 1, TextChanged: 1, Units: 1}, l.apply(mail{id: idA, stamp: at(10), raw: "by the new mapping"}))
}

func TestCleanedRowsLostAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{
		"all, as a crash of PostgreSQL does it": `truncate staged`,
		"one":                                   `delete from staged where record_id = '` + idA + `'`,
		"never made":                            `with b as (update batches set state = 'sealed' where state = 'transformed') delete from staged`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, config.DeletedTombstone)
			rows := []mail{{id: idA, stamp: at(0), raw: "one"}, {id: idB, stamp: at(0), raw: "two"}}
			ref := l.prepare(rows...)
			l.seed.Exec(lose)
			_, err := l.db.Upsert(t.Context(), ref)
			requireKind(t, fault.Stale, err)
			require.Empty(t, l.strings(`select id from comments`))
			require.NoError(t, l.stage(ref, 1, rows...))
			require.Equal(t, flow.Counts{Rows: 2, Created: 2, Units: 2}, l.upsert(ref))
		})
	}
}

func TestStageRowsTwiceGivesTheSameRows(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	rows := []mail{{id: idA, stamp: at(0), raw: "one", priority: "Low"}, {id: idB, stamp: at(0), deleted: true}, {id: idC, stamp: at(0), reason: "bad"}}
	ref := l.prepare(rows...)
	first := l.strings(`select staged::text from staged order by record_id`)
	require.Len(t, first, 3)
	require.NoError(t, l.stage(ref, 1, rows[2], rows[1], rows[0]))
	require.Equal(t, first, l.strings(`select staged::text from staged order by record_id`))
	l.upsert(ref)
	require.Empty(t, l.strings(`select record_id from staged`))
	requireKind(t, fault.Fenced, l.stage(ref, 1, rows...))
	require.Empty(t, l.strings(`select record_id from staged`))
}

func TestStageRowsOfABatchThatIsStillRead(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.begin()
	requireKind(t, fault.Fenced, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}))
	require.Empty(t, l.strings(`select record_id from staged`))
}

// What one add yields must not depend on how much is staged before: rows go over in
// portions of a few megabytes.
func TestStageRowsInPortions(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	long := make([]byte, 60_000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	var rows []mail
	for i := range 150 { // about 9 MB
		rows = append(rows, mail{id: time.Unix(int64(i), 0).UTC().Format("20060102150405"), stamp: at(i), raw: string(long)})
	}
	require.Equal(t, flow.Counts{Rows: 150, Created: 150, Units: 150}, l.apply(rows...))
	require.Equal(t, string(long), l.text(rows[77].id))
}

// Large batches one after the other stage their rows where those before them were.
func TestStagedDoesNotGrow(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	var sizes []int
	for i := range 6 {
		l.load(cleanedMails(i*1000, 1000))
		size, err := strconv.Atoi(l.one(`select pg_relation_size('staged')::text`))
		require.NoError(t, err)
		sizes = append(sizes, size)
	}
	require.Less(t, sizes[5], 3*sizes[0], "%v", sizes) // what was still seen by another transaction goes a batch later
}

func TestGateFollowsTheOperator(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	gate := func() error { return l.db.Gate(t.Context(), l.ref.Stream, l.ref.Epoch) }
	require.NoError(t, gate())
	require.NoError(t, l.db.Steer(t.Context(), "support", "salesforce-prod", flow.SignalPause))
	requireKind(t, fault.Stopped, gate())
	require.NoError(t, l.db.Steer(t.Context(), "support", "salesforce-prod", flow.SignalResume))
	require.NoError(t, gate())
	require.NoError(t, l.db.Disconnect(t.Context(), l.id))
	requireKind(t, fault.Stopped, gate())
	l.seed.Exec(`update streams set epoch = epoch + 1`)
	requireKind(t, fault.Fenced, gate())
}

// What was read before a pause is applied: it is only not asked for more.
func TestUpsertAppliesWhatWasReadBeforeAPause(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ref := l.prepare(mail{id: idA, stamp: at(0), raw: "one"})
	require.NoError(t, l.db.Steer(t.Context(), "support", "salesforce-prod", flow.SignalPause))
	require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, l.upsert(ref))
}
