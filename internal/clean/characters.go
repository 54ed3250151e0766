package clean

import (
	"strings"
	"unicode/utf8"
)

// text reads up to the next "<".
func (r *reader) text(i int) int {
	src, p := r.src, &r.page
	if r.st.flags&(hidden|tiny) != 0 {
		return r.skip(i)
	}
	for i < len(src) {
		switch classes[src[i]] {
		case less:
			return i
		case plain, accent, lead:
			end := r.run(i)
			if end > i {
				p.put(src[i:end], &r.st)
				i = end
				continue
			}
			c, size := utf8.DecodeRuneInString(src[i:])
			r.character(c)
			i += size
		case space:
			i = r.blank(i)
		case ampersand:
			c, text, n := reference(src[i:], false)
			switch {
			case n == 0:
				p.put("&", &r.st)
				n = 1
			case text == "":
				r.character(c)
			default:
				for _, c := range text {
					r.character(c)
				}
			}
			i += n
		default: // a control character
			i++
		}
	}
	return i
}

// run is the end of the text from i on that can be copied as it is.
func (r *reader) run(i int) int {
	src := r.src
	for i < len(src) {
		switch classes[src[i]] {
		case plain:
			i++
			continue
		case space:
			// One space between words, the most common of all.
			if src[i] == ' ' && i+1 < len(src) && classes[src[i+1]] == plain && i > 0 && classes[src[i-1]] != space {
				i += 2
				continue
			}
			return i
		case accent:
			r.page.accents = r.page.accents || !untouched(src, i)
			i++
			continue
		case lead:
			if !harmless(src, i) {
				return i
			}
			r.page.accents = r.page.accents || combining[src[i]] && !untouched(src, i)
			i++
			continue
		}
		return i
	}
	return i
}

// harmless reports whether the character at s[i:], whose first byte is lead, is
// neither blank nor invisible nor a control character.
func harmless(s string, i int) bool {
	if i+1 == len(s) {
		return true
	}
	b := s[i+1]
	switch s[i] {
	case 0xC2: // control characters, no-break space, soft hyphen
		return b > 0xA0 && b != 0xAD
	case 0xCD: // combining grapheme joiner
		return b != 0x8F
	case 0xE1: // Ogham's space, Mongolian's vowel separator
		return b != 0x9A && b != 0xA0
	case 0xE2: // spaces, joiners, separators
		return b != 0x80 && b != 0x81 || b == 0x80 && i+2 < len(s) && s[i+2] >= 0x8E && s[i+2] != 0xA8 && s[i+2] != 0xA9 && s[i+2] != 0xAF
	case 0xE3: // the ideographic space
		return b != 0x80 || i+2 < len(s) && s[i+2] != 0x80
	case 0xEF: // byte order mark
		return b != 0xBB
	}
	return true
}

// character writes one character that may be blank or invisible.
func (r *reader) character(c rune) {
	p := &r.page
	switch {
	case c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == ' ':
		r.space(c)
	case c < 0x20, c >= 0x7f && c < 0xA0:
		// A control character: a reader sees nothing.
		if meant := meantByControl(c); meant > 0 {
			p.rune(meant, &r.st)
		}
	case c == 0xA0:
		if r.st.flags&pre != 0 {
			r.space(' ')
		} else if p.open {
			p.space = true
		} else {
			p.hard = true
		}
	case c == 0xAD, c == 0x34F, c == 0x180E, c == 0x200B, c == 0x2060, c == 0xFEFF:
		// Says where a line may break or not. Nothing to see.
	case c == 0x200C || c == 0x200D:
		// Joins letters and emoji; behind a blank it is padding.
		if p.open && !p.space && p.tabs == 0 && p.pad == "" {
			p.rune(c, &r.st)
		}
	case c == 0x2028 || c == 0x2029:
		p.newline()
	case c >= 0x2000 && c <= 0x200A, c == 0x202F, c == 0x205F, c == 0x3000, c == 0x1680:
		// Blanks of their own width mean something between words only.
		if p.open {
			p.accents = p.accents || c <= 0x2001
			p.rune(c, &r.st)
		} else {
			p.hard = true
		}
	default:
		p.accents = p.accents || c >= 0x300
		p.rune(c, &r.st)
	}
}

// space is one blank character, where it may count.
func (r *reader) space(c rune) {
	p := &r.page
	switch {
	case r.st.flags&pre == 0:
		p.space = p.space || p.open
	case c == '\n':
		p.newline()
	case c == ' ' || c == '\t':
		if len(p.pad) < 256 {
			p.pad += string(c)
		}
	}
}

// blank reads white space.
func (r *reader) blank(i int) int {
	src, p := r.src, &r.page
	if r.st.flags&pre == 0 {
		for i < len(src) && classes[src[i]] == space {
			i++
		}
		p.space = p.space || p.open
		return i
	}
	for i < len(src) && classes[src[i]] == space {
		start := i
		for i < len(src) && (src[i] == ' ' || src[i] == '\t') {
			i++
		}
		switch {
		case i > start && p.pad == "":
			p.pad = src[start:i]
		case i > start && len(p.pad) < 256:
			p.pad += src[start:i]
		case i == start:
			if src[i] == '\n' || src[i] == '\r' && (i+1 == len(src) || src[i+1] != '\n') {
				p.newline()
			}
			i++
		}
	}
	return i
}

// skip reads over text that nobody sees.
func (r *reader) skip(i int) int {
	end := strings.IndexByte(r.src[i:], '<')
	if end < 0 {
		end = len(r.src) - i
	}
	if r.st.flags&bullet != 0 && len(r.mark) == 0 {
		if text := trimBlank(r.src[i : i+end]); len(text) <= 16 {
			r.mark = append(r.mark, text...)
		}
	}
	return i + end
}
