package api

import (
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// Bounds of a page of threads, each of which has several comments.
const (
	defaultThreads = 8
	maxThreads     = 16
)

// wireThread is a thread in a list: its newest comments in the order of time.
type wireThread struct {
	ID       string        `json:"thread_id"`
	Comments []wireComment `json:"comments"`
	Earlier  bool          `json:"has_earlier"` // there are earlier comments; the thread's own route has them
}

// listThreads gives one page of a source's threads, the one with the newest comment first.
func (a *API) listThreads(c *call) (reply, error) {
	values := c.r.URL.Query()
	q := store.CommentQuery{SourceID: c.source.ID, Descending: true}
	if token := values.Get("after"); token != "" {
		var err error
		if q, err = find.ReadContinuation(token, c.source.ID); err != nil {
			return nil, err
		}
		if !q.Descending || q.From != nil || q.To != nil {
			return nil, fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
		}
	}
	limit, err := find.Limit(values, defaultThreads, maxThreads)
	if err != nil {
		return nil, err
	}
	page, next, err := a.store.Threads(c.r.Context(), c.source.ID, q.After, limit)
	if err != nil {
		return nil, err
	}
	list := make([]wireThread, len(page))
	for i, t := range page {
		list[i] = wireThread{ID: t.ID, Comments: c.wireComments(t.Comments), Earlier: t.Earlier}
	}
	out := reply{"threads": list}
	if next != nil {
		q.After = next
		out["continuation"] = find.Continuation(q)
	}
	return out, nil
}

// getThread gives a thread as a conversation, one page at a time, in the order of listComments.
func (a *API) getThread(c *call) (reply, error) {
	id := c.r.PathValue("thread")
	missing := fault.New(fault.NotFound, "source %s/%s has no thread %.100q", c.project, c.source.Name, id)
	if id == "" || !find.ValidThread(id) {
		return nil, missing
	}
	q, err := find.Query(c.r.URL.Query(), c.source.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.threadPage(c, id, q)
	if err != nil {
		return nil, err
	}
	if q.After == nil && q.From == nil && q.To == nil && len(out["comments"].([]wireComment)) == 0 {
		return nil, missing
	}
	out["thread_id"] = id
	return out, nil
}

func (a *API) threadPage(c *call, threadID string, q store.CommentQuery) (reply, error) {
	page, more, err := a.store.ThreadComments(c.r.Context(), threadID, q)
	if err != nil {
		return nil, err
	}
	return c.pageOf(q, page, find.BehindLast(page, more)), nil
}
