package api

import (
	"io"
	"strings"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/eml"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Limits of a batch of mails, as the API's schema has them; how many there may be is what it says in words, which
// is less.
const (
	maxMails     = 4096
	maxHead      = 65536    // characters in a head
	maxPlain     = 65536    // in a body of text
	maxHTML      = 33554432 // in one of HTML
	maxOverrides = 128
)

// mails are the comments that were made of mails.
type mails struct {
	comments []store.CommentWrite
	include  bool // they are to be in the answer
}

// decodeMails reads {"documents": [...]} mail by mail. It stops at the first mistake, which it names by its place.
func decodeMails(r io.Reader) (m mails, err error) {
	d := newDecoding("documents", "comment_id", decodeMail)
	err = decodeList(r, d.name, maxMails, m.setting, d.add)
	m.comments = d.list
	return m, err
}

// setting reads what stands beside the mails.
func (m *mails) setting(key string, raw []byte) (err error) {
	s := &strict{data: raw}
	switch {
	case key != "include_comments" && key != "transform_tag" && key != "override_user_properties":
		return fault.New(fault.Invalid, "the body has the unknown key %s", quoted(key))
	case s.null():
	case key == "include_comments":
		m.include, err = s.boolean()
	case key == "transform_tag": // there is one cleaning, whatever it is called
		_, err = s.text(maxTransformTag)
	default: // a mail brings no properties that those sent with it would have to override
		_, err = s.texts(maxOverrides, 1, comment.MaxPropertyName)
	}
	return invalid(within(key, err))
}

var (
	documentKeys = []string{"raw_email", "comment_id", "user_properties"}
	mailKeys     = []string{"headers", "body", "attachments"}
	headKeys     = []string{"raw", "parsed"}
	bodyKeys     = []string{"plain", "html"}
)

// decodeMail reads one mail, well-formed JSON, and makes its comment.
func decodeMail(raw []byte) (out store.CommentWrite, err error) {
	s := &strict{data: raw}
	id, properties := "", comment.Properties{}
	var m transform.Mail
	var attachments []comment.Attachment
	present, err := s.fields(documentKeys, func(i int) (err error) {
		switch documentKeys[i] {
		case "raw_email":
			m, attachments, err = decodeRaw(s)
		case "comment_id":
			id, err = s.commentID()
		case "user_properties":
			err = decodeProperties(s, properties)
		}
		return err
	})
	if err == nil {
		err = missing(documentKeys[:1], present)
	}
	if err != nil {
		return out, err
	}
	const head = "raw_email.headers"
	if id == "" {
		switch id = transform.MailID(m.Head); {
		case id == "":
			return out, &misfit{head, "has no Message-ID to make the comment's id of: send one, or a comment_id"}
		case !comment.ValidID(id):
			return out, &misfit{head, "has a Message-ID of " + grouped(len(id)/2) + " bytes, at most 512 make an id: send a comment_id"}
		}
	}
	sent, ok := m.Head.Date()
	switch date := m.Head.Field("date"); {
	case date == "":
		return out, &misfit{head, "has no Date, which the comment's timestamp is made of"}
	case !ok:
		return out, &misfit{head, "has the Date " + quoted(date) + ", want RFC 5322 such as Wed, 31 Jan 2024 12:00:00 +0000"}
	}
	if sent, err = storable(sent); err != nil {
		return out, within(head+".Date", err)
	}
	out = store.CommentWrite{Comment: m.Comment(id, sent, properties), Inputs: m.Inputs(), CleaningVersion: clean.Version}
	out.Attachments = attachments
	if n := len(properties); n > comment.MaxProperties {
		return out, &misfit{"user_properties", "has " + grouped(n-1) + " properties, and no room for " + transform.PropertyTruncated + ", which this mail needs"}
	}
	return out, nil
}

// decodeRaw reads a mail as it was sent: a head and a body.
func decodeRaw(s *strict) (m transform.Mail, attachments []comment.Attachment, err error) {
	present, err := s.fields(mailKeys, func(i int) (err error) {
		switch mailKeys[i] {
		case "headers":
			m.Head, err = decodeHead(s)
		case "body":
			err = decodeBody(s, &m)
		case "attachments":
			attachments, err = decodeAttachments(s)
		}
		return err
	})
	if err != nil {
		return m, nil, err
	}
	return m, attachments, missing(mailKeys[:2], present)
}

// decodeHead reads a head as it is, or its fields one by one.
func decodeHead(s *strict) (head eml.Header, err error) {
	present, err := s.fields(headKeys, func(i int) error {
		if headKeys[i] == "raw" {
			text, err := s.text(maxHead)
			head = eml.ReadHeader(text)
			return err
		}
		fields, size := map[string]string{}, 0
		if err := s.entries(func(name string) error {
			value, err := s.text(maxHead)
			if err != nil {
				return within("["+quoted(name)+"]", err)
			}
			key := strings.ToLower(name)
			if _, twice := fields[key]; twice {
				return wrong("has the field " + quoted(name) + " twice")
			}
			if size += len(name) + len(value); size > maxHead {
				return wrong("has more than " + grouped(maxHead) + " bytes")
			}
			fields[key] = value
			return nil
		}); err != nil {
			return err
		}
		head = eml.HeaderOf(fields)
		return nil
	})
	switch {
	case err != nil:
	case present == 0:
		err = wrong("has neither raw nor parsed")
	case present == 3:
		err = wrong("has both raw and parsed, want one of them")
	}
	return head, err
}

// decodeBody reads a body as text, as HTML or both: of both, the cleaning takes the better one.
func decodeBody(s *strict, m *transform.Mail) error {
	present, err := s.fields(bodyKeys, func(i int) (err error) {
		if bodyKeys[i] == "plain" {
			m.Plain, err = s.text(maxPlain)
		} else {
			m.HTML, err = s.text(maxHTML)
		}
		return err
	})
	if err == nil && present == 0 {
		err = wrong("has neither plain nor html")
	}
	return err
}
