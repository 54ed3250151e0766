package clean

import (
	"strings"
	"unicode/utf8"
)

// charset is a set of characters to trim text of and to look for in it. Package strings reads
// its set anew each time; rows are too many for that.
type charset struct {
	ascii [utf8.RuneSelf]bool
	wide  string // the others
}

// charsetOf is the set of the characters of a text.
func charsetOf(characters string) *charset {
	s := &charset{}
	for _, c := range characters {
		if c < utf8.RuneSelf {
			s.ascii[c] = true
		} else {
			s.wide += string(c)
		}
	}
	return s
}

// has reports whether a character is in the set.
func (s *charset) has(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= 0 && s.ascii[c]
	}
	return s.wide != "" && strings.ContainsRune(s.wide, c)
}

// in reports whether one of the set is in a text.
func (s *charset) in(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c < utf8.RuneSelf {
			if s.ascii[c] {
				return true
			}
			continue
		}
		if s.wide == "" {
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if s.has(r) {
			return true
		}
		i += size - 1
	}
	return false
}

// trim takes what is in the set off both ends of a text.
func (s *charset) trim(text string) string { return s.trimRight(s.trimLeft(text)) }

func (s *charset) trimLeft(text string) string {
	for text != "" {
		if c := text[0]; c < utf8.RuneSelf {
			if !s.ascii[c] {
				break
			}
			text = text[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		if !s.has(r) {
			break
		}
		text = text[size:]
	}
	return text
}

func (s *charset) trimRight(text string) string {
	for text != "" {
		if c := text[len(text)-1]; c < utf8.RuneSelf {
			if !s.ascii[c] {
				break
			}
			text = text[:len(text)-1]
			continue
		}
		r, size := utf8.DecodeLastRuneInString(text)
		if !s.has(r) {
			break
		}
		text = text[:len(text)-size]
	}
	return text
}
