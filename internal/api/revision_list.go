package api

import (
	"strconv"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
)

// wireRevision is a text that a comment has or had. The vendor's API has no such thing.
type wireRevision struct {
	Revision        int           `json:"revision"`
	InForce         bool          `json:"in_force"`
	Messages        []wireMessage `json:"messages"` // texts only
	CleaningVersion int           `json:"cleaning_version"`
	CreatedAt       timestamp     `json:"created_at"`
	Billed          bool          `json:"billed"`
	Units           int           `json:"ai_units"`
	Reason          string        `json:"reason"` // created or text_changed; "" when it was not billed
}

// listRevisions gives one page of a comment's texts, the newest first, and what each cost. It needs the
// right to what is sensitive: what was taken out of a text is in those before.
func (a *API) listRevisions(c *call) (reply, error) {
	id, values := c.r.PathValue("id"), c.r.URL.Query()
	missing := fault.New(fault.NotFound, "source %s/%s has no comment %.100q", c.project, c.source.Name, id)
	if !comment.ValidID(id) {
		return nil, missing
	}
	limit, err := find.Limit(values, find.UsualLimit, find.MaxLimit)
	if err != nil {
		return nil, err
	}
	before := 0
	if text := values.Get("after"); text != "" {
		if before, err = strconv.Atoi(text); err != nil || before < 1 {
			return nil, fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
		}
	}
	page, more, err := a.store.Revisions(c.r.Context(), c.source.ID, id, before, limit)
	if fault.Is(err, fault.NotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	list := make([]wireRevision, len(page))
	for i, r := range page {
		messages, err := comment.Join(make([]comment.Message, len(r.Texts)), r.Texts)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read the revisions of comment %s", id)
		}
		list[i] = wireRevision{
			Revision: r.Number, InForce: r.InForce, Messages: toWireMessages(messages), CleaningVersion: r.CleaningVersion,
			CreatedAt: timestamp(r.CreatedAt), Billed: r.Units > 0, Units: r.Units, Reason: r.Reason,
		}
	}
	out := reply{"revisions": list}
	if more {
		out["continuation"] = strconv.Itoa(page[len(page)-1].Number)
	}
	return out, nil
}
