package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
)

// Raw copies go by the age of their batch; what was made of them stays, and so does what is not
// applied yet.
func TestRawCopiesAreRemovedWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	for n := range 4 {
		l.apply(mail{id: idA, stamp: at(n), raw: string(rune('a' + n))})
	}
	last := l.prepare(mail{id: idB, stamp: at(9), raw: "b"}) // sealed and transformed, not applied
	l.seed.Exec(`update batches set applied_at = $1::timestamptz + make_interval(hours => seq::int) where state = 'applied'`, noon)
	chunks := func() []string { return l.strings(`select seq::text from raw_chunks order by seq`) }
	receipts := l.strings(`select b.seq || ' ' || rows || ' ' || units || ' ' || chunks from batches b order by seq`)
	remove := func(until time.Time, limit int) bool {
		t.Helper()
		more, err := l.db.RemoveRaw(t.Context(), l.id, until, limit)
		require.NoError(t, err)
		l.sound()
		return more
	}
	require.False(t, remove(noon, 10))
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, chunks())
	require.True(t, remove(noon.Add(3*time.Hour), 1), "it goes on at the next look")
	require.Len(t, chunks(), 4)
	require.False(t, remove(noon.Add(3*time.Hour), 10))
	require.Equal(t, []string{"3", "4", "5"}, chunks())
	require.False(t, remove(noon.Add(1000*time.Hour), 10))
	require.Equal(t, []string{"5"}, chunks(), "what is not applied yet is needed")
	require.Equal(t, "4", l.one(`select count(*)::text from batches where raw_removed_at is not null`))
	require.Equal(t, receipts, l.strings(`select b.seq || ' ' || rows || ' ' || units || ' ' || chunks from batches b order by seq`), "receipts stay")
	require.Equal(t, "d", l.text(idA))
	require.Equal(t, "4", l.one(`select count(*)::text from revisions where comment_id = 'c-'||$1`, idA))
	require.False(t, remove(noon.Add(1000*time.Hour), 10))

	l.upsert(last)
	require.Equal(t, "b", l.text(idB))

	records, err := l.db.StoredByID(t.Context(), l.source, "EmailMessage", []string{idA})
	require.NoError(t, err)
	require.Len(t, records, 1)
	_, ok, err := l.db.RawReader(t.Context(), l.source, "EmailMessage").Chunk(records[0].Raw)
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = l.db.RawReader(t.Context(), l.source, "EmailMessage").Chunk(store.RawPlace{})
	require.NoError(t, err)
	require.False(t, ok, "a record that never had one")
}

// What is to be removed is found by an index, however many receipts there are.
func TestRawCopiesAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "a"})
	l.seed.Exec(`insert into batches (stream_id, epoch, seq, state, chunks, checksum, read_begin, read_end, applied_at, raw_removed_at)
		select stream_id, epoch, n, 'applied', 1, '', 1, 2, now() - interval '1 year', now() from batches b, generate_series(2, 20000) n where b.seq = 1`)
	l.seed.Exec(`analyze batches`)
	plan := l.strings(`explain select b.stream_id, b.epoch, b.seq from streams st join batches b on b.stream_id = st.id
		where st.integration_id = '` + l.id + `' and b.state = 'applied' and b.chunks > 0 and b.raw_removed_at is null and b.applied_at < now() limit 10`)
	require.Contains(t, plan[0]+join(plan), "batches_raw")
}

func join(lines []string) (all string) {
	for _, l := range lines {
		all += l + "\n"
	}
	return all
}
