package api

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// maxComments is how many comments one batch may have.
const maxComments = 16384

// decodeComments reads {"comments": [...]} comment by comment, so that no more than what is asked for
// and one comment's bytes are in memory. It stops at the first mistake, which it names by its place.
func decodeComments(r io.Reader) ([]store.CommentWrite, error) {
	d := newDecoding("comments", "id", decodeComment)
	err := decodeList(r, d.name, maxComments, nil, d.add)
	return d.list, err
}

// decoding is a list of comments, or of what comments are made of, on its way out of a body.
type decoding struct {
	name, id string // the key of the list, and the one of an item that tells it from the others
	decode   func(raw []byte) (store.CommentWrite, error)
	list     []store.CommentWrite
	places   map[string]int // by id
}

func newDecoding(name, id string, decode func([]byte) (store.CommentWrite, error)) *decoding {
	return &decoding{name: name, id: id, decode: decode, list: []store.CommentWrite{}, places: map[string]int{}}
}

// add reads one item, whose id must be its own.
func (d *decoding) add(raw []byte) error {
	place := len(d.list)
	c, err := d.decode(raw)
	if err != nil {
		return d.nameItem(place, raw, err)
	}
	if before, twice := d.places[c.ID]; twice {
		return fault.New(fault.Invalid, "%s[%d] (id %s) has the id of %s[%d]", d.name, place, quoted(c.ID), d.name, before)
	}
	d.places[c.ID] = place
	d.list = append(d.list, c)
	return nil
}

// nameItem says which item of the list a mistake is in.
func (d *decoding) nameItem(place int, raw []byte, err error) error {
	var m *misfit
	if !errors.As(err, &m) {
		return err
	}
	name := d.name + "[" + strconv.Itoa(place) + "]"
	var known map[string]json.RawMessage // which takes a key for what it is, unlike a struct
	var id string
	if json.Unmarshal(raw, &known) == nil && json.Unmarshal(known[d.id], &id) == nil && id != "" {
		name += " (" + d.id + " " + quoted(id) + ")"
	}
	if m.place != "" {
		name += ":"
	}
	return fault.New(fault.Invalid, "%s %s", name, m.Error())
}

// decodeList reads an object with one large array in it, item by item, and hands its other keys to other;
// nil = there is no other.
func decodeList(r io.Reader, name string, most int, other func(key string, raw []byte) error, item func(raw []byte) error) error {
	s := newStream(r)
	seen := map[string]bool{}
	if err := s.object(func(key string) error {
		if seen[key] {
			return fault.New(fault.Invalid, "the body has the key %s twice", quoted(key))
		}
		seen[key] = true
		switch {
		case key != name && other == nil:
			return fault.New(fault.Invalid, "the body has the unknown key %s", quoted(key))
		case key != name:
			raw, err := s.one()
			if err != nil {
				return err
			}
			return other(key, raw)
		}
		n := 0
		return s.list(name, func(raw []byte) error {
			if n++; n > most {
				return fault.New(fault.Invalid, "%s has more than %s items", name, grouped(most))
			}
			return item(raw)
		})
	}); err != nil {
		return err
	}
	if !seen[name] {
		return fault.New(fault.Invalid, "%s is missing", name)
	}
	return nil
}

var commentKeys = []string{"id", "timestamp", "messages", "thread_id", "user_properties", "text_format", "attachments", "context"}

