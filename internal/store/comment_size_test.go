package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
	lexicon "salesforcesync/internal/words"
)

func TestSizeOfASearch(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 30 {
		thread, body := "one", "common"
		if i%3 == 0 {
			thread, body = "two", "common rare"
		}
		s.seed.Comment(s.source.ID, comment.Comment{ID: string(rune('a' + i)), Timestamp: noon.Add(time.Duration(i) * time.Hour), ThreadID: thread, Messages: []comment.Message{{Body: comment.Text{Text: body}}}})
	}
	s.index()
	s.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = 'a'`) // of thread two, and rare
	from, to := noon.Add(3*time.Hour), noon.Add(12*time.Hour)
	size := func(most int, f lexicon.Filter, from, to *time.Time) store.Size {
		t.Helper()
		key := &store.CommentKey{Timestamp: noon, ID: "x"}
		got, err := s.db.SizeOf(t.Context(), store.CommentSearch{
			CommentQuery: store.CommentQuery{SourceID: s.source.ID, From: from, To: to, After: key, Descending: true}, Number: s.source.Number, Filter: f}, most)
		require.NoError(t, err)
		return got
	}
	rare := lexicon.Filter{Query: query(t, "rare")}
	require.Equal(t, store.Size{N: 29}, size(5, lexicon.Filter{}, nil, nil), "it is kept")
	require.Equal(t, store.Size{N: 10}, size(10, lexicon.Filter{}, &from, &to), "both ends are in")
	require.Equal(t, store.Size{N: 9, More: true}, size(9, lexicon.Filter{}, &from, &to))
	require.Equal(t, store.Size{N: 9}, size(100, lexicon.Filter{ThreadID: "two"}, nil, nil))
	require.Equal(t, store.Size{N: 4}, size(100, lexicon.Filter{ThreadID: "two"}, &from, &to))
	require.Equal(t, store.Size{N: 9}, size(100, rare, nil, nil))
	require.Equal(t, store.Size{N: 4}, size(100, rare, &from, &to))
	require.Equal(t, store.Size{N: 3, More: true}, size(3, rare, nil, nil))
}
