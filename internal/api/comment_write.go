package api

import (
	"io"
	"net/url"
	"strconv"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// maxDeleted is how many comments one request may delete.
const maxDeleted = 128

// syncComments makes the comments of a source be as the body says: all of it, or nothing.
func (a *API) syncComments(c *call) (reply, error) {
	list, err := a.readComments(c)
	if err != nil {
		return nil, err
	}
	return a.sync(c, list)
}

// sync writes comments, whatever they were made of.
func (a *API) sync(c *call, list []store.CommentWrite) (reply, error) {
	written, err := a.store.SyncComments(c.r.Context(), c.commentBatch(list))
	if err != nil {
		return nil, c.nameSource(err)
	}
	c.rows = int64(len(list))
	return syncReply(written), nil
}

// commentBatch is what the caller writes into the source.
func (c *call) commentBatch(list []store.CommentWrite) store.CommentBatch {
	return store.CommentBatch{SourceID: c.source.ID, Comments: list, Veiled: !c.who.Can(c.project, access.SourcesReadSensitive)}
}

func syncReply(w store.Written) reply {
	return reply{
		"new": w.New, "unchanged": w.Unchanged, "updated": w.PropertiesOnly + w.TextChanged,
		"updated_properties_only": w.PropertiesOnly, "updated_text_changed": w.TextChanged,
	}
}

// createComments writes comments that are not there yet, or are the version of their context. The
// vendor's client takes no answer but an empty one.
func (a *API) createComments(c *call) (reply, error) {
	list, err := a.readComments(c)
	if err != nil {
		return nil, err
	}
	if _, err := a.store.CreateComments(c.r.Context(), c.commentBatch(list)); err != nil {
		return nil, c.nameSource(err)
	}
	c.rows = int64(len(list))
	return reply{}, nil
}

// readComments reads the comments of a request that writes them.
func (a *API) readComments(c *call) (list []store.CommentWrite, err error) {
	if err := c.refuseFree(); err != nil {
		return nil, err
	}
	err = a.batch(c, func(body io.Reader) (err error) {
		list, err = decodeComments(body)
		return err
	})
	return list, err
}

// refuseFree refuses no_charge=true: it needs the permission debug, which nobody has.
func (c *call) refuseFree() error {
	text := c.r.URL.Query().Get("no_charge")
	if text == "" {
		return nil
	}
	free, err := strconv.ParseBool(text)
	switch {
	case err != nil:
		return fault.New(fault.Invalid, "no_charge is %s, want true or false", quoted(text))
	case free:
		return fault.New(fault.Forbidden, "no_charge=true needs the permission debug, which nobody has here")
	}
	return nil
}

// nameSource names the source in the errors of a store that knows it by its id.
func (c *call) nameSource(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "there is no source %s/%s", c.project, c.source.Name)
	}
	return err
}

// deleteComments deletes comments by id. Ids of none are passed over: a request that is sent once more
// is not a mistake.
func (a *API) deleteComments(c *call) (reply, error) {
	ids, err := readIDs(c.r.URL.Query())
	if err != nil {
		return nil, err
	}
	c.event.Note("ids", ids)
	if _, err := a.store.DeleteComments(c.r.Context(), c.source.ID, ids); err != nil {
		return nil, c.nameSource(err)
	}
	return reply{}, nil
}

func readIDs(values url.Values) ([]string, error) {
	ids := values["id"]
	for _, list := range values["ids"] {
		ids = append(ids, strings.Split(list, ",")...)
	}
	if len(ids) == 0 {
		return nil, fault.New(fault.Invalid, "id is missing: name each comment as id=<id>, or several as ids=<id>,<id>")
	}
	if len(ids) > maxDeleted {
		return nil, fault.New(fault.Invalid, "%d ids, at most %d", len(ids), maxDeleted)
	}
	for _, id := range ids {
		if !comment.ValidID(id) {
			return nil, fault.New(fault.Invalid, "id %s is not 1 to 1,024 letters, digits and ASCII punctuation without a blank or a slash", quoted(id))
		}
	}
	return ids, nil
}
