package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Version names the behaviour of Text, Line, HTML and [Split]. Any change that can alter
// a text raises it; stored texts keep the version that made them.
//
//   - 1 was a parser's tree turned into Markdown.
//   - 2 is this package's own reader: plain text, hidden elements out, NFC.
//   - 3 takes mails apart: what is repeated, signatures and disclaimers are no part of the text.
const Version = 3

// HTML returns the text of an HTML document, as a person would copy it from a
// mail program: paragraphs and blank lines, lists with their marks, the cells of a
// row between tabs, quotations behind "> ", the address of a link behind its text.
// What the reader of the mail does not see is left out. Hostile or broken HTML
// gives some text, never an error.
func HTML(document string) string {
	if document == "" {
		return ""
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.read(document)
	return string(r.page.buf)
}

// Cut shortens s to at most max characters and reports whether it did.
func Cut(s string, max int) (string, bool) {
	if len(s) <= max || utf8.RuneCountInString(s) <= max {
		return s, false
	}
	n := 0
	for i := range s {
		if n == max {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace), true
		}
		n++
	}
	return s, false
}
