package clean

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mojibake is UTF-8 that some program took for Windows-1252 or Latin-1: "Ã©" for
// "é". It is mended where it is certain, because what is mended in vain is harmed:
// "IRMÃ…" and "“PÅ”" are words and a quote behind them. A sequence is certain where
// no writing has these characters side by side; one that could be writing is mended
// where its neighbours leave no doubt (docs/cleaning.md).

// certainty is how sure it is that a sequence of characters is mojibake.
type certainty uint8

const (
	unlikely certainty = iota // it is none
	possible                  // it is some if there is other mojibake
	certain
)

// sequence is a stretch of a text that may be mojibake, and what was meant.
type sequence struct {
	start     int
	meant     rune
	size      uint8
	certainty certainty
}

func (q sequence) end() int { return q.start + int(q.size) }

// maxMends bounds how often mojibake of mojibake is mended. What is no text by then
// was never any, and is left alone.
const maxMends = 4

// mend undoes mojibake. A text without any is returned as it is, without a copy.
func mend(s string) string {
	if !suspect(s) {
		return s
	}
	mended := s
	for range maxMends {
		found := mojibake(mended)
		if len(found) == 0 {
			return mended
		}
		var b strings.Builder
		b.Grow(len(mended))
		at := 0
		for _, f := range found {
			b.WriteString(mended[at:f.start])
			b.WriteRune(f.meant)
			at = f.end()
		}
		b.WriteString(mended[at:])
		mended = b.String()
	}
	if len(mojibake(mended)) == 0 {
		return mended
	}
	return s
}

// suspect reports whether s has a first byte of UTF-8 that was read as a letter and
// goes on as only mojibake, or punctuation, does.
func suspect(s string) bool {
	for i := 0; ; i += 2 {
		n := strings.IndexByte(s[i:], 0xC3)
		if n < 0 || i+n+3 >= len(s) {
			return false
		}
		if i += n; s[i+1] >= 0x82 && s[i+1] <= 0xB4 && continues[s[i+2]] {
			return true
		}
	}
}

// suspectBytes is suspect for bytes.
func suspectBytes(s []byte) bool {
	for i := 0; ; i += 2 {
		n := bytes.IndexByte(s[i:], 0xC3)
		if n < 0 || i+n+3 >= len(s) {
			return false
		}
		if i += n; s[i+1] >= 0x82 && s[i+1] <= 0xB4 && continues[s[i+2]] {
			return true
		}
	}
}

// continues tells the first bytes of characters that a byte 80-BF may have become.
var continues = [256]bool{0xC2: true, 0xC5: true, 0xC6: true, 0xCB: true, 0xE2: true}

// mojibake finds the sequences that are to be mended.
func mojibake(s string) []sequence {
	var found []sequence
	letters := false // letters of the same kind that are no mojibake
	for i := 0; ; {
		n := strings.IndexByte(s[i:], 0xC3)
		if n < 0 || i+n+1 >= len(s) {
			break
		}
		i += n
		if next, ok := misread(s, i); ok {
			found = append(found, next)
			i = next.end()
			continue
		}
		letters = letters || s[i+1] != 0x97 && s[i+1] != 0xB7 // × and ÷ are none
		i += 2
	}
	// Side by side they are certain: no writing goes on like that.
	for i := 1; i < len(found); i++ {
		if found[i-1].end() == found[i].start {
			found[i-1].certainty, found[i].certainty = certain, certain
		}
	}
	sure := slices.ContainsFunc(found, func(f sequence) bool { return f.certainty == certain })
	if !sure {
		return nil
	}
	// What could be a capital letter and a quote is mended only beside what is certain: in
	// the same line, and between the same tags. The rest is too where a text has letters
	// that were read well.
	out := found[:0]
	for i := 0; i < len(found); {
		end := i + 1
		doubt := found[i].certainty != certain
		for end < len(found) && !strings.ContainsAny(s[found[end-1].end():found[end].start], "\n<") {
			doubt = doubt && found[end].certainty != certain
			end++
		}
		for ; i < end; i++ {
			if !doubt || !letters && (found[i].meant < 0xC0 || found[i].meant > 0x17F) {
				out = append(out, found[i])
			}
		}
	}
	return out
}

