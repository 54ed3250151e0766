package clean

// What a byte of text means to whoever copies text. Everything that needs a look
// has a class of its own, so that the rest is copied in long runs.
const (
	plain     = iota
	space     // tab, line feed, form feed, carriage return, space
	control   // other control characters
	less      // <
	ampersand // &
	accent    // begins a character that normalization may touch
	lead      // begins a character that may be blank, invisible or a control character
)

// classes has the class of each byte.
var classes = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = control
	}
	t[0x7f] = control
	for _, c := range "\t\n\f\r " {
		t[c] = space
	}
	t['<'], t['&'] = less, ampersand
	for c, yes := range combining {
		if yes {
			t[c] = accent
		}
	}
	// U+0080-00BF, U+034F, U+1000-1FFF, U+2000-2FFF, U+3000-3FFF and U+F000-FFFF have such characters.
	t[0xC2], t[0xCD], t[0xE1], t[0xE2], t[0xE3], t[0xEF] = lead, lead, lead, lead, lead, lead
	return t
}()

// combining tells the bytes that begin a character which may have to be composed
// or put in order (NFC). A text without them is normalized as it is.
var combining = func() (t [256]bool) {
	// U+0300-037F; Greek's middle dot; Cyrillic's marks; Hebrew to Arabic and Syriac.
	for _, c := range []byte{0xCC, 0xCD, 0xCE, 0xD2, 0xE0, 0xE1, 0xE2, 0xE3, 0xEA, 0xEF, 0xF0, 0xF3} {
		t[c] = true
	}
	for c := 0xD6; c <= 0xDF; c++ {
		t[c] = true
	}
	return t
}()

// untouched reports whether normalization leaves the character at s[i:] alone,
// whose first byte is one of combining. It knows what is common and says no to the rest.
func untouched(s string, i int) bool {
	if i+2 >= len(s) {
		return s[i] == 0xCE && i+1 < len(s) && s[i+1] != 0x87
	}
	switch b, c := s[i+1], s[i+2]; s[i] {
	case 0xCE: // Greek, but for its middle dot
		return b != 0x87
	case 0xE1: // Latin Extended Additional: Vietnamese
		return b >= 0xB8 && b <= 0xBB
	case 0xE2: // punctuation, currency, arrows, signs, boxes
		return b == 0x80 && c >= 0x82 || b == 0x81 || b == 0x82 || b >= 0x86 && b <= 0x8B || b >= 0x94 && b <= 0x9F
	case 0xE3: // CJK punctuation and kana, but for combining marks
		return b == 0x80 && c < 0xAA || b == 0x82 && c != 0x99 && c != 0x9A || b == 0x81 || b > 0x82
	case 0xEF: // variation selectors, full width forms
		return b == 0xB8 && c < 0xA0 || b >= 0xBC
	case 0xF0: // emoji, rare Han
		return b == 0x9F || b >= 0xA0 && b < 0xAF
	}
	return false
}

// Numbers for what is done to the eight bytes of [eight] at once.
const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// eight has the eight bytes at s[i:] in one number, the first in its lowest bits.
func eight(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// hasHighByte reports whether a text is not ASCII.
func hasHighByte(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if eight(s, i)&highBits != 0 {
			return true
		}
	}
	for ; i < len(s); i++ {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// hasFold reports whether s begins with prefix, which is lower-case ASCII, in any case.
func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

// equalFold reports whether s is word, which is lower-case ASCII, in any case.
func equalFold(s, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(word) {
		if lower(s[i]) != word[i] {
			return false
		}
	}
	return true
}

// indexFold is where word, which is lower-case ASCII, is in s in any case, or -1.
func indexFold(s, word string) int {
	for i := 0; i+len(word) <= len(s); i++ {
		if lower(s[i]) == word[0] && equalFold(s[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}
