package clean

import (
	"bytes"
	"math/bits"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How [Text] sees a byte.
const (
	textPlain  = iota
	textBreak  // line feed
	textDirt   // a control character, carriage returns among them
	textLead   // begins a character that may be a control character or a byte order mark
	textAccent // begins a character that normalization may touch
)

var textClasses = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = textDirt
	}
	t[0x7f] = textDirt
	t['\t'], t['\n'] = textPlain, textBreak
	for c, yes := range combining {
		if yes {
			t[c] = textAccent
		}
	}
	t[0xC2], t[0xEF] = textLead, textLead
	return t
}()

// Text makes s well-formed text: valid UTF-8 in its composed form (NFC), mojibake
// mended where it is certain, line feeds only, no control characters but tab and line feed, no byte order marks, no
// white space around it or at line ends. What is so already is returned as it is.
func Text(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	for range maxMends {
		before := s
		s = compose(strings.TrimSpace(mend(s)))
		if s == before || !suspect(s) || len(mojibake(s)) == 0 {
			break // else what was taken out, or composed, was all that hid it
		}
	}
	return s
}

// compose takes out what is no text and composes what is left.
func compose(s string) string {
	clean, accents := inspect(s)
	if !clean {
		s, accents = scrub(s)
	}
	if accents && !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	return s
}

// nextClassed is where the next byte of s from i on is that has a class of its own, the end
// for none. Eight bytes are looked at together as long as none is a control character or
// beyond ASCII.
func nextClassed(s string, i int) int {
	for {
		for i+8 <= len(s) {
			w := eight(s, i)
			odd := ((w-' '*everyByte)&^w | (w + everyByte) | w) & highBits // below a blank, 7F, or from 80 on
			if odd != 0 {
				i += bits.TrailingZeros64(odd) / 8
				break
			}
			i += 8
		}
		for ; i < len(s); i++ {
			if textClasses[s[i]] != textPlain {
				return i
			}
			if s[i] >= ' ' && s[i] < utf8.RuneSelf && i+8 <= len(s) {
				break
			}
		}
		if i == len(s) {
			return i
		}
	}
}

// inspect reports whether nothing in s has to go, and whether normalization may
// have something to do.
func inspect(s string) (clean, accents bool) {
	for i := nextClassed(s, 0); i < len(s); i = nextClassed(s, i+1) {
		switch textClasses[s[i]] {
		case textBreak:
			if i > 0 && blankBefore(s, i) {
				return false, true
			}
		case textDirt:
			return false, true
		case textLead:
			if invisible(s, i) > 0 {
				return false, true
			}
			accents = accents || s[i] == 0xEF && !untouched(s, i)
		case textAccent:
			accents = accents || !untouched(s, i)
		}
	}
	return true, accents
}

// blankBefore reports whether the character before s[i] is white space that is to
// go at the end of a line.
func blankBefore(s string, i int) bool {
	switch c := s[i-1]; {
	case c == ' ', c == '\t':
		return true
	case c < utf8.RuneSelf:
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(s[:i])
	return unicode.IsSpace(last)
}

// invisible is the length of the control character or byte order mark at s[i:], 0
// when it is neither. s[i] is one of textLead.
func invisible(s string, i int) int {
	switch {
	case s[i] == 0xC2 && i+1 < len(s) && s[i+1] < 0xA0:
		return 2
	case s[i] == 0xEF && strings.HasPrefix(s[i:], "\uFEFF"):
		return 3
	}
	return 0
}

var scrubbers = sync.Pool{New: func() any { return new([]byte) }}

// scrub takes out what inspect found, and reports whether normalization may have something to
// do.
func scrub(s string) (text string, accents bool) {
	pooled := scrubbers.Get().(*[]byte)
	out := (*pooled)[:0]
	start := 0 // of what is still to be copied
	for i := nextClassed(s, 0); i < len(s); i = nextClassed(s, i+1) {
		skip := 1
		switch textClasses[s[i]] {
		case textAccent:
			accents = accents || !untouched(s, i)
			continue
		case textBreak:
			if i == start || blankBefore(s, i) {
				out = trimEnd(append(out, s[start:i]...), 0)
				start = i
			}
			continue
		case textLead:
			if skip = invisible(s, i); skip == 0 {
				accents = accents || s[i] == 0xEF && !untouched(s, i)
				continue
			}
			accents = true // what it stood between may be composed
			out = append(out, s[start:i]...)
			if skip == 2 {
				if meant := meantByControl(rune(s[i+1])); meant > 0 {
					out = utf8.AppendRune(out, meant)
				}
			}
		case textDirt:
			out = append(out, s[start:i]...)
			accents = accents || s[i] != '\r' || i+1 < len(s) && s[i+1] != '\n'
			if s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n') {
				out = append(trimEnd(out, 0), '\n')
			}
		}
		start = i + skip
		i = start - 1
	}
	out = append(out, s[start:]...)
	text = string(bytes.TrimSpace(out))
	release(pooled, out)
	return text, accents
}

// keptBuffer is the largest buffer that waits for the next text.
const keptBuffer = 1 << 20

func release(pooled *[]byte, used []byte) {
	if cap(used) > keptBuffer {
		used = nil
	}
	*pooled = used
	scrubbers.Put(pooled)
}

// trimEnd takes white space off the end of the last line of b, at most back to from.
func trimEnd(b []byte, from int) []byte {
	for n := len(b); n > from; {
		c := b[n-1]
		if c < utf8.RuneSelf {
			if c != ' ' && c != '\t' {
				break
			}
			n--
		} else {
			r, size := utf8.DecodeLastRune(b[:n])
			if !unicode.IsSpace(r) {
				break
			}
			n -= size
		}
		b = b[:n]
	}
	return b
}

// Line makes s one line without control characters, trimmed. Nothing else
// changes: inner spaces stay as they are.
func Line(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == 0xC2 && s[i+1] < 0xA0 {
			s = strings.Map(func(r rune) rune {
				if unicode.IsControl(r) {
					return -1
				}
				return r
			}, s)
			break
		}
	}
	return strings.TrimSpace(s)
}
