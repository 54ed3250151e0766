package clean

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// appendLower appends a text in lower case: what strings.ToLower makes of it, into memory
// that is there.
func appendLower(b []byte, text string) []byte {
	i := 0
	for ; i+8 <= len(text); i += 8 { // as long as it is ASCII
		w := eight(text, i)
		if w&highBits != 0 {
			break
		}
		capitals := (w + (0x80-'A')*everyByte) &^ (w + (0x80-'Z'-1)*everyByte) & highBits
		b = binary.LittleEndian.AppendUint64(b, w|capitals>>2)
	}
	for i < len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			b = append(b, lower(c))
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		b = utf8.AppendRune(b, lowerRune(r))
		i += size
	}
	return b
}

// lowerRune is unicode.ToLower, at once for the alphabets of Europe and the writings of East
// Asia.
func lowerRune(r rune) rune {
	switch {
	case int(r) < len(lowerRunes):
		return rune(lowerRunes[r])
	case r >= 0x2E80 && r < 0xA640: // none of them has another case
		return r
	}
	return unicode.ToLower(r)
}

// lowerRunes has the characters from U+0000 to U+05FF in lower case.
var lowerRunes = func() (t [0x600]uint16) {
	for r := range t {
		t[r] = uint16(unicode.ToLower(rune(r)))
	}
	return t
}()
