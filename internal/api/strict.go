package api

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// strict reads a JSON text that is known to be well-formed, and takes nothing but what is asked of
// it. encoding/json takes a key in any case of letters, twice, and makes U+FFFD of what is
// no text; here that is a mistake of the caller's, named by its place: text that decides a bill
// must be the text that was sent.
type strict struct {
	data []byte
	at   int
}

// misfit is what is wrong at a place in a JSON text.
type misfit struct {
	place string // such as messages[0].body.text; "" is the text itself
	what  string // such as "is not a string"
}

func (m *misfit) Error() string {
	if m.place == "" {
		return m.what
	}
	return m.place + " " + m.what
}

func wrong(what string) error { return &misfit{what: what} }

// within says that an error happened at a place inside of another.
func within(place string, err error) error {
	var m *misfit
	if !errors.As(err, &m) {
		return err
	}
	if m.place != "" && m.place[0] != '[' {
		place += "."
	}
	return &misfit{place: place + m.place, what: m.what}
}

// next is the first byte of what comes next, which tells its type.
func (s *strict) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// null reads null if that comes next.
func (s *strict) null() bool {
	if s.next() != 'n' {
		return false
	}
	s.at += len("null")
	return true
}

// skip passes over a value, and gives its bytes.
func (s *strict) skip() []byte {
	begin, depth := s.at, 0
	for {
		switch s.next() {
		case '"':
			s.skipString()
		case '{', '[':
			s.at++
			depth++
		case '}', ']':
			s.at++
			depth--
		case ',', ':':
			s.at++
		default: // a number, true, false or null
			for s.at < len(s.data) && !bytes.ContainsRune([]byte(" \t\r\n,:]}"), rune(s.data[s.at])) {
				s.at++
			}
		}
		if depth == 0 {
			return s.data[begin:s.at]
		}
	}
}

func (s *strict) skipString() {
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// entries reads an object whose keys are not known before.
func (s *strict) entries(read func(key string) error) error {
	if s.next() != '{' {
		return wrong("is not an object")
	}
	s.at++
	for s.next() != '}' {
		key, err := s.text(math.MaxInt)
		if err != nil {
			return wrong("has a key that " + err.Error())
		}
		s.next()
		s.at++ // the colon
		if err := read(key); err != nil {
			return err
		}
		if s.next() == ',' {
			s.at++
		}
	}
	s.at++
	return nil
}

// fields reads an object with these keys and no other, at most 64. read reads the value of the key of its
// number; a value that is null is as one that is not there. It tells which keys were there.
func (s *strict) fields(names []string, read func(i int) error) (present uint64, err error) {
	err = s.entries(func(key string) error {
		i := slices.Index(names, key)
		if i < 0 {
			return wrong("has the unknown key " + quoted(key))
		}
		if present&(1<<i) != 0 {
			return wrong("has the key " + quoted(key) + " twice")
		}
		present |= 1 << i
		s.next()
		if s.null() {
			present &^= 1 << i
			return nil
		}
		return within(key, read(i))
	})
	return present, err
}

// items reads an array of at most most items.
func (s *strict) items(most int, read func(i int) error) error {
	if s.next() != '[' {
		return wrong("is not an array")
	}
	s.at++
	for i := 0; s.next() != ']'; i++ {
		if i == most {
			return wrong("has more than " + grouped(most) + " items")
		}
		if err := read(i); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
		if s.next() == ',' {
			s.at++
		}
	}
	s.at++
	return nil
}

// texts reads an array of strings that have from least to most characters each.
func (s *strict) texts(items, least, most int) (list []string, err error) {
	err = s.items(items, func(int) error {
		text, err := s.textOf(least, most)
		list = append(list, text)
		return err
	})
	return list, err
}

// textOf reads a string of from least to most characters.
func (s *strict) textOf(least, most int) (string, error) {
	text, err := s.text(most)
	if err == nil && utf8.RuneCountInString(text) < least {
		err = wrong("is empty")
	}
	return text, err
}

// text reads a string of at most most characters: text in UTF-8 without NUL.
func (s *strict) text(most int) (string, error) {
	if s.next() != '"' {
		return "", wrong("is not a string")
	}
	begin := s.at + 1
	s.skipString()
	raw := s.data[begin : s.at-1]
	if !utf8.Valid(raw) {
		return "", wrong("is not text in UTF-8")
	}
	text, err := unescaped(raw)
	if err != nil {
		return "", err
	}
	if strings.IndexByte(text, 0) >= 0 {
		return "", wrong("has the character NUL, which cannot be stored")
	}
	if len(text) > most {
		if n := utf8.RuneCountInString(text); n > most {
			return "", wrong("has " + grouped(n) + " characters, at most " + grouped(most))
		}
	}
	return text, nil
}

// unescaped is what a string between quotes says.
func unescaped(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			b.Write(raw)
			break
		}
		b.Write(raw[:i])
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r := hexRune(raw)
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				var low rune
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					low = hexRune(raw[2:])
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", wrong("has half of a surrogate pair, which is no character")
				}
				raw = raw[6:]
			}
			b.WriteRune(r)
		default: // a quote, a backslash or a slash
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func hexRune(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 32) // four digits, or it would not be JSON
	return rune(n)
}

func (s *strict) boolean() (bool, error) {
	switch string(s.skipScalar()) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, wrong("is not true or false")
	}
}

// skipScalar is skip; what is no scalar is never equal to one.
func (s *strict) skipScalar() []byte {
	s.next()
	return s.skip()
}

// number reads a number that a float can hold.
func (s *strict) number() (float64, error) {
	raw := s.skipScalar()
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return 0, wrong("is not a number")
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, wrong("is a number out of range")
	}
	return n, nil
}

// size reads a whole number of at least 0, written as one.
func (s *strict) size() (int64, error) {
	n, err := strconv.ParseInt(string(s.skipScalar()), 10, 64)
	if err != nil || n < 0 {
		return 0, wrong("is not a whole number of at least 0")
	}
	return n, nil
}

// time reads a moment. What is finer than a microsecond cannot be stored and is cut off.
func (s *strict) time() (t time.Time, err error) {
	text, err := s.text(64)
	if err != nil {
		return t, err
	}
	if t.UnmarshalText([]byte(text)) != nil {
		return t, wrong("is " + quoted(text) + ", want RFC 3339 such as 2024-01-31T12:00:00Z")
	}
	return storable(t)
}

// storable is a moment as it is stored.
func storable(t time.Time) (time.Time, error) {
	if t = t.UTC().Truncate(time.Microsecond); t.Year() < 1 || t.Year() > 9999 {
		return t, wrong("is not in the years 1 to 9999")
	}
	return t, nil
}

// quoted quotes what a caller sent, and cuts it where it is long.
func quoted(text string) string {
	const most = 64
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}

// grouped writes a number the way it is read best: 65,536.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
