package transform

import (
	"encoding/hex"
	"strings"
	"time"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/eml"
)

// Mail is a mail that a client sends as it is, with no record behind it.
type Mail struct {
	Head  eml.Header
	Plain string // the body as text, or as it stood below the head
	HTML  string // the body as HTML; either may be ""
}

// MailID is the id of a mail's comment: the hex of its Message-ID without the brackets; "" when it has none.
func MailID(head eml.Header) string { return hex.EncodeToString([]byte(head.MessageID())) }

// Comment makes the comment of a mail that was sent at that moment. Its texts are cleaned as those of an
// EmailMessage are; mails that belong to one conversation have the hex of the Message-ID that began it as thread_id. The
// properties become the comment's.
func (m Mail) Comment(id string, at time.Time, properties comment.Properties) comment.Comment {
	sender, subject := m.Head.Sender(), m.Head.Subject()
	mail := clean.Mail{HTML: m.HTML, FromName: sender.Name, FromAddress: sender.Address, Subject: subject}
	var html string
	if mail.Text, html = m.Head.Bodies(m.Plain); mail.HTML == "" {
		mail.HTML = html
	}
	split := clean.Split(mail)
	var short cutting
	msg := short.message(clean.Line(subject), split.Reply, split.Signature)
	msg.From = who(sender)
	msg.To, msg.Cc, msg.Bcc = recipients(m.Head, "to"), recipients(m.Head, "cc"), recipients(m.Head, "bcc")
	msg.SentAt = &at
	short.tell(properties)
	c := comment.Comment{ID: id, Timestamp: at, Messages: []comment.Message{msg}, Properties: properties}
	c.ThreadID = threadID(m.Head.Root())
	return c
}

// Inputs is the digest of what the texts of the comment are made of. The same mail has the same one, whatever made its
// line ends.
func (m Mail) Inputs() []byte {
	line := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	return comment.HashTexts([]comment.Texts{
		{Subject: m.Head.Field("subject"), Body: line.Replace(m.Plain), Signature: line.Replace(m.HTML)},
		{Subject: m.Head.Field("from"), Body: m.Head.Field("content-type"), Signature: m.Head.Field("content-transfer-encoding")},
	})
}

// recipients are those of a field of the head, as a comment has them.
func recipients(head eml.Header, field string) (list []string) {
	for _, a := range head.Addresses(field) {
		if one := who(a); one != "" && len(list) < comment.MaxAddresses {
			list = append(list, one)
		}
	}
	return list
}

// who is an address as a comment has it.
func who(a eml.Address) string {
	one, _ := clean.Cut(from(clean.Line(a.Name), clean.Line(a.Address)), comment.MaxAddressSize)
	return one
}
