package transform

import (
	"strings"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/salesforce"
)

// chat makes a message of each turn of the chat in the body. What is no transcript stays one
// message. cut shortens a text to what the Comments API takes.
func chat(c *comment.Comment, rec salesforce.Record, m Mapping, cut func(what, text string) string) {
	if len(m.Body) == 0 {
		return
	}
	body, _ := rec.Text(m.Body[0].Path)
	turns := within(clean.Chat(body), comment.MaxMessages)
	if len(turns) == 0 {
		return
	}
	began, known := rec.Time(m.SentAt)
	first := c.Messages[0]
	c.Messages = make([]comment.Message, len(turns))
	c.Messages[0] = comment.Message{Subject: first.Subject, Signature: first.Signature, To: first.To, Cc: first.Cc, Bcc: first.Bcc}
	for i, t := range turns {
		msg := &c.Messages[i]
		msg.Body.Text = cut("body", t.Text)
		msg.From, _ = clean.Cut(t.From, comment.MaxAddressSize)
		if known && t.Dated {
			sent := began.Add(t.After)
			msg.SentAt = &sent
		}
	}
}

// within puts the turns that are too many into the last one, each on a line.
func within(turns []clean.Turn, most int) []clean.Turn {
	if len(turns) <= most {
		return turns
	}
	last := turns[most-1]
	var rest strings.Builder
	rest.WriteString(last.Text)
	for _, t := range turns[most:] {
		rest.WriteByte('\n')
		if t.From != "" {
			rest.WriteString(t.From + ": ")
		}
		rest.WriteString(t.Text)
	}
	last.Text = rest.String()
	return append(turns[:most-1:most-1], last)
}
