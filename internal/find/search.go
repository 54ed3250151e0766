package find

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/words"
)

// Searcher has the comments; *store.Store is one.
type Searcher interface {
	SearchComments(ctx context.Context, q store.CommentSearch) ([]store.StoredComment, *store.CommentKey, error)
}

// Hit is a comment that was found, and its source.
type Hit struct {
	store.StoredComment
	Source *store.Source
}

// Page is one page of a list out of several sources.
type Page struct {
	Hits []Hit
	Next Places     // where the next one begins; nil at the end
	To   *time.Time // everything up to this time was looked at; nil = all there is
}

// Places say, by the number of a source, behind which of its comments a list goes on; nil = from its
// beginning. A source that is not there has no more. Each source has a place of its own, because only the
// database knows in which order it has comments of the same time.
type Places map[int]*store.CommentKey

// Search gives a page of the comments of several sources that a filter lets through, as one list in
// the order of time. at is where it begins; nil for the first page. As in one source, a page
// may be short, or empty, and still have a next one.
func Search(ctx context.Context, s Searcher, sources []store.Source, at Places, q store.CommentQuery, filter words.Filter) (Page, error) {
	before := func(a, b time.Time) bool { return a.Before(b) != q.Descending && !a.Equal(b) }
	var page Page
	behind := Places{} // of each source that has more
	for i := range sources {
		source := &sources[i]
		place, more := at[source.Number]
		if at != nil && !more {
			continue
		}
		one := q
		one.SourceID, one.After = source.ID, place
		list, next, err := s.SearchComments(ctx, store.CommentSearch{CommentQuery: one, Number: source.Number, Filter: filter})
		if err != nil {
			return Page{}, err
		}
		for _, c := range list {
			page.Hits = append(page.Hits, Hit{c, source})
		}
		if next == nil {
			continue
		}
		behind[source.Number] = next
		// What lies behind is not known: nothing later than this may be shown.
		if page.To == nil || before(next.Timestamp, *page.To) {
			page.To = &next.Timestamp
		}
	}
	slices.SortStableFunc(page.Hits, func(a, b Hit) int {
		if q.Descending {
			a, b = b, a
		}
		return a.Timestamp.Compare(b.Timestamp)
	})
	shown := page.Hits
	if page.To != nil {
		if cut := slices.IndexFunc(shown, func(h Hit) bool { return before(*page.To, h.Timestamp) }); cut >= 0 {
			shown = shown[:cut]
		}
	}
	shown = shown[:min(len(shown), q.Limit)]
	// Of a source that has something left, the list goes on behind what was shown of it.
	for _, left := range page.Hits[len(shown):] {
		behind[left.Source.Number] = at[left.Source.Number]
	}
	for _, h := range shown {
		if slices.ContainsFunc(page.Hits[len(shown):], func(left Hit) bool { return left.Source == h.Source }) {
			behind[h.Source.Number] = &store.CommentKey{Timestamp: h.Timestamp, ID: h.ID}
		}
	}
	if page.Hits = shown; len(behind) > 0 {
		page.Next = behind
	}
	return page, nil
}

// String writes the places as a token. It is no secret and no right.
func (p Places) String() string {
	raw, _ := json.Marshal(map[int]*store.CommentKey(p)) // times read from PostgreSQL always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ReadPlaces reads what [Places.String] wrote; "" is the first page.
func ReadPlaces(token string) (Places, error) {
	if token == "" {
		return nil, nil
	}
	var p Places
	raw, err := base64.RawURLEncoding.DecodeString(token)
	bad := err != nil || json.Unmarshal(raw, &p) != nil || p == nil
	for _, key := range p {
		bad = bad || key != nil && (key.ID != "" && !comment.ValidID(key.ID) || key.Timestamp.Year() < -4000 || key.Timestamp.Year() > 9999)
	}
	if bad {
		return nil, fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
	}
	return p, nil
}
