package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"salesforcesync/internal/clean"
)

// maxToken is how many bytes of a word count: what is longer is no word that anybody looks for,
// and an index has bounds.
const maxToken = 64

// tokens lists the words of a text in order.
func tokens(text string) []string {
	text = clean.Fold(text)
	var out []string
	begin := -1 // of the word at hand
	end := func(at int) {
		if begin >= 0 {
			out = append(out, cut(text[begin:at]))
			begin = -1
		}
	}
	for at := 0; at < len(text); {
		c, size := rune(text[at]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(text[at:])
		}
		switch {
		case unspaced(c):
			end(at)
			n := strings.IndexFunc(text[at:], func(r rune) bool { return !unspaced(r) })
			if n < 0 {
				n = len(text) - at
			}
			out = appendPairs(out, text[at:at+n])
			size = n
		case isWord(c):
			if begin < 0 {
				begin = at
			}
		default:
			end(at)
		}
		at += size
	}
	end(len(text))
	return out
}

func isWord(c rune) bool {
	if c < utf8.RuneSelf {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	}
	return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c)
}

// unspaced reports a character of a script that has no blanks between words.
func unspaced(c rune) bool {
	return c >= 0x2E80 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana) || c == 'ー'
}

// appendPairs adds each two neighbours of a run; a character that stands alone is a word.
func appendPairs(out []string, run string) []string {
	_, first := utf8.DecodeRuneInString(run)
	if first == len(run) {
		return append(out, run)
	}
	for at := 0; ; {
		_, a := utf8.DecodeRuneInString(run[at:])
		_, b := utf8.DecodeRuneInString(run[at+a:])
		if b == 0 {
			return out
		}
		out = append(out, run[at:at+a+b])
		at += a
	}
}

// cut is the part of a word that counts.
func cut(word string) string {
	if len(word) <= maxToken {
		return word
	}
	n := maxToken
	for !utf8.RuneStart(word[n]) {
		n--
	}
	return word[:n]
}
