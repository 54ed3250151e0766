package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// longestWait is how long a caller may wait for changes, in seconds.
const longestWait = 30

// How often a caller who waits for changes is looked for without a notification, and with one
// that nothing could be read for yet, because an older transaction is open.
const (
	lookForChanges = 5 * time.Second
	lookAgainSoon  = 200 * time.Millisecond
)

// listChanges gives what changed in a source behind a place, each comment once and as it
// is now; of one that is no more, its id and when it ended. There always is an after, to go
// on from. With wait it answers as soon as there is something, or when that time is over.
func (a *API) listChanges(c *call) (reply, error) {
	q, wait, err := readChangeQuery(c.r.URL.Query(), c.source.ID)
	if err != nil {
		return nil, err
	}
	ctx := c.r.Context()
	if wait > 0 {
		if err := a.awaitChanges(ctx, q, wait); err != nil {
			return nil, err
		}
	}
	if err := a.enter(ctx, c); err != nil {
		return nil, err
	}
	page, err := a.store.ChangesFrom(ctx, q)
	if err != nil {
		return nil, err
	}
	hidden := c.hidden()
	list := make([]any, len(page.List))
	for i, change := range page.List {
		if change.DeletedAt != nil {
			list[i] = wireDeleted{ID: change.ID, Deleted: true, DeletedAt: timestamp(*change.DeletedAt)}
		} else {
			list[i] = toWireComment(change.StoredComment, hidden)
		}
	}
	c.rows = int64(len(list))
	return reply{"changes": list, "after": writePlace(q.SourceID, page), "more": page.More}, nil
}

// wireDeleted is the last state of a comment that is no more.
type wireDeleted struct {
	ID        string    `json:"id"`
	Deleted   bool      `json:"deleted"`
	DeletedAt timestamp `json:"deleted_at"`
}

// awaitChanges returns when there are changes, or when wait is over. It takes no place among
// large answers: callers who wait must not keep others out.
func (a *API) awaitChanges(ctx context.Context, q store.ChangeQuery, wait time.Duration) error {
	woken, stop := a.listener.Wait(q.SourceID)
	defer stop()
	over := time.NewTimer(wait)
	defer over.Stop()
	q.Limit = 1
	look := lookForChanges
	for {
		page, err := a.store.ChangesFrom(ctx, q)
		if err != nil || len(page.List) > 0 {
			return err
		}
		select {
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-woken:
			look = lookAgainSoon
		case <-time.After(look):
			look = lookForChanges
		}
	}
}

func readChangeQuery(values url.Values, sourceID string) (q store.ChangeQuery, wait time.Duration, err error) {
	q = store.ChangeQuery{SourceID: sourceID}
	if q.Limit, err = find.Limit(values, find.UsualLimit, find.MaxLimit); err != nil {
		return q, 0, err
	}
	if text := values.Get("wait"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > longestWait {
			return q, 0, fault.New(fault.Invalid, "wait is %.20q, want 0 to %d seconds", text, longestWait)
		}
		wait = time.Duration(seconds) * time.Second
	}
	if token := values.Get("after"); token != "" {
		if err := readPlace(token, &q); err != nil {
			return q, 0, err
		}
	}
	return q, wait, nil
}

// place is a place in the order of changes. Like a continuation it is no secret and no right.
type place struct {
	Source      string `json:"s"`
	Where       string `json:"w"`
	Transaction uint64 `json:"t"`
	ID          string `json:"i"`
}

func writePlace(sourceID string, page store.Changes) string {
	raw, _ := json.Marshal(place{Source: sourceID, Where: page.Where, Transaction: page.Next.Transaction, ID: page.Next.ID}) // always encodes
	return base64.RawURLEncoding.EncodeToString(raw)
}

func readPlace(token string, q *store.ChangeQuery) error {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	var p place
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil || p.Source != q.SourceID || p.Where == "" {
		return fault.New(fault.Invalid, "after is not a place in the changes of this source: send it as it was received")
	}
	q.After, q.Where = store.Place{Transaction: p.Transaction, ID: p.ID}, p.Where
	return nil
}
