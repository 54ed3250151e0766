package transform

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/eml"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
)

// PropertyDirection holds DirectionIn or DirectionOut where the object says which.
const (
	PropertyDirection = "Direction"

	DirectionIn  = "inbound"
	DirectionOut = "outbound"
)

// PropertyTruncated names the texts of a comment that were longer than the
// Comments API allows and were cut.
const PropertyTruncated = "Truncated"

// Comment makes the comment of one record. A record that cannot become one gives a
// fault.Record error whose message is the reason to show.
func Comment(rec salesforce.Record, m Mapping, types Types) (*comment.Comment, error) {
	at, ok := firstTime(rec, m.Timestamp)
	if !ok {
		return nil, fault.New(fault.Record, "no timestamp: %s is empty", strings.Join(m.Timestamp, " and "))
	}
	return commentAt(at, rec, m, types)
}

// commentAt is Comment with the timestamp given.
func commentAt(at time.Time, rec salesforce.Record, m Mapping, types Types) (*comment.Comment, error) {
	c := &comment.Comment{ID: salesforce.HexID(rec.ID), Timestamp: at, Properties: comment.Properties{}}
	onCase := leadsToCase(rec, m.Case)
	if onCase {
		c.ThreadID = thread(rec, []string{m.Case}, types)
	} else {
		c.ThreadID = thread(rec, m.Thread, types)
	}

	var short cutting
	text, signature := texts(rec, m)
	msg := short.message(line(rec, m.Subject), text, signature)
	msg.From = sender(rec, m)
	msg.To, msg.Cc, msg.Bcc = addresses(rec, m.To), addresses(rec, m.Cc), addresses(rec, m.Bcc)
	if sent, ok := rec.Time(m.SentAt); ok {
		msg.SentAt = &sent
	}
	c.Messages = []comment.Message{msg}
	if m.Chat {
		chat(c, rec, m, short.cut)
	}

	if m.Direction != "" {
		c.Properties.SetString(PropertyDirection, direction(rec, m.Direction))
	}
	for _, p := range m.Properties {
		if p.Case && !onCase {
			continue
		}
		if types[p.Path].Numeric() {
			if n, ok := rec.Number(p.Path); ok {
				c.Properties.SetNumber(p.Name, n)
			}
			continue
		}
		if text, ok := rec.Text(p.Path); ok {
			c.Properties.SetString(p.Name, clean.Text(text))
		}
	}
	if m.URL != "" {
		m.setOwn(c, PropertyRecordURL, m.URL+rec.ID)
	}
	short.tell(c.Properties)
	if err := c.Validate(); err != nil {
		return nil, fault.Wrap(fault.Record, err, "the Comments API refuses it")
	}
	return c, nil
}

// cutting are the texts of a comment that had to be cut.
type cutting []string

// cut shortens a text to what the Comments API takes.
func (s *cutting) cut(what, text string) string {
	text, shorter := clean.CutText(text, comment.MaxTextChars)
	if shorter && !slices.Contains(*s, what) {
		*s = append(*s, what)
	}
	return text
}

// message is a message with these texts.
func (s *cutting) message(subject, body, signature string) (msg comment.Message) {
	if subject = s.cut("subject", subject); subject != "" {
		msg.Subject = &comment.Text{Text: subject}
	}
	msg.Body.Text = s.cut("body", body)
	if signature = s.cut("signature", signature); signature != "" {
		msg.Signature = &comment.Text{Text: signature}
	}
	return msg
}

// tell names the texts in a property.
func (s cutting) tell(p comment.Properties) { p.SetString(PropertyTruncated, strings.Join(s, ", ")) }

