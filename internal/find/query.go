package find

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// The vendor's client asks for 64 comments a page; 256 is the API's most.
const (
	UsualLimit = 64
	MaxLimit   = 256
)

// Query reads which page of a source's comments is asked for. With several sources sourceID is "".
func Query(values url.Values, sourceID string) (store.CommentQuery, error) {
	q := store.CommentQuery{SourceID: sourceID, Limit: UsualLimit}
	fail := func(err error) (store.CommentQuery, error) { return store.CommentQuery{}, err }
	// What a continuation carries holds for parameters that are not sent again.
	if token := values.Get("after"); token != "" {
		var err error
		if q, err = ReadContinuation(token, sourceID); err != nil {
			return fail(err)
		}
	}
	var err error
	if q.Limit, err = Limit(values, UsualLimit, MaxLimit); err != nil {
		return fail(err)
	}
	for name, into := range map[string]**time.Time{"from_timestamp": &q.From, "to_timestamp": &q.To} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fail(fault.New(fault.Invalid, "%s is %.40q, want RFC 3339 such as 2024-01-31T12:00:00Z (a + is written %%2B in a URL)", name, text))
		}
		*into = &t
	}
	switch direction := values.Get("direction"); {
	case direction == "":
	case direction != "ascending" && direction != "descending":
		return fail(fault.New(fault.Invalid, "direction is %.20q, want ascending or descending", direction))
	case q.After != nil && q.Descending != (direction == "descending"):
		return fail(fault.New(fault.Invalid, "after continues a list in the other direction"))
	default:
		q.Descending = direction == "descending"
	}
	// Neither is kept here; clients ask for them anyway.
	for _, name := range []string{"include_markup", "include_thread_properties"} {
		if text := values.Get(name); text != "" {
			if _, err := strconv.ParseBool(text); err != nil {
				return fail(fault.New(fault.Invalid, "%s is %.20q, want true or false", name, text))
			}
		}
	}
	return q, nil
}

// Limit reads how long a page may be.
func Limit(values url.Values, usual, most int) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fault.New(fault.Invalid, "limit is %.20q, want 1 to %d", text, most)
	}
	return n, nil
}

// continuation is a place in a list. It is no secret and no right: the caller's
// right on the source is checked with every page.
type continuation struct {
	Source     string     `json:"s"`
	Timestamp  time.Time  `json:"t"`
	ID         string     `json:"i"`
	Descending bool       `json:"d,omitempty"`
	From       *time.Time `json:"from,omitempty"`
	To         *time.Time `json:"to,omitempty"`
}

// Continuation writes the place at which a list goes on: behind q.After.
func Continuation(q store.CommentQuery) string {
	raw, _ := json.Marshal(continuation{ // times read from PostgreSQL always encode
		Source: q.SourceID, Timestamp: q.After.Timestamp.UTC(), ID: q.After.ID, Descending: q.Descending, From: q.From, To: q.To,
	})
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ReadContinuation reads what Continuation wrote for the same list.
func ReadContinuation(token, sourceID string) (store.CommentQuery, error) {
	bad := fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return store.CommentQuery{}, bad
	}
	var c continuation
	if json.Unmarshal(raw, &c) != nil || c.Source != sourceID || c.ID != "" && !comment.ValidID(c.ID) {
		return store.CommentQuery{}, bad
	}
	return store.CommentQuery{
		SourceID: sourceID, Limit: UsualLimit, From: c.From, To: c.To, Descending: c.Descending,
		After: &store.CommentKey{Timestamp: c.Timestamp, ID: c.ID},
	}, nil
}

// KeyOf is a comment's place in a list.
func KeyOf(c store.StoredComment) store.CommentKey {
	return store.CommentKey{Timestamp: c.Timestamp, ID: c.ID}
}

// BehindLast is where the page after this one begins; nil for none.
func BehindLast(page []store.StoredComment, more bool) *store.CommentKey {
	if !more {
		return nil
	}
	last := KeyOf(page[len(page)-1])
	return &last
}
