package comment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// A load encodes every comment several times, and encoding/json takes longer for it than
// for all else that is done to it. These functions append, and give byte for byte what
// encoding/json gives for the same values: hashes that are stored were made of its bytes.

// AppendEnvelope appends the messages without their texts as JSON.
func (c *Comment) AppendEnvelope(b []byte) ([]byte, error) { return c.appendEnvelope(b, false) }

func (c *Comment) appendEnvelope(b []byte, utc bool) (_ []byte, err error) {
	b = append(b, '[')
	for i := range c.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		m := &c.Messages[i]
		b = append(b, '{')
		b = appendOriginal(b, `"body":`, &m.Body, true)
		b = appendOriginal(b, `,"subject":`, m.Subject, false)
		b = appendOriginal(b, `,"signature":`, m.Signature, false)
		if m.From != "" {
			b = appendString(append(b, `,"from":`...), m.From)
		}
		b = appendList(b, `,"to":`, m.To)
		b = appendList(b, `,"cc":`, m.Cc)
		b = appendList(b, `,"bcc":`, m.Bcc)
		if m.SentAt != nil {
			at := *m.SentAt
			if utc {
				at = at.UTC()
			}
			if b, err = appendTime(append(b, `,"sent_at":`...), at); err != nil {
				return nil, err
			}
		}
		if m.Language != "" {
			b = appendString(append(b, `,"language":`...), m.Language)
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

// appendOriginal appends a text without its text; always, or only if something is left of it.
func appendOriginal(b []byte, key string, t *Text, always bool) []byte {
	switch {
	case t != nil && t.TranslatedFrom != "":
		b = appendString(append(append(b, key...), `{"text":"","translated_from":`...), t.TranslatedFrom)
		return append(b, '}')
	case always:
		return append(append(b, key...), `{"text":""}`...)
	default:
		return b
	}
}

// AppendTexts appends the texts of every message as JSON, as [Comment.Texts] gives them.
func (c *Comment) AppendTexts(b []byte) []byte {
	b = append(b, '[')
	for i := range c.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		m := &c.Messages[i]
		b = append(b, '{')
		if m.Subject != nil && m.Subject.Text != "" {
			b = append(appendString(append(b, `"subject":`...), m.Subject.Text), ',')
		}
		b = appendString(append(b, `"body":`...), m.Body.Text)
		if m.Signature != nil && m.Signature.Text != "" {
			b = appendString(append(b, `,"signature":`...), m.Signature.Text)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// Append appends the properties as JSON, sorted by name; none, however they are spelt, are {}.
func (p Properties) Append(b []byte) ([]byte, error) {
	var few [32]string // most comments need no more, and no allocation for them
	names := slices.AppendSeq(few[:0], maps.Keys(p))
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		if text, ok := p[name].(string); ok {
			b = appendString(b, text)
			continue
		}
		value, err := json.Marshal(p[name])
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", name, err)
		}
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// appendContent appends what HashContent is the hash of.
func (c *Comment) appendContent(b []byte) (_ []byte, err error) {
	b = appendString(append(b, `{"id":`...), c.ID)
	if b, err = appendTime(append(b, `,"timestamp":`...), c.Timestamp.UTC()); err != nil {
		return nil, err
	}
	if c.ThreadID != "" {
		b = appendString(append(b, `,"thread_id":`...), c.ThreadID)
	}
	if b, err = c.appendEnvelope(append(b, `,"messages":`...), true); err != nil {
		return nil, err
	}
	if b, err = c.Properties.Append(append(b, `,"user_properties":`...)); err != nil {
		return nil, err
	}
	if c.TextFormat != "" {
		b = appendString(append(b, `,"text_format":`...), c.TextFormat)
	}
	if len(c.Attachments) > 0 {
		list, err := json.Marshal(c.Attachments) // few comments have any
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"attachments":`...), list...)
	}
	return append(b, '}'), nil
}

func appendList(b []byte, key string, items []string) []byte {
	if len(items) == 0 {
		return b
	}
	b = append(append(b, key...), '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, item)
	}
	return append(b, ']')
}

func appendTime(b []byte, t time.Time) ([]byte, error) {
	b, err := t.AppendText(append(b, '"'))
	return append(b, '"'), err
}

const hexDigits = "0123456789abcdef"

// plain says which bytes stand in a JSON text for themselves.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

// appendString appends s as encoding/json writes texts: what HTML takes for its own is
// escaped, bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[done:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[done:i]...), `\ufffd`...)
			done = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[done:i]...), '\\', 'u', '2', '0', '2', hexDigits[r&15])
			done = i + size
		}
		i += size
	}
	return append(append(b, s[done:]...), '"')
}
