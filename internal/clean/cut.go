package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cut shortens s to at most max characters and reports whether it did. It does not cut
// through what a reader sees as one character: an accent stays with its letter, an emoji whole.
func Cut(s string, max int) (string, bool) {
	end := prefix(s, max)
	if end == len(s) {
		return s, false
	}
	return strings.TrimRightFunc(s[:whole(s, end)], unicode.IsSpace), true
}

// How far back CutText looks for a better place, in bytes: losing a line is worth it, losing a
// page is not.
const (
	lineBack = 2048
	wordBack = 256
)

// CutText is Cut for long texts: it ends with a whole line or, where lines are long, with a whole
// word, if one ends shortly before the limit.
func CutText(s string, max int) (string, bool) {
	end := prefix(s, max)
	if end == len(s) {
		return s, false
	}
	end = whole(s, end)
	if line := strings.LastIndexByte(s[max0(end-lineBack):min(end+1, len(s))], '\n'); line > 0 {
		end = max0(end-lineBack) + line
	} else if next, _ := utf8.DecodeRuneInString(s[end:]); !unicode.IsSpace(next) {
		if word := strings.LastIndexFunc(s[max0(end-wordBack):end], unicode.IsSpace); word > 0 {
			end = max0(end-wordBack) + word
		}
	}
	return strings.TrimRightFunc(s[:end], unicode.IsSpace), true
}

func max0(n int) int { return max(n, 0) }

// prefix is where the first n characters of s end.
func prefix(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// mostMarks bounds how far back whole goes: nobody reads a letter below a hundred accents.
const mostMarks = 64

// whole moves a place in s back to where no visible character is cut through (UAX 29, grapheme
// clusters; of what it joins, that which NFC text has).
func whole(s string, end int) int {
	at := end
	for range mostMarks {
		next, _ := utf8.DecodeRuneInString(s[at:])
		last, size := utf8.DecodeLastRuneInString(s[:at])
		if size == 0 || !joined(last, next) && (!flag(next) || !oddFlags(s[:at])) {
			return at
		}
		at -= size
	}
	return end
}

// joined reports whether two characters in a row are seen as one.
func joined(last, next rune) bool {
	const joiner = '\u200D'
	switch {
	case next == joiner, last == joiner,
		unicode.Is(unicode.M, next),        // accents, vowel signs, variation selectors
		0x1F3FB <= next && next <= 0x1F3FF, // the skin of an emoji
		0xE0020 <= next && next <= 0xE007F, // the country of a flag
		0x1160 <= next && next <= 0x11FF:   // the rest of a Hangul syllable
		return true
	}
	return last == '\r' && next == '\n'
}

// flag tells the letters of which two make a flag.
func flag(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }

func oddFlags(s string) bool {
	n := 0
	for range mostMarks {
		r, size := utf8.DecodeLastRuneInString(s)
		if !flag(r) {
			break
		}
		s, n = s[:len(s)-size], n+1
	}
	return n%2 == 1
}
