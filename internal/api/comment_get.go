package api

import (
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// getComment reads one comment. A deleted one is as unknown as one that never was.
func (a *API) getComment(c *call) (reply, error) {
	id := c.r.PathValue("id")
	missing := fault.New(fault.NotFound, "source %s/%s has no comment %.100q", c.project, c.source.Name, id)
	if !comment.ValidID(id) {
		return nil, missing
	}
	stored, err := a.store.Comment(c.r.Context(), c.source.ID, id)
	if fault.Is(err, fault.NotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	return reply{"comment": toWireComment(*stored, c.hidden())}, nil
}
