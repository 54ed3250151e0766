package api

import (
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// listComments gives one page of a source's comments in the order of (timestamp,
// id). The last page has no continuation.
func (a *API) listComments(c *call) (reply, error) {
	q, err := find.Query(c.r.URL.Query(), c.source.ID)
	if err != nil {
		return nil, err
	}
	page, more, err := a.store.Comments(c.r.Context(), q)
	if err != nil {
		return nil, err
	}
	return c.pageOf(q, page, find.BehindLast(page, more)), nil
}

// pageOf is a page of comments as it goes out; next is where the one after it begins, nil for the last one.
func (c *call) pageOf(q store.CommentQuery, page []store.StoredComment, next *store.CommentKey) reply {
	out := reply{"comments": c.wireComments(page)}
	if next != nil {
		q.After = next
		out["continuation"] = find.Continuation(q)
	}
	return out
}

func (c *call) wireComments(list []store.StoredComment) []wireComment {
	c.rows += int64(len(list))
	hidden := c.hidden()
	out := make([]wireComment, len(list))
	for i, stored := range list {
		out[i] = toWireComment(stored, hidden)
	}
	return out
}

// hidden are the source's sensitive properties, unless the caller may see them.
func (c *call) hidden() find.Hidden { return find.HiddenFrom(c.who, *c.source) }
