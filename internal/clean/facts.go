package clean

import (
	"sync"
	"unicode/utf8"
)

// scratch is the memory that taking a mail apart needs only meanwhile.
type scratch struct {
	rows               []row
	lower              []byte
	reply, quote, sign []byte
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
	if cap(s.rows) > largestScratchRows || max(cap(s.lower), cap(s.reply), cap(s.quote), cap(s.sign)) > largestScratch {
		return
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

// mostLetters is no less than [letters] of the cleaned text, without cleaning it. A byte
// that is no ASCII becomes three at most: U+FFFD for an invalid one, a character that
// composition takes apart, or a sign of Windows-1252. Nothing else grows.
func mostLetters(s string) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			n += 3
		case c > ' ' && c != '>':
			n++
		}
	}
	return n
}
