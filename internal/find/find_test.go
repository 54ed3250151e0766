package find_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
	"salesforcesync/internal/words"
)

// shelf is a store that has comments of some sources, and gives pages as short as it likes.
type shelf struct {
	rng  *rand.Rand
	list map[string][]store.StoredComment // by source, in the order of (time, id) as this store has it
	err  error
}

func (s *shelf) SearchComments(_ context.Context, q store.CommentSearch) (page []store.StoredComment, next *store.CommentKey, err error) {
	list := slices.Clone(s.list[q.SourceID])
	if q.Descending {
		slices.Reverse(list)
	}
	begin := 0
	if q.After != nil {
		begin = 1 + slices.IndexFunc(list, func(c store.StoredComment) bool { return find.KeyOf(c) == *q.After })
	}
	looked := min(len(list), begin+1+s.rng.IntN(2*q.Limit)) // it may look at more or fewer than a page has
	for _, c := range list[begin:looked] {
		if len(page) == q.Limit {
			next := find.KeyOf(page[q.Limit-1])
			return page, &next, s.err
		}
		if strings.HasPrefix(c.ID, "hit") {
			page = append(page, c)
		}
	}
	if looked < len(list) {
		key := find.KeyOf(list[looked-1])
		next = &key
	}
	return page, next, s.err
}

// However many sources there are, and whatever each gives at a time: the pages have every comment once, in the
// order of time. Ids compare as they do in no program.
func TestOneListOutOfSeveralSources(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 10))
	for round := range 300 {
		s := &shelf{rng: rng, list: map[string][]store.StoredComment{}}
		var sources []store.Source
		want := map[string]bool{}
		for n := range 1 + rng.IntN(4) {
			source := store.Source{ID: fmt.Sprintf("%016x", n), Number: 7 * n}
			sources = append(sources, source)
			for i := range rng.IntN(40) {
				id := fmt.Sprintf("%s-%d", []string{"hit", "hit", "miss"}[rng.IntN(3)], i)
				at := time.Unix(int64(rng.IntN(12)), 0).UTC()
				s.list[source.ID] = append(s.list[source.ID], store.StoredComment{SourceID: source.ID, Comment: comment.Comment{ID: id, Timestamp: at}})
				if strings.HasPrefix(id, "hit") {
					want[source.ID+id] = true
				}
			}
			slices.SortStableFunc(s.list[source.ID], func(a, b store.StoredComment) int { return a.Timestamp.Compare(b.Timestamp) })
		}
		q := store.CommentQuery{Limit: 1 + rng.IntN(9), Descending: round%2 == 0}
		seen := map[string]bool{}
		var last *time.Time
		var at find.Places
		for pages := 0; ; pages++ {
			require.Less(t, pages, 500)
			page, err := find.Search(t.Context(), s, sources, at, q, words.Filter{})
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Hits), q.Limit)
			for _, h := range page.Hits {
				key := h.Source.ID + h.ID
				require.False(t, seen[key], "%s twice", key)
				seen[key] = true
				require.True(t, last == nil || last.Equal(h.Timestamp) || last.Before(h.Timestamp) != q.Descending, "in order")
				last = &h.Timestamp
			}
			if page.Next == nil {
				break
			}
			at, err = find.ReadPlaces(page.Next.String())
			require.NoError(t, err)
			require.Equal(t, page.Next, at)
		}
		require.Equal(t, want, seen)
	}
	broken := errors.New("no")
	_, err := find.Search(t.Context(), &shelf{rng: rng, err: broken}, []store.Source{{}}, nil, store.CommentQuery{Limit: 1}, words.Filter{})
	require.ErrorIs(t, err, broken)
}

func TestPlacesAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	at, err := find.ReadPlaces("")
	require.NoError(t, err)
	require.Nil(t, at)
	for _, token := range []string{"!", "eA", "bnVsbA", "W10", find.Places{1: {ID: "a b"}}.String(), find.Places{1: {ID: "a\x00"}}.String()} {
		_, err := find.ReadPlaces(token)
		require.True(t, fault.Is(err, fault.Invalid), token)
	}
}

func TestHiddenProperties(t *testing.T) {
	t.Parallel()
	h := find.Hidden{"Secret", "number:Score"}
	for key, hidden := range map[string]bool{"string:Secret": true, "number:Secret": true, "number:Score": true, "string:Score": false, "string:Secret 2": false} {
		require.Equal(t, hidden, h.Has(key), key)
	}
	for property, refused := range map[string]bool{"string:Secret=x": true, "string:Secret": true, "number:Score=3": true, "string:Score=3": false, "string:Secrets=x": false, "string:Secret=a=b": true} {
		require.Equal(t, refused, h.Allow(property, "support") != nil, property)
	}
	_, err := find.Filter(url.Values{"property": {"string:Secret=x"}}, store.Source{Project: "support"}, h)
	require.True(t, fault.Is(err, fault.Forbidden))
}
