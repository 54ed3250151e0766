package comment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of the Comments API (CommentNew and MessageNew in its schema).
const (
	MaxTextChars   = 65536 // characters in one text
	MaxMessages    = 2048  // messages in one comment
	MaxAddresses   = 2048  // addresses in one of to, cc, bcc
	MaxAddressSize = 512   // characters in one address
	MaxLanguage    = 8     // characters in a language
	MaxAttachments = 128   // attachments of one comment
	MaxAttachment  = 256   // characters in an attachment's name, and in its content type
)

// MaxThreadID is the most bytes a thread_id may have. The API names no limit; longer ones do not
// fit an index of PostgreSQL, whose entries end at a third of a page. The hex of the longest ThreadIdentifier
// that Salesforce keeps, 765 letters, fits.
const MaxThreadID = 2048

// Limits of properties. The API names none; these keep one comment from being larger than a page
// of ordinary ones.
const (
	MaxProperties    = 512
	MaxPropertyName  = 256 // characters, behind the prefix
	MaxPropertyValue = 65536
)

// Text formats that a comment may say its texts have.
const (
	Plain    = "plain"
	Markdown = "markdown"
)

// Text is a text as the API spells it.
type Text struct {
	Text           string `json:"text"`
	TranslatedFrom string `json:"translated_from,omitempty"` // the original, where Text is a translation
}