func firstTime(rec salesforce.Record, paths []string) (time.Time, bool) {
	for _, p := range paths {
		if t, ok := rec.Time(p); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

// thread is the hex of the first value: of the 18 characters of an Id, of the bytes
// of a text. Equal values within a source make a conversation.
func thread(rec salesforce.Record, paths []string, types Types) string {
	for _, p := range paths {
		value, ok := rec.Text(p)
		if !ok {
			continue
		}
		if t := types[p]; t == salesforce.TypeReference || t == salesforce.TypeID {
			if id := salesforce.To18(value); id != "" {
				return salesforce.HexID(id)
			}
		}
		return threadID(value)
	}
	return ""
}

// threadID is the hex of what names a conversation, or of its digest when it is longer than the API
// takes. Whoever writes a mail chooses it, and must not be able to keep the mail out by its length.
func threadID(name string) string {
	if hex.EncodedLen(len(name)) > comment.MaxThreadID {
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:])
	}
	return hex.EncodeToString([]byte(name))
}

func line(rec salesforce.Record, path string) string {
	text, _ := rec.Text(path)
	return clean.Line(text)
}

// texts are the body and the signature of a record. Of a mail the body is what its sender
// says in it; the history it repeats is comments of its own.
func texts(rec salesforce.Record, m Mapping) (text, signature string) {
	if m.Signature != nil {
		signature = body(rec, []TextPath{*m.Signature})
	}
	if !m.Mail {
		return body(rec, m.Body), signature
	}
	split := clean.Split(mailOf(rec, m))
	switch {
	case strings.Contains(signature, split.Signature):
	case signature == "":
		signature = split.Signature
	default: // two of them: the field's, and what was written below the mail
		signature += "\n\n" + split.Signature
	}
	return split.Reply, signature
}

// mailOf is what the mapping says is the mail of a record: of each kind of body the first
// that is not blank.
func mailOf(rec salesforce.Record, m Mapping) clean.Mail {
	var mail clean.Mail
	for _, p := range m.Body {
		at := &mail.Text
		if p.HTML {
			at = &mail.HTML
		}
		if *at == "" {
			if text, ok := rec.Text(p.Path); ok && strings.TrimSpace(text) != "" {
				*at = text
			}
		}
	}
	mail.FromName, _ = rec.Text(m.FromName)
	mail.FromAddress, _ = rec.Text(m.From)
	mail.Subject, _ = rec.Text(m.Subject)
	return mail
}

// body is the first text that is not blank.
func body(rec salesforce.Record, paths []TextPath) string {
	for _, p := range paths {
		text, ok := rec.Text(p.Path)
		if !ok {
			continue
		}
		if rich, _ := rec.Bool(p.Rich); p.HTML || rich {
			text = clean.HTML(text)
		} else {
			text = clean.Text(text)
		}
		if text != "" {
			return text
		}
	}
	return ""
}

func direction(rec salesforce.Record, path string) string {
	if incoming, ok := rec.Bool(path); ok {
		if incoming {
			return DirectionIn
		}
		return DirectionOut
	}
	text := line(rec, path)
	for _, known := range []string{DirectionIn, DirectionOut} {
		if strings.EqualFold(text, known) {
			return known
		}
	}
	return text
}

// from joins a name and an address as "Name <address>". The address stays to the
// letter; a name that is too long gives way to it.
func from(name, address string) string {
	switch {
	case address == "":
		name, _ = clean.Cut(name, comment.MaxAddressSize)
		return name
	case name == "":
		return address
	}
	room := comment.MaxAddressSize - len([]rune(address)) - len(" <>")
	if room < 1 {
		return address
	}
	name, _ = clean.Cut(name, room)
	return name + " <" + address + ">"
}

// addresses splits a list as Salesforce stores it: by semicolons or, where there is
// none outside quotes, by commas between addresses.
func addresses(rec salesforce.Record, path string) []string {
	text, ok := rec.Text(path)
	if !ok {
		return nil
	}
	parts := eml.Split(text, ';')
	if len(parts) == 1 {
		whole := parts[0]
		parts = eml.Split(whole, ',')
		for _, p := range parts {
			if strings.TrimSpace(p) != "" && !strings.Contains(p, "@") { // "Doe, Jane <jane@example.com>" is one
				parts = []string{whole}
				break
			}
		}
	}
	var out []string
	for _, p := range parts {
		p, _ = clean.Cut(clean.Line(p), comment.MaxAddressSize)
		if p != "" && len(out) < comment.MaxAddresses {
			out = append(out, p)
		}
	}
	return out
}
