package clean

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// marks is what a document says about a line besides its text.
type marks uint8

const (
	markRule        marks = 1 << iota // a rule is drawn above it
	markQuote                         // inside what a mail program put around the mail that is answered
	markSignature                     // inside what a mail program put around a signature
	markAttribution                   // inside the line or block that says whose mail follows
	markItem                          // an item of a list begins here
)

// line is one line of a page.
type line struct {
	start, end int32 // in the page's text, without the line feed
	body       int32 // where the text begins, behind the marks of quotation
	quote      uint8 // how many quotations it is in
	marks      marks
}

// page is a text under way, line by line. Line ends are asked for, and written
// once more text comes: a block that ends where another ends is one line end.
type page struct {
	buf   []byte
	lines []line

	gap    int    // line feeds before the next text, 1 or 2; without meaning while open
	open   bool   // the last line goes on
	space  bool   // a space is wanted before the next text of the line
	apart  bool   // a space is wanted there if it would run into a word
	hard   bool   // the line has a non-breaking space and no text: blank, but a line
	cell   bool   // nothing came in this cell of a table yet
	tabs   int    // borders of cells before the next text
	begun  int    // lines that were begun, blank ones left out
	rule   bool   // the next line is below a rule
	pad    string // white space of preformatted text before the next text
	marker []byte // of the list item that begins with the next text

	accents bool // something may have to be normalized
}

// Bounds of what is drawn, whatever the depth of a document's nesting.
const (
	maxQuote  = 9
	maxIndent = 9
)

func (p *page) reset() {
	if cap(p.buf) > keptBuffer {
		p.buf = nil
	}
	if cap(p.lines) > keptBuffer/64 {
		p.lines = nil
	}
	*p = page{buf: p.buf[:0], lines: p.lines[:0], marker: p.marker[:0]}
}

// at is where the text goes on.
func (p *page) at() int32 { return int32(len(p.buf)) }

// put writes text, which has no line feeds.
func (p *page) put(text string, st *state) {
	if !p.open {
		p.begin(st)
	} else if p.tabs == 0 && p.pad == "" && (p.space || p.apart && p.runsOn(text)) {
		p.buf = append(p.buf, ' ')
	}
	if len(p.buf) > 0 {
		for range p.tabs {
			p.buf = append(p.buf, '\t')
		}
		p.buf = append(p.buf, p.pad...)
	}
	p.tabs, p.pad = 0, ""
	p.space, p.apart, p.cell = false, false, false
	p.buf = append(p.buf, text...)
}

// runsOn reports whether text would go on with the word that the line ends with, or
// with a word behind its punctuation. A comma or a full stop belongs to what is before it.
func (p *page) runsOn(text string) bool {
	if len(p.buf) == 0 || text == "" {
		return false
	}
	return strings.IndexByte(" \t\n([{<\"'/", p.buf[len(p.buf)-1]) < 0 && strings.IndexByte(" .,;:!?)]}>\"'/%", text[0]) < 0
}

// begin starts a line, and the blank line before it where there is to be one.
func (p *page) begin(st *state) {
	quote := min(st.quote, maxQuote)
	if n := len(p.lines); n > 0 {
		last := &p.lines[n-1]
		p.buf = trimEnd(p.buf, int(last.body))
		last.end = p.at()
		p.buf = append(p.buf, '\n')
		if p.gap > 1 {
			blank := line{start: p.at(), quote: min(quote, last.quote), marks: st.marks & last.marks &^ (markRule | markItem)}
			for range blank.quote {
				p.buf = append(p.buf, "> "...)
			}
			if blank.quote > 0 {
				p.buf = p.buf[:len(p.buf)-1]
			}
			blank.end = p.at()
			blank.body = blank.end
			p.lines = append(p.lines, blank)
			p.buf = append(p.buf, '\n')
		}
	}
	next := line{start: p.at(), quote: quote, marks: st.marks}
	if p.rule {
		next.marks |= markRule
		p.rule = false
	}
	for range quote {
		p.buf = append(p.buf, "> "...)
	}
	next.body = p.at()
	indent := min(int(st.list), maxIndent)
	if len(p.marker) > 0 {
		next.marks |= markItem
		indent--
	}
	if next.body == 0 {
		indent = 0 // a text begins with text
	}
	for range indent {
		p.buf = append(p.buf, "  "...)
	}
	p.buf = append(p.buf, p.marker...)
	p.marker = p.marker[:0]
	p.lines = append(p.lines, next)
	p.gap, p.open, p.space, p.apart, p.hard = 0, true, false, false, false
	p.begun++
}

// atStart reports whether nothing came yet in a table's cell or behind the mark of a
// list's item, which are boundaries already.
func (p *page) atStart() bool { return p.cell || len(p.marker) > 0 && !p.open }

// boundary is where a block begins or ends: at least n line feeds.
func (p *page) boundary(n int) {
	if p.atStart() {
		return
	}
	if p.hard && !p.open {
		n = 2
	}
	p.end()
	p.gap = max(p.gap, n)
}

// newline ends the line, be it blank.
func (p *page) newline() {
	if p.atStart() {
		return
	}
	n := 2
	if p.open {
		n = 1
	}
	p.end()
	p.gap = max(p.gap, n)
}

func (p *page) end() {
	p.open, p.space, p.apart, p.hard, p.tabs, p.pad = false, false, false, false, 0, ""
}

// finish ends the last line and brings the text into its composed form.
func (p *page) finish() {
	if n := len(p.lines); n > 0 {
		last := &p.lines[n-1]
		p.buf = trimEnd(p.buf, int(last.body))
		last.end = p.at()
	}
	mended := false
	for range maxMends {
		if p.accents && !norm.NFC.IsNormal(p.buf) {
			p.rewrite(func(to, old []byte, start, end int) []byte { return norm.NFC.Append(to, old[start:end]...) })
		}
		// The document's letters were mended before; references ("&Atilde;&copy;"), and
		// what stood between letters and is gone, make more of it.
		if !suspectBytes(p.buf) || !p.mend() {
			break
		}
		mended = true
	}
	if mended {
		p.rewrite(func(to, old []byte, start, end int) []byte {
			return append(to, bytes.Map(uncontrolled, old[start:end])...)
		})
	}
}

// uncontrolled drops the control characters that a line of a page may not have.
func uncontrolled(r rune) rune {
	if r != '\t' && unicode.IsControl(r) {
		return -1
	}
	return r
}

// rewrite changes the text line by line, so that the lines stay where they begin.
func (p *page) rewrite(change func(to, old []byte, start, end int) []byte) {
	old := bytes.Clone(p.buf)
	p.buf = p.buf[:0]
	for i := range p.lines {
		l := &p.lines[i]
		if i > 0 {
			p.buf = append(p.buf, '\n')
		}
		start := p.at()
		p.buf = append(p.buf, old[l.start:l.body]...)
		body := p.at()
		p.buf = change(p.buf, old, int(l.body), int(l.end))
		p.buf = trimEnd(p.buf, int(body))
		l.start, l.body, l.end = start, body, p.at()
	}
}

// rune writes one character.
func (p *page) rune(r rune, st *state) {
	var b [utf8.UTFMax]byte
	p.put(string(b[:utf8.EncodeRune(b[:], r)]), st)
}