// Message is one message of a comment: an email is one, a chat has one per turn.
type Message struct {
	Body      Text       `json:"body"`
	Subject   *Text      `json:"subject,omitempty"`
	Signature *Text      `json:"signature,omitempty"`
	From      string     `json:"from,omitempty"`
	To        []string   `json:"to,omitempty"`
	Cc        []string   `json:"cc,omitempty"`
	Bcc       []string   `json:"bcc,omitempty"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
	Language  string     `json:"language,omitempty"`
}

// Attachment is what is kept of an attachment: what it is, never its bytes.
type Attachment struct {
	Name        string `json:"name"`
	Size        int64  `json:"size"`
	ContentType string `json:"content_type"`
	Reference   string `json:"attachment_reference,omitempty"`
	ContentHash string `json:"content_hash,omitempty"`
	Inline      bool   `json:"inline,omitempty"`
}

// Comment is a communication in the data model of the Comments API.
type Comment struct {
	ID          string       `json:"id"`
	Timestamp   time.Time    `json:"timestamp"`
	ThreadID    string       `json:"thread_id,omitempty"`
	Messages    []Message    `json:"messages"`
	Properties  Properties   `json:"user_properties"`
	TextFormat  string       `json:"text_format,omitempty"` // "" = Plain
	Attachments []Attachment `json:"attachments,omitempty"`
}

// Properties are a comment's metadata: "string:<Name>" → string and
// "number:<Name>" → float64.
type Properties map[string]any

// SetString adds a text property. Blank values are left out, as the vendor's own
// client does.
func (p Properties) SetString(name, value string) {
	if strings.TrimSpace(value) != "" {
		p["string:"+name] = value
	}
}

// SetNumber adds a numeric property; a value that is not finite is left out,
// because JSON cannot hold it.
func (p Properties) SetNumber(name string, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		p["number:"+name] = value
	}
}

// Texts is what counts as text for the bill: subject, body and signature of one message.
type Texts struct {
	Subject   string `json:"subject,omitempty"`
	Body      string `json:"body"`
	Signature string `json:"signature,omitempty"`
}

// Texts returns the texts of every message, in order.
func (c *Comment) Texts() []Texts {
	out := make([]Texts, len(c.Messages))
	for i, m := range c.Messages {
		out[i].Body = m.Body.Text
		if m.Subject != nil {
			out[i].Subject = m.Subject.Text
		}
		if m.Signature != nil {
			out[i].Signature = m.Signature.Text
		}
	}
	return out
}

// Envelope returns the messages without their texts. What a text was translated from stays: it is
// nothing that is paid for.
func (c *Comment) Envelope() []Message {
	out := make([]Message, len(c.Messages))
	for i, m := range c.Messages {
		m.Body.Text, m.Subject, m.Signature = "", original(m.Subject), original(m.Signature)
		out[i] = m
	}
	return out
}

// original is t without its text, nil if nothing is left.
func original(t *Text) *Text {
	if t == nil || t.TranslatedFrom == "" {
		return nil
	}
	return &Text{TranslatedFrom: t.TranslatedFrom}
}

// Join puts texts back into an envelope; both must have the same length.
func Join(envelope []Message, texts []Texts) ([]Message, error) {
	if len(envelope) != len(texts) {
		return nil, fmt.Errorf("join comment: %d messages but %d texts", len(envelope), len(texts))
	}
	out := make([]Message, len(envelope))
	for i, m := range envelope {
		m.Body.Text = texts[i].Body
		m.Subject, m.Signature = joinText(m.Subject, texts[i].Subject), joinText(m.Signature, texts[i].Signature)
		out[i] = m
	}
	return out, nil
}

func joinText(envelope *Text, text string) *Text {
	switch {
	case envelope != nil:
		return &Text{Text: text, TranslatedFrom: envelope.TranslatedFrom}
	case text != "":
		return &Text{Text: text}
	default:
		return nil
	}
}

// HashTexts is the SHA-256 of all texts in a form in which no two different
// lists of texts are the same bytes. Equal hashes cost nothing.
func HashTexts(texts []Texts) []byte {
	h := sha256.New()
	var part [512]byte // texts go through it: a copy of each would cost more than its hash
	write := func(s string) {
		binary.BigEndian.PutUint64(part[:8], uint64(len(s)))
		h.Write(part[:8])
		for len(s) > 0 {
			n := copy(part[:], s)
			h.Write(part[:n])
			s = s[n:]
		}
	}
	for _, t := range texts {
		write(t.Subject)
		write(t.Body)
		write(t.Signature)
	}
	return h.Sum(nil)
}

// HashContent is the SHA-256 of everything but the texts: what may change
// without costing a unit.
func (c *Comment) HashContent() ([]byte, error) {
	var room [2 << 10]byte // enough for most
	raw, err := c.appendContent(room[:0])
	if err != nil {
		return nil, fmt.Errorf("hash comment %s: %w", c.ID, err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

// ValidID reports whether id can be a comment's id in the API's paths: printable ASCII
// without blanks and slashes.
func ValidID(id string) bool {
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '/' {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 1024
}

// Validate reports everything about c that the Comments API would refuse, or that
// cannot be stored.
func (c *Comment) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !ValidID(c.ID) {
		add("id %.64q is not 1 to 1024 word or punctuation characters", c.ID)
	}
	if c.Timestamp.IsZero() {
		add("timestamp is missing")
	}
	if n := len(c.ThreadID); n > MaxThreadID {
		add("thread_id has %d bytes, at most %d", n, MaxThreadID)
	}
	if len(c.Messages) == 0 || len(c.Messages) > MaxMessages {
		add("%d messages, want 1 to %d", len(c.Messages), MaxMessages)
	}
	for i, m := range c.Messages {
		checkText := func(what, text string) {
			if n := charsOver(text, MaxTextChars); n > 0 {
				add("message %d: %s has %d characters, at most %d", i, what, n, MaxTextChars)
			}
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				add("message %d: %s is not UTF-8 text without NUL", i, what)
			}
		}
		checkText("body", m.Body.Text)
		if m.Subject != nil {
			checkText("subject", m.Subject.Text)
		}
		if m.Signature != nil {
			checkText("signature", m.Signature.Text)
		}
		if n := charsOver(m.From, MaxAddressSize); n > 0 {
			add("message %d: from has %d characters, at most %d", i, n, MaxAddressSize)
		}
		for _, list := range []struct {
			name  string
			items []string
		}{{"to", m.To}, {"cc", m.Cc}, {"bcc", m.Bcc}} {
			if len(list.items) > MaxAddresses {
				add("message %d: %s has %d addresses, at most %d", i, list.name, len(list.items), MaxAddresses)
			}
			for _, a := range list.items {
				if n := utf8.RuneCountInString(a); n < 1 || n > MaxAddressSize {
					add("message %d: an address in %s has %d characters, want 1 to %d", i, list.name, n, MaxAddressSize)
				}
			}
		}
	}
	var wrong []string
	for key, value := range c.Properties {
		if propertyProblem(key, value) != "" {
			wrong = append(wrong, key)
		}
	}
	slices.Sort(wrong) // the same comment has the same problems
	for _, key := range wrong {
		add("property %q %s", key, propertyProblem(key, c.Properties[key]))
	}
	return errors.Join(problems...)
}

// charsOver counts the characters of a text that has more than most; 0 for any other. Few
// texts have to be counted: none has more characters than bytes.
func charsOver(text string, most int) int {
	if len(text) <= most {
		return 0
	}
	if n := utf8.RuneCountInString(text); n > most {
		return n
	}
	return 0
}

func propertyProblem(key string, value any) string {
	switch {
	case strings.HasPrefix(key, "string:"):
		if _, ok := value.(string); !ok {
			return "must be a string"
		}
	case strings.HasPrefix(key, "number:"):
		if _, ok := value.(float64); !ok {
			return "must be a number"
		}
	default:
		return "must begin with string: or number:"
	}
	return ""
}
