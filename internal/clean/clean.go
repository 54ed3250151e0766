package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/inbucket/html2text"
	"golang.org/x/net/html"
)

// Version names the behaviour of this package. Any change that can alter a text
// raises it; stored texts keep the version that made them.
const Version = 1

// Text makes s well-formed text: valid UTF-8, line feeds only, no control
// characters but tab and line feed, no white space around it or at line ends.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// Line makes s one line without control characters, trimmed. Nothing else
// changes: inner spaces stay as they are.
func Line(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// HTML returns the text of an HTML document, as a person would copy it from a
// mail program. Hostile or broken HTML gives some text, never an error.
func HTML(document string) string {
	document = strings.ReplaceAll(strings.ToValidUTF8(document, "\uFFFD"), "\x00", "")
	text, err := html2text.FromString(document, html2text.Options{})
	if err != nil {
		// The parser refuses nesting deeper than 512; the tokenizer does not mind.
		text = tokens(document)
	}
	return Text(text)
}

// tokens is the text between the tags, with scripts and styles left out.
func tokens(document string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(document))
	hidden := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "script", "style", "head":
				hidden = string(name)
			case "br", "p", "div", "li", "tr":
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == hidden {
				hidden = ""
			}
		}
	}
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