// decodeComment reads one comment, well-formed JSON, and refuses everything that the API's schema
// refuses, and what cannot be stored.
func decodeComment(raw []byte) (out store.CommentWrite, err error) {
	s := &strict{data: raw}
	out.Properties = comment.Properties{}
	present, err := s.fields(commentKeys, func(i int) (err error) {
		switch commentKeys[i] {
		case "id":
			out.ID, err = s.commentID()
		case "timestamp":
			out.Timestamp, err = s.time()
		case "messages":
			err = s.items(comment.MaxMessages, func(int) error {
				m, err := decodeMessage(s)
				out.Messages = append(out.Messages, m)
				return err
			})
			if err == nil && len(out.Messages) == 0 {
				err = wrong("is empty")
			}
		case "thread_id":
			if out.ThreadID, err = s.text(comment.MaxThreadID); err == nil && len(out.ThreadID) > comment.MaxThreadID {
				err = wrong("has " + grouped(len(out.ThreadID)) + " bytes, at most " + grouped(comment.MaxThreadID))
			}
		case "user_properties":
			err = decodeProperties(s, out.Properties)
		case "text_format":
			if out.TextFormat, err = s.text(16); err == nil && out.TextFormat != comment.Plain && out.TextFormat != comment.Markdown {
				err = wrong("is " + quoted(out.TextFormat) + ", want plain or markdown")
			}
			if out.TextFormat == comment.Plain {
				out.TextFormat = ""
			}
		case "attachments":
			out.Attachments, err = decodeAttachments(s)
		case "context":
			out.Context, err = s.text(1024)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	return out, missing(commentKeys[:3], present)
}

// commentID reads what a comment can be called.
func (s *strict) commentID() (string, error) {
	id, err := s.text(1024)
	if err == nil && !comment.ValidID(id) {
		err = wrong("is not 1 to 1,024 letters, digits and ASCII punctuation without a blank or a slash")
	}
	return id, err
}

// missing names the first of these keys, the first of their object's, that was not there.
func missing(keys []string, present uint64) error {
	for i, key := range keys {
		if present&(1<<i) == 0 {
			return &misfit{place: key, what: "is missing"}
		}
	}
	return nil
}

var messageKeys = []string{"body", "subject", "signature", "from", "to", "cc", "bcc", "sent_at", "language"}

func decodeMessage(s *strict) (m comment.Message, err error) {
	present, err := s.fields(messageKeys, func(i int) (err error) {
		switch messageKeys[i] {
		case "body":
			m.Body, err = decodeText(s)
		case "subject":
			m.Subject, err = pointer(decodeText(s))
		case "signature":
			m.Signature, err = pointer(decodeText(s))
		case "from":
			m.From, err = s.textOf(1, comment.MaxAddressSize)
		case "to":
			m.To, err = s.texts(comment.MaxAddresses, 1, comment.MaxAddressSize)
		case "cc":
			m.Cc, err = s.texts(comment.MaxAddresses, 1, comment.MaxAddressSize)
		case "bcc":
			m.Bcc, err = s.texts(comment.MaxAddresses, 1, comment.MaxAddressSize)
		case "sent_at":
			m.SentAt, err = pointer(s.time())
		case "language":
			m.Language, err = s.textOf(1, comment.MaxLanguage)
		}
		return err
	})
	if err != nil {
		return m, err
	}
	return m, missing(messageKeys[:1], present)
}

func pointer[T any](v T, err error) (*T, error) { return &v, err }

var textKeys = []string{"text", "translated_from", "text_markup", "translated_from_markup"}

// decodeText reads a text. Its markup, which a client may have read elsewhere, is passed over.
func decodeText(s *strict) (t comment.Text, err error) {
	present, err := s.fields(textKeys, func(i int) (err error) {
		switch textKeys[i] {
		case "text":
			t.Text, err = s.text(comment.MaxTextChars)
		case "translated_from":
			t.TranslatedFrom, err = s.text(comment.MaxTextChars)
		default:
			s.skip()
		}
		return err
	})
	if err != nil {
		return t, err
	}
	return t, missing(textKeys[:1], present)
}

func decodeProperties(s *strict, into comment.Properties) error {
	return s.entries(func(key string) (err error) {
		if _, twice := into[key]; twice {
			return wrong("has the key " + quoted(key) + " twice")
		}
		kind, name, _ := strings.Cut(key, ":")
		if n := utf8.RuneCountInString(name); n > comment.MaxPropertyName {
			return wrong("has a name of " + grouped(n) + " characters, at most " + grouped(comment.MaxPropertyName))
		}
		if len(into) == comment.MaxProperties {
			return wrong("has more than " + grouped(comment.MaxProperties) + " properties")
		}
		place := "[" + quoted(key) + "]"
		switch {
		case name == "" || kind != "string" && kind != "number":
			return wrong("has the key " + quoted(key) + ", want string:<Name> or number:<Name>")
		case kind == "string":
			into[key], err = s.text(comment.MaxPropertyValue)
		default:
			into[key], err = s.number()
		}
		return within(place, err)
	})
}

var attachmentKeys = []string{"name", "size", "content_type", "attachment_reference", "content_hash", "inline"}

func decodeAttachments(s *strict) (list []comment.Attachment, err error) {
	err = s.items(comment.MaxAttachments, func(int) error {
		var a comment.Attachment
		present, err := s.fields(attachmentKeys, func(i int) (err error) {
			switch attachmentKeys[i] {
			case "name":
				a.Name, err = s.text(comment.MaxAttachment)
			case "size":
				a.Size, err = s.size()
			case "content_type":
				a.ContentType, err = s.text(comment.MaxAttachment)
			case "attachment_reference":
				a.Reference, err = s.text(1024)
			case "content_hash":
				a.ContentHash, err = s.text(1024)
			case "inline":
				a.Inline, err = s.boolean()
			}
			return err
		})
		if err == nil {
			err = missing(attachmentKeys[:3], present)
		}
		list = append(list, a)
		return err
	})
	return list, err
}
