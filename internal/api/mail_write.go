package api

import (
	"io"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
)

// syncMails is syncComments for mails, of which it makes the comments: all of them, or nothing.
func (a *API) syncMails(c *call) (reply, error) {
	if err := c.refuseFree(); err != nil {
		return nil, err
	}
	var m mails
	if err := a.batch(c, func(body io.Reader) (err error) {
		m, err = decodeMails(body)
		return err
	}); err != nil {
		return nil, err
	}
	if m.include {
		// What became of a comment is more than what was sent: since when it is there, and what others made of it.
		if !c.who.Can(c.project, access.SourcesRead) {
			return nil, fault.New(fault.Forbidden, "include_comments needs the permission %s on project %s", access.SourcesRead, c.project)
		}
		// Before anything is written: a caller who is told to come back later has not been served by half.
		if err := a.enter(c.r.Context(), c); err != nil {
			return nil, err
		}
	}
	out, err := a.sync(c, m.comments)
	if err != nil || !m.include {
		return out, err
	}
	ids := make([]string, len(m.comments))
	for i := range m.comments {
		ids[i] = m.comments[i].ID
	}
	found, err := a.store.CommentsByID(c.r.Context(), c.source.ID, ids)
	if err != nil {
		return nil, err
	}
	hidden, list := c.hidden(), make([]wireComment, 0, len(ids))
	for _, id := range ids {
		if stored, ok := found[id]; ok { // else somebody has deleted it since
			list = append(list, toWireComment(stored, hidden))
		}
	}
	out["comments"] = list
	return out, nil
}
