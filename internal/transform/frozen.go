package transform

import (
	"slices"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// keep makes the comment of a record that misses paths of the mapping: they were hidden
// from the integration user when it was read, or are gone from the object. Missing is
// not null, so what such a path feeds keeps its last value. textKept says that the texts
// are the stored ones, whatever became of their other inputs.
//
// A record that is no comment yet has no last value. It goes without an address or a
// property until the path can be read again; but without a text or a timestamp it would
// be created now and changed, and billed twice, then: it is set aside.
func (r *Reader) keep(x Reading, before *store.Kept) (c *comment.Comment, textKept bool, err error) {
	missing := func(paths ...string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return slices.Contains(x.Missing, p) })
	}
	m := r.recipe.Mapping
	text := x.firstMissing(m.TextPaths())
	stamp := x.undecided(m.Timestamp)
	if before == nil && text+stamp != "" {
		hidden := text
		if hidden == "" {
			hidden = stamp
		}
		return nil, false, fault.New(fault.Record, "%s is hidden from the integration user, or gone: the record waits until it can be read", hidden)
	}
	if text != "" {
		m.Subject, m.Body, m.Signature = "", nil, nil
	}
	if stamp != "" {
		c, err = commentAt(before.Comment.Timestamp, x.rec, m, r.recipe.Types)
	} else {
		c, err = Comment(x.rec, m, r.recipe.Types)
	}
	if err != nil || before == nil {
		return c, false, err
	}
	if text != "" {
		keepTexts(c, before, m.Chat)
		keepProperty(c, before, PropertyTruncated)
	}
	if m.Chat && missing(m.SentAt) {
		for i := range min(len(c.Messages), len(before.Comment.Messages)) {
			c.Messages[i].SentAt = before.Comment.Messages[i].SentAt
		}
	}
	now, then := &c.Messages[0], before.Comment.Messages[0]
	if x.threadMissing(m) {
		c.ThreadID = before.Comment.ThreadID
	}
	if x.senderMissing(m) && !m.Chat {
		now.From = then.From
	}
	for _, list := range []struct {
		path      string
		now, then *[]string
	}{{m.To, &now.To, &then.To}, {m.Cc, &now.Cc, &then.Cc}, {m.Bcc, &now.Bcc, &then.Bcc}} {
		if missing(list.path) {
			*list.now = *list.then
		}
	}
	if missing(m.SentAt) {
		now.SentAt = then.SentAt
	}
	if missing(m.Direction) {
		keepProperty(c, before, PropertyDirection)
	}
	for _, p := range m.Properties {
		if missing(p.Path) || p.Case && missing(m.Case) {
			keepProperty(c, before, p.Name)
		}
	}
	return c, text != "", nil
}

// keepTexts gives c the stored texts. Who says what in a chat is read from its text, so that
// the turns stay whole.
func keepTexts(c *comment.Comment, before *store.Kept, chat bool) {
	if chat {
		c.Messages = slices.Clone(before.Comment.Messages)
		return
	}
	now, then := &c.Messages[0], before.Comment.Messages[0]
	now.Subject, now.Body, now.Signature = then.Subject, then.Body, then.Signature
}

// threadMissing reports whether the record does not carry the path that would make its thread.
func (x Reading) threadMissing(m Mapping) bool {
	if m.Case != "" && slices.Contains(x.Missing, m.Case) {
		return true
	}
	return !leadsToCase(x.rec, m.Case) && x.undecided(m.Thread) != ""
}

// senderMissing reports whether the record does not carry a path that might say who it is from,
// and none before it does.
func (x Reading) senderMissing(m Mapping) bool {
	for _, s := range append([]Sender{{m.FromName, m.From}}, m.Senders...) {
		if slices.Contains(x.Missing, s.Name) || slices.Contains(x.Missing, s.Address) {
			return true
		}
		if line(x.rec, s.Address) != "" {
			return false
		}
	}
	return false
}

// firstMissing is the first of the paths that the record does not carry.
func (x Reading) firstMissing(paths []string) string {
	for _, p := range paths {
		if slices.Contains(x.Missing, p) {
			return p
		}
	}
	return ""
}

// undecided is the path that would decide, of a list in which the first value wins, and
// that the record does not carry; "" when one before it has a value, or none is missing.
func (x Reading) undecided(paths []string) string {
	for _, p := range paths {
		if slices.Contains(x.Missing, p) {
			return p
		}
		if _, ok := x.rec.Text(p); ok {
			return ""
		}
	}
	return ""
}

// keepProperty gives c the property that is stored, whether it was a text or a number.
func keepProperty(c *comment.Comment, before *store.Kept, name string) {
	for _, key := range []string{"string:" + name, "number:" + name} {
		delete(c.Properties, key)
		if v, ok := before.Comment.Properties[key]; ok {
			c.Properties[key] = v
		}
	}
}
