package api

import (
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// searchComments gives one page of those of a source's comments that q, property and thread_id let
// through, in the order of listComments. A page ends where it took enough work: it may be short, or
// empty, and still have a continuation.
func (a *API) searchComments(c *call) (reply, error) {
	ctx, values := c.r.Context(), c.r.URL.Query()
	q, err := find.Query(values, c.source.ID)
	if err != nil {
		return nil, err
	}
	filter, err := find.Filter(values, *c.source, c.hidden())
	if err != nil {
		return nil, err
	}
	page, next, err := a.store.SearchComments(ctx, store.CommentSearch{CommentQuery: q, Number: c.source.Number, Filter: filter})
	if err != nil {
		return nil, err
	}
	out := c.pageOf(q, page, next)
	if filter.NeedsIndex() {
		lag, err := a.store.WordsLag(ctx, c.source.ID)
		if err != nil {
			return nil, err
		}
		out["index_lag_seconds"] = lag.Seconds()
	}
	return out, nil
}
