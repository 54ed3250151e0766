package clean

import (
	"html"
	"strings"
	"unicode/utf8"
)

// latin names the references that mails are full of; package html knows the other two thousand.
const latin = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para " +
	"middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute " +
	"Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute " +
	"THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde " +
	"ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml amp lt gt quot apos euro bull hellip " +
	"ndash mdash lsquo rsquo sbquo ldquo rdquo bdquo trade zwnj zwj lrm rlm rarr larr lsaquo rsaquo OElig oelig ensp emsp thinsp"

var named = func() map[string]rune {
	m := map[string]rune{}
	for _, name := range strings.Fields(latin) {
		r, _ := utf8.DecodeRuneInString(html.UnescapeString("&" + name + ";"))
		m[name] = r
	}
	return m
}()

// longestName is how long the name of a reference may be.
const longestName = 32

// reference reads the character reference that s begins with: a character, or a
// text of several, and how many bytes it takes; 0 when it is none. In an attribute
// only what ends with a semicolon is one, for an address may have "&copy=1".
func reference(s string, attribute bool) (r rune, text string, n int) {
	if len(s) < 3 {
		return 0, "", 0
	}
	if s[1] == '#' {
		r, n = numeric(s)
		return r, "", n
	}
	end := 1
	for end < len(s) && end <= longestName && (isLetter(s[end]) || isDigit(s[end])) {
		end++
	}
	closed := end < len(s) && s[end] == ';'
	if end == 1 || attribute && !closed {
		return 0, "", 0
	}
	if closed {
		if r, ok := named[s[1:end]]; ok {
			return r, "", end + 1
		}
		end++
	}
	if text = html.UnescapeString(s[:end]); text == s[:end] {
		return 0, "", 0
	}
	return 0, text, end
}

// numeric reads a reference by number. Two halves of a surrogate pair, which only
// broken programs write, make the character that was meant.
func numeric(s string) (r rune, n int) {
	value, n := number(s)
	if n == 0 {
		return 0, 0
	}
	switch {
	case value >= 0x80 && value <= 0x9F:
		return windows1252[value-0x80], n
	case value >= 0xD800 && value < 0xDC00:
		if low, m := number(s[n:]); m > 0 && low >= 0xDC00 && low < 0xE000 {
			return (value-0xD800)<<10 + (low - 0xDC00) + 0x10000, n + m
		}
		return utf8.RuneError, n
	case value == 0, value > utf8.MaxRune, value >= 0xDC00 && value < 0xE000:
		return utf8.RuneError, n
	}
	return value, n
}

func number(s string) (value rune, n int) {
	if len(s) < 3 || s[0] != '&' || s[1] != '#' {
		return 0, 0
	}
	i, base := 2, rune(10)
	if lower(s[2]) == 'x' {
		i, base = 3, 16
	}
	digits := i
	for ; i < len(s); i++ {
		digit := rune(-1)
		switch c := lower(s[i]); {
		case isDigit(c):
			digit = rune(c - '0')
		case base == 16 && 'a' <= c && c <= 'f':
			digit = rune(c-'a') + 10
		}
		if digit < 0 {
			break
		}
		value = min(value*base+digit, utf8.MaxRune+1)
	}
	if i == digits {
		return 0, 0
	}
	if i < len(s) && s[i] == ';' {
		i++
	}
	return value, i
}

// windows1252 is what the numbers 128 to 159 mean in fact.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8D, 'Ž', 0x8F,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9D, 'ž', 'Ÿ',
}

// meantByControl is the character that was meant by a control character of U+0080 to
// U+009F, which no text has: a byte of Windows-1252 that was read as Latin-1. It is 0
// for those that somebody may have meant, and for those that letters rarely need.
func meantByControl(c rune) rune {
	switch c {
	case 0x80, 0x82, 0x84, 0x8A, 0x8C, 0x8E, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x99, 0x9A, 0x9C, 0x9E:
		return windows1252[c-0x80]
	}
	return 0
}

// unescape is the value of an attribute.
func unescape(s string) string {
	at := strings.IndexByte(s, '&')
	if at < 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(s[:at])
		s = s[at:]
		r, text, n := reference(s, true)
		switch {
		case n == 0:
			b.WriteByte('&')
			n = 1
		case text != "":
			b.WriteString(text)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
		at = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String()
}
