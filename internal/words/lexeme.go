package words

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/comment"
)

// A lexeme is what an index knows a comment by. It begins with its source's key, so that each source
// has lists of its own in an index over all of them, and with what kind of thing it is.
const (
	kindWord     = ":"
	kindProperty = "="
	kindThread   = "#"
	kindTime     = "@"
)

// maxWords is how many different words of a comment can be found. A book has fewer.
const maxWords = 20_000

// key is the beginning of all lexemes of the source with this number.
func key(source int) string { return strconv.FormatInt(int64(source), 36) }

// Lexemes are what an index keeps of a comment of the source with this number, in the form of a
// tsvector.
func Lexemes(source int, c *comment.Comment) string {
	k := key(source)
	d := newDocument(c)
	found := make([]string, 0, len(d.set))
	for w := range d.set {
		found = append(found, w)
	}
	slices.Sort(found)
	found = found[:min(len(found), maxWords)]
	var b strings.Builder
	b.Grow(12*len(found) + 24*len(c.Properties) + 64)
	for _, w := range found {
		appendLexeme(&b, k, kindWord, w)
	}
	for name, value := range c.Properties {
		if text, ok := PropertyText(name, value); ok {
			appendLexeme(&b, k, kindProperty, digest(text))
		}
	}
	if c.ThreadID != "" {
		appendLexeme(&b, k, kindThread, digest(c.ThreadID))
	}
	for _, span := range []Span{Day, Month} {
		appendLexeme(&b, k, kindTime, span.name(c.Timestamp))
	}
	return b.String()
}

// appendLexeme adds one in quotes. Words have letters and digits only, digests no quote and no
// backslash: nothing has to be escaped.
func appendLexeme(b *strings.Builder, key, kind, text string) {
	b.WriteByte('\'')
	b.WriteString(key)
	b.WriteString(kind)
	b.WriteString(text)
	b.WriteString("' ")
}

// PropertyText is a property with its value as one text, as Filter.Properties has them: 3.0 and 3
// are the same number. ok is false for what is no property.
func PropertyText(name string, value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		return name + "=" + v, true
	case float64:
		return name + "=" + strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

// digest stands for a text of any length. Two texts may share one: an index names candidates.
func digest(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], h.Sum64())
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Span is a stretch of time that an index has a lexeme for.
type Span string

// The spans, in UTC.
const (
	Day   Span = "20060102"
	Month Span = "200601"
)

func (s Span) name(t time.Time) string { return t.UTC().Format(string(s)) }

// Lookup is what to ask an index for to get what lies in the span of t, in the form of a tsquery.
func (s Span) Lookup(source int, t time.Time) string {
	var b strings.Builder
	appendLexeme(&b, key(source), kindTime, s.name(t))
	return b.String()
}

// Bounds are the first moment of the span of t, and the first one after it.
func (s Span) Bounds(t time.Time) (from, to time.Time) {
	t = t.UTC()
	if s == Day {
		from = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 0, 1)
	}
	from = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 1, 0)
}
