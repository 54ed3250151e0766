package clean

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// scratch is the memory that taking a mail apart needs only meanwhile.
type scratch struct {
	mail  mail
	rows  []row
	lower []byte
	rules []string
	parts [len(kinds)][]byte // of the result, by class
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// largestScratch bounds what is kept for the next mail, in rows and in bytes: one that
// is huge is rare, and its memory is better given back.
const (
	largestScratchRows = 4 << 10
	largestScratch     = 1 << 18
)

// release gives the memory back for the next mail.
func (s *scratch) release() {
	s.mail = mail{}
	if cap(s.rows) > largestScratchRows || cap(s.lower) > largestScratch {
		return
	}
	for _, b := range s.parts {
		if cap(b) > largestScratch {
			return
		}
	}
	scratches.Put(s)
}

// rowsFor has room for some rows, and is empty.
func (s *scratch) rowsFor(n int) []row {
	if cap(s.rows) < n {
		s.rows = make([]row, 0, n)
	}
	return s.rows[:0]
}

// mostLetters is no less than [letters] of the cleaned text, without cleaning it. Where
// characters may become others, a byte that is no ASCII becomes three at most: U+FFFD for an
// invalid one, a character that composition takes apart, or a sign of Windows-1252. Nothing
// else grows.
func mostLetters(s string) int {
	n := letters(s)
	if !hasHighByte(s) || stays(s) {
		return n
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			n += 2
		}
	}
	return n
}

// stays reports whether no character of a text becomes another when it is cleaned; it may go.
func stays(s string) bool {
	if !utf8.ValidString(s) || suspect(s) {
		return false
	}
	for i := nextClassed(s, 0); i < len(s); i = nextClassed(s, i+1) {
		switch textClasses[s[i]] {
		case textLead:
			if invisible(s, i) > 0 || s[i] == 0xEF && !untouched(s, i) {
				return false
			}
		case textAccent:
			if !untouched(s, i) {
				return false
			}
		case textDirt:
			if s[i] != '\r' {
				return false // what it stands between may be composed
			}
		}
	}
	return true
}

// starts has the pairs of letters that words of a name may begin with.
type starts [32]uint32

// place is where a letter or an apostrophe is in [starts], 0 for what is neither.
var place = func() (t [256]uint16) {
	for c := range t {
		if isLetter(byte(c)) {
			t[c] = uint16(c & 31)
		}
	}
	t['\''] = 27
	return t
}()

func (s *starts) add(word string) {
	if len(word) > 1 {
		s[place[word[0]]] |= 1 << place[word[1]]
	}
}

// startsOf is what a word begins with that is of a name or short for it. An address that is made
// up of words begins with one of two letters or more, or with one letter and such a word.
func startsOf(n names) (s starts) {
	for _, word := range n.known {
		s.add(word)
	}
	for _, short := range n.short {
		s.add(short)
	}
	for i := range min(len(n.local), 2) {
		s.add(n.local[i:])
	}
	return s
}

// mayBegin reports whether a text may begin as one of these. What is not letters is read with
// care.
func (s *starts) mayBegin(text string) bool {
	if len(text) < 2 {
		return text != ""
	}
	a, b := place[text[0]], place[text[1]]
	return a == 0 || b == 0 || s[a]&(1<<b) != 0
}

// has reports whether a word of two bytes or more begins as one of these does.
func (s *starts) has(word []byte) bool { return s[place[word[0]]]&(1<<place[word[1]]) != 0 }

// divides reports whether a character that is no ASCII is one of the common ones that
// stand between words: dashes, quotation marks, blanks, currencies.
func divides(c rune) bool {
	return c >= 0x80 && c <= 0xBF && c != 'ª' && c != 'º' && c != 'µ' ||
		c >= 0x2010 && c <= 0x2027 && c != '’' || c >= 0x20A0 && c <= 0x20BF
}

// may is a quick look: can a name be in a text?
func (s *starts) may(text string) bool { return s.at(text) < len(text) }

// at is where in a text a word is that may be of a name, its end for nowhere. No name begins
// with more words than it may have. Single letters can make an address up together. A letter
// with an accent among the first two of a word may fold to whatever; behind them, one of an
// alphabet of Europe changes nothing.
func (s *starts) at(text string) int {
	single, words := 0, 0
	for i := 0; i < len(text); {
		first := place[text[i]]
		if first == 0 {
			if text[i] >= utf8.RuneSelf {
				r, size := utf8.DecodeRuneInString(text[i:])
				if !divides(r) {
					return i
				}
				i += size
				continue
			}
			i++
			continue
		}
		// A word begins.
		if isLetter(text[i]) && (i == 0 || text[i-1] == ' ') {
			if words++; words > mostWordsOfName {
				break
			}
		}
		second := uint16(0)
		if i+1 < len(text) {
			if text[i+1] >= utf8.RuneSelf {
				if r, _ := utf8.DecodeRuneInString(text[i+1:]); !divides(r) {
					return i
				}
			}
			second = place[text[i+1]]
		}
		if second == 0 {
			single++
		}
		if second != 0 && s[first]&(1<<second) != 0 || single > 1 {
			return i
		}
		for ; i < len(text); i++ { // to its end, or behind an apostrophe in it
			if isLetter(text[i]) {
				continue
			}
			if text[i] == '\'' {
				i++
				break
			}
			if text[i] < utf8.RuneSelf {
				break
			}
			r, size := utf8.DecodeRuneInString(text[i:])
			if divides(r) || r == '’' {
				i += size
				break
			}
			if r >= 0x590 || !unicode.IsLetter(r) {
				return i
			}
			i += size - 1
		}
	}
	return len(text)
}