// misread reads the letter at s[i:], which begins with C3, and what follows it as the
// bytes of one character.
func misread(s string, i int) (sequence, bool) {
	none := sequence{}
	lead := s[i+1] + 0x40 // the character's number, and so the byte it was
	var more int
	switch {
	case lead >= 0xC2 && lead <= 0xDF:
		more = 1
	case lead >= 0xE0 && lead <= 0xEF:
		more = 2
	case lead >= 0xF0 && lead <= 0xF4:
		more = 3
	default:
		return none, false
	}
	read := [utf8.UTFMax]byte{lead}
	at := i + 2
	odd := false
	for n := 1; n <= more; n++ {
		b, strange, size := misreadByte(s[at:])
		if size == 0 {
			if n == 2 && lead == 0xE2 && read[1] == 0x80 && strings.HasPrefix(s[at:], "\uFFFD") {
				b, strange, size = 0x9D, true, len("\uFFFD") // Windows-1252 has none for the byte of ”
			} else {
				return none, false
			}
		}
		read[n] = b
		odd = odd || strange || lead == 0xE2 && (b == 0x9A || b == 0x9C || b == 0x9E) // â is never before š, œ, ž
		at += size
	}
	r, size := utf8.DecodeRune(read[:more+1])
	if size != more+1 || r == utf8.RuneError && lead != 0xEF {
		return none, false
	}
	out := sequence{start: i, size: uint8(at - i), meant: r, certainty: possible}
	switch {
	case r >= 0xA0 && r <= 0x17F: // Latin letters and signs
		if odd || inWord(s, i, at) || lead == 0xC2 && i > 0 && isDigit(s[i-1]) {
			out.certainty = certain
		}
	case r >= 0x1E00 && r <= 0x1EFF, r >= 0x2000 && r <= 0x2BFF, r == 0xFEFF, r == utf8.RuneError, r == 0xFE0F:
		if odd {
			out.certainty = certain
		}
	case r >= 0x1F000 && r <= 0x1FAFF:
		out.certainty = certain
	case r < 0xA0, r == 0x192, r == 0x2C6, r == 0x2DC: // a byte that is to be read once more
	case r >= 0x384 && r <= 0x4FF, r >= 0x5D0 && r <= 0x5EA, r >= 0x60C && r <= 0x6FF, // Greek, Cyrillic, Hebrew, Arabic
		r >= 0x900 && r <= 0xEFF,                                                                        // India, Thailand, Laos
		r >= 0x3000 && r <= 0x9FFF, r >= 0xAC00 && r <= 0xD7A3, r >= 0xFF01 && r <= 0xFF65, r > 0x1FFFF: // East Asia
	default:
		return none, false
	}
	return out, true
}

// misreadByte reads the character that a byte 80-BF has become, and whether letters
// never have it behind them: quotes, dashes and footnotes stand there, signs of money do not.
func misreadByte(s string) (b byte, odd bool, size int) {
	if len(s) < 2 {
		return 0, false, 0
	}
	if s[0] == 0xC2 {
		b = s[1]
		switch b {
		case 0x85, 0xA0, 0xAB, 0xAD, 0xAE, 0xB0, 0xB2, 0xB3, 0xB4, 0xB7, 0xB9, 0xBA, 0xBB:
			return b, false, 2
		}
		return b, true, 2
	}
	if !continues[s[0]] {
		return 0, false, 0
	}
	r, size := utf8.DecodeRuneInString(s)
	if int(r) >= len(bytes1252) || bytes1252[r] == 0 {
		return 0, false, 0
	}
	b = bytes1252[r]
	return b, b == 0x80 || b == 0x83 || b == 0x88 || b == 0x89 || b == 0x98 || b == 0x9F, size
}

// bytes1252 has the bytes 80-9F of Windows-1252 by their characters.
var bytes1252 = func() (t ['™' + 1]byte) {
	for n, r := range windows1252 {
		t[r] = byte(0x80 + n)
	}
	return t
}()

// inWord reports whether the capital letter at s[start:] stands in a word in small
// letters, as none does: behind one of them, or before one where a word begins.
func inWord(s string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:start])
	if unicode.IsLower(before) {
		return true
	}
	after, _ := utf8.DecodeRuneInString(s[end:])
	return !unicode.IsLetter(before) && unicode.IsLower(after)
}

// mend undoes mojibake in the lines of a page, and reports whether there was any.
func (p *page) mend() bool {
	found := mojibake(string(p.buf))
	if len(found) == 0 {
		return false
	}
	p.accents = true
	p.rewrite(func(to, old []byte, at, end int) []byte {
		begin := len(to)
		for ; len(found) > 0 && found[0].start < end; found = found[1:] {
			f := found[0]
			to = append(to, old[at:f.start]...)
			at = f.end()
			switch {
			case unseenRune(f.meant):
			case !unicode.IsSpace(f.meant):
				to = utf8.AppendRune(to, f.meant)
			case len(to) > begin:
				to = append(to, ' ')
			}
		}
		return append(to, old[at:end]...)
	})
	return true
}
