package clean

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mail is what is known of a mail. Any of it may be missing.
type Mail struct {
	Text string // the body as plain text
	HTML string // the body as HTML
	// The sender: a signature begins with their name.
	FromName, FromAddress string
	// Subject says whether a mail is passed on rather than answered.
	Subject string
}

// Kind is what a stretch of a mail is, where it is not what its sender says in it.
type Kind string

// The kinds of spans.
const (
	Quote      Kind = "quote"      // somebody else's mail, and the lines that say whose
	Signature  Kind = "signature"  // the sender's, or a mail program's
	Disclaimer Kind = "disclaimer" // what an organization or a list adds to each mail
	Token      Kind = "token"      // what Salesforce finds the case by
)

// Span is a stretch that was set apart, from Start to before End in Result.Text,
// and the rule that did it.
type Span struct {
	Kind  Kind   `json:"kind"`
	Rule  string `json:"rule"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// Result is a mail taken apart.
type Result struct {
	Text      string // the whole of it, clean: what Spans point into
	Reply     string // what its sender says in it
	Quoted    string // the history below or above
	Signature string
	Spans     []Span // in the order of the text, none in another
	Version   int    // [Version]
}

// What a row of a mail turned out to be.
type class uint8

const (
	own class = iota
	quoted
	signed
	disclaimed
	token
)

var kinds = [...]Kind{quoted: Quote, signed: Signature, disclaimed: Disclaimer, token: Token}

// mail is a mail that is being taken apart.
type mail struct {
	Mail
	text  string
	rows  []row
	html  bool
	names names
	// address is the sender's in lower case.
	address string
	rules   []string // that set rows apart, by their numbers
	cuts    []Span   // tokens
	said    int      // no row before it is the sender's own and says something

	gap gap // the last run of blank rows that was looked for, for as long as rows stay as blank as they are

	lastMarked int // no row behind it is marked as a quotation

	before bool   // something is said above the stretch that is looked at
	says   int    // no row of that stretch before it says anything
	lower  []byte // of the rows that were looked at last

	scratch *scratch
}

// Split tells what the sender of a mail says from what a mail repeats: the history it
// answers, its signature, disclaimers, tokens. What it is not sure of stays in the
// reply: a quotation that is kept is repeated, a sentence that is dropped is lost.
func Split(in Mail) Result {
	kept := scratches.Get().(*scratch)
	m := &kept.mail
	*m = mail{Mail: in, lastMarked: -1, scratch: kept, lower: kept.lower, rules: append(kept.rules[:0], "")}
	m.read()
	m.names, m.address = namesOf(in.FromName, in.FromAddress), strings.ToLower(in.FromAddress)
	m.tokens()
	m.quotations()
	m.endings()
	out := m.result()
	kept.rows, kept.lower, kept.rules = m.rows, m.lower, m.rules
	kept.release()
	return out
}

// read chooses the better witness of the two bodies and takes it line by line. HTML
// says what is a quotation and has its lines unbroken; it is taken unless it says
// much less than the text does.
func (m *mail) read() {
	if m.HTML != "" {
		r := readers.Get().(*reader)
		defer r.release()
		r.read(m.HTML)
		markup, text := string(r.page.buf), ""
		said := letters(markup)
		enough := said > 0 && 2*said >= mostLetters(m.Text)
		if !enough && m.Text != "" {
			text = Text(m.Text)
		}
		if enough || said > 0 && 2*said >= letters(text) {
			m.html = true
			m.text = markup
			m.rows = m.scratch.rowsFor(len(r.page.lines))
			for _, l := range r.page.lines {
				m.add(l.start, l.end, l.body, int32(l.quote), l.marks)
			}
			return
		}
		m.text = text
	} else {
		m.text = Text(m.Text)
	}
	m.rows = m.scratch.rowsFor(strings.Count(m.text, "\n") + 1)
	for at := 0; at < len(m.text); {
		end := strings.IndexByte(m.text[at:], '\n')
		if end < 0 {
			end = len(m.text) - at
		}
		m.add(int32(at), int32(at+end), int32(at), 0, 0)
		at += end + 1
	}
}

// letters counts what is neither blank nor a mark of quotation.
func letters(s string) (n int) {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := eight(s, i)
		seen := ((w | highBits) - ('!' * everyByte)) | w // from "!" on
		mark := w ^ '>'*everyByte
		other := ((mark &^ highBits) + (0x7f * everyByte)) | mark
		n += bits.OnesCount64(seen & other & highBits)
	}
	for ; i < len(s); i++ {
		if s[i] > ' ' && s[i] != '>' {
			n++
		}
	}
	return n
}

// isTail reports whether what is behind ">" ends the line above a quotation, whose
// address was broken: "> wrote:".
func isTail(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) < 40 && strings.HasSuffix(text, ":") && wrote[strings.ToLower(strings.TrimRight(text, ": "))]
}

// isNamed reports whether a line is how GroupWise names whom it quotes, which marks
// nothing: ">>> Ann Example <ann@acme.example> 3/3/2025 10:12 AM >>>".
func isNamed(line string) bool {
	line = strings.TrimRight(line, " ")
	return strings.HasPrefix(line, ">>> ") && strings.HasSuffix(line, " >>>") && len(line) < longestAttribution && figures(line) >= 3
}

// wideMark is the mark of quotation in Japanese.
const wideMark = "＞"

// initials is how long the initials are that some programs put before ">", as in
// "AE> ". The prompts of a database and of a shell look alike.
func initials(line string) int {
	if strings.HasPrefix(line, "SQL>") || strings.HasPrefix(line, "PS>") {
		return 0
	}
	for i := 0; i < len(line) && i < 5; i++ {
		if c := line[i]; c == '>' && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '>') {
			return i
		} else if c < 'A' || c > 'Z' {
			break
		}
	}
	return 0
}

// say is the text of a row without marks of quotation and of direction, trimmed.
func (m *mail) say(i int) string { return m.sayRow(&m.rows[i]) }

func (m *mail) sayRow(r *row) string {
	if r.turned {
		return m.undirected(r)
	}
	return m.text[r.from:r.to]
}

// undirected is the text of a row without marks of direction, trimmed.
func (m *mail) undirected(r *row) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if isDirection(c) {
			return -1
		}
		return c
	}, m.text[r.from:r.to]))
}

// isDirection reports whether a character says which way text runs.
func isDirection(c rune) bool {
	return c == 0x200E || c == 0x200F || c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069
}

func (m *mail) blank(i int) bool { return m.rows[i].empty }

// unseenRune reports whether a character draws nothing.
func unseenRune(c rune) bool {
	return c == 0xAD || c == 0x34F || c >= 0x200B && c <= 0x200F || c >= 0x202A && c <= 0x202E || c >= 0x2060 && c <= 0x2069 || c == 0xFEFF
}

// set makes rows of what they turned out to be, but for what is decided already.
func (m *mail) set(from, to int, c class, rule string) {
	number := m.numberOf(rule)
	for i := from; i < to; i++ {
		if r := &m.rows[i]; !r.fixed && (r.class == own || c == own) {
			r.class, r.rule = c, number
		}
	}
}

// numberOf is the number of a rule in this mail, 0 of none.
func (m *mail) numberOf(rule string) uint8 {
	for n, known := range m.rules {
		if known == rule {
			return uint8(n)
		}
	}
	m.rules = append(m.rules, rule)
	return uint8(len(m.rules) - 1)
}

// by reports whether a rule set row i apart.
func (m *mail) by(i int, rule string) bool { return m.ruleOf(&m.rows[i]) == rule }

// ruleOf is the rule that set a row apart, "" for none.
func (m *mail) ruleOf(r *row) string { return m.rules[r.rule] }

// result writes down what the rows turned out to be.
func (m *mail) result() Result {
	out := Result{Text: m.text, Version: Version}
	// A blank row belongs to what is on both sides of it.
	for i := 0; i < len(m.rows); {
		if !m.blank(i) {
			i++
			continue
		}
		end := i
		for end < len(m.rows) && m.blank(end) {
			end++
		}
		if i > 0 && end < len(m.rows) && m.rows[i-1].class != own && m.rows[i-1].class == m.rows[end].class {
			for j := i; j < end; j++ {
				m.rows[j].class, m.rows[j].rule = m.rows[i-1].class, m.rows[i-1].rule
			}
		} else {
			near := i > 0 && m.rows[i-1].class == quoted || end < len(m.rows) && m.rows[end].class == quoted
			for j := i; j < end; j++ {
				if r := &m.rows[j]; r.depth == 0 || r.class != quoted || !near {
					r.class, r.rule = own, 0
				}
			}
		}
		i = end
	}
	var parts [len(kinds)]part
	for c, buffer := range m.scratch.parts {
		parts[c].copied = buffer[:0]
	}
	cuts := m.cuts
	for i := range m.rows {
		r := &m.rows[i]
		n := 0
		for n < len(cuts) && cuts[n].Start < int(r.end) {
			n++
		}
		if r.class == own || r.class == quoted || r.class == signed {
			parts[r.class].add(m.text, r, cuts[:n])
		}
		if r.class == own {
			out.Spans = append(out.Spans, cuts[:n]...)
		} else if last := len(out.Spans) - 1; last >= 0 && out.Spans[last].End == int(r.start)-1 && out.Spans[last].Kind == kinds[r.class] && out.Spans[last].Rule == m.ruleOf(r) {
			out.Spans[last].End = int(r.end)
		} else {
			out.Spans = append(out.Spans, Span{Kind: kinds[r.class], Rule: m.ruleOf(r), Start: int(r.start), End: int(r.end)})
		}
		cuts = cuts[n:]
	}
	out.Reply, out.Quoted, out.Signature = parts[own].text(m.text), parts[quoted].text(m.text), parts[signed].text(m.text)
	for c := range parts {
		m.scratch.parts[c] = parts[c].copied
	}
	return out
}

// part is what the rows of a class say, one below the other: stretches of the text. As long as
// there is one, it is no more than that.
type part struct {
	start, end int    // the last stretch
	open       bool   // there is one
	some       bool   // something was said
	blank      bool   // a blank line is the last
	copied     []byte // the stretches before it, with a line feed behind each
}

// add appends a row without the tokens in it. What was set apart leaves one blank line at
// most, and no line that had nothing else.
func (p *part) add(text string, r *row, cuts []Span) {
	start, end := int(r.start), int(r.end)
	if len(cuts) > 0 || start < end && !isEndByte(text[end-1]) {
		whole := without(text, start, end, cuts)
		line := strings.TrimRightFunc(whole, unicode.IsSpace)
		if len(cuts) > 0 || len(line) < len(whole) {
			if line != "" {
				p.close(text)
				p.copied = append(append(p.copied, line...), '\n')
				p.some, p.blank = true, false
			} else if len(cuts) == 0 {
				p.add(text, &row{start: r.start, end: r.start}, nil)
			}
			return
		}
	}
	blank := start == end
	if blank && (!p.some || p.blank) {
		return
	}
	if !p.open || start != p.end+1 {
		p.close(text)
		p.start, p.open = start, true
	}
	p.end, p.some, p.blank = end, true, blank
}

// close copies the last stretch.
func (p *part) close(text string) {
	if p.open {
		p.copied = append(append(p.copied, text[p.start:p.end]...), '\n')
		p.open = false
	}
}

// isEndByte reports whether a line that ends with a byte has no white space at its end.
func isEndByte(c byte) bool { return c > ' ' && c < utf8.RuneSelf }

// text is what the rows say.
func (p *part) text(whole string) string {
	if len(p.copied) == 0 {
		return strings.TrimSpace(whole[p.start:p.end])
	}
	p.close(whole)
	return string(bytes.TrimSpace(p.copied))
}

// without is a line without the tokens in it.
func without(text string, start, end int, cuts []Span) string {
	if len(cuts) == 0 {
		return text[start:end]
	}
	var b strings.Builder
	for _, c := range cuts {
		b.WriteString(strings.TrimRight(text[start:max(start, c.Start)], " "))
		if start = c.End; start < end && b.Len() > 0 && text[start] != ' ' {
			b.WriteByte(' ')
		}
	}
	b.WriteString(text[min(start, end):end])
	return b.String()
}

// mayEndToken is a quick look: does a text have ":ref" or "::"? A colon is rarer than the letters
// that tokens begin with.
func mayEndToken(text string) bool {
	for {
		at := strings.IndexByte(text, ':')
		if at < 0 || at+1 == len(text) {
			return false
		}
		if text = text[at+1:]; text[0] == ':' || text[0] == 'r' {
			return true
		}
	}
}

// tokens finds what Salesforce puts into a mail to find its case by: ref:_00D…:ref
// and thread::…::, which are neither text nor the same twice.
func (m *mail) tokens() {
	if !mayEndToken(m.text) {
		return
	}
	for at := 0; ; {
		n := strings.Index(m.text[at:], "ref:")
		if n < 0 {
			break
		}
		start := at + n
		at = start + 4
		end := at
		for end < len(m.text) && end-at < 80 && (isLetter(m.text[end]) || isDigit(m.text[end]) || m.text[end] == '_' || m.text[end] == '!' || m.text[end] == '.') {
			end++
		}
		if id := m.text[at:end]; strings.HasPrefix(m.text[end:], ":ref") && len(id) > 10 && strings.Contains(id, "00D") {
			m.cut(start, end+len(":ref"), "ref")
			at = end + len(":ref")
		}
	}
	for at := 0; ; {
		n := strings.Index(m.text[at:], "thread::")
		if n < 0 {
			break
		}
		start := at + n
		at = start + len("thread::")
		end := at
		for end < len(m.text) && end-at < 80 && (isLetter(m.text[end]) || isDigit(m.text[end]) || m.text[end] == '_' || m.text[end] == '-') {
			end++
		}
		if end-at >= 10 && strings.HasPrefix(m.text[end:], "::") {
			m.cut(start, end+2, "thread")
			at = end + 2
		}
	}
	slices.SortFunc(m.cuts, func(a, b Span) int { return a.Start - b.Start })
	// Rows of nothing else go whole.
	for i, c := 0, 0; i < len(m.rows) && c < len(m.cuts); i++ {
		r, left, from := &m.rows[i], 0, int(m.rows[i].body)
		found := false
		for c < len(m.cuts) && m.cuts[c].Start < int(r.end) {
			left += letters(m.text[from:m.cuts[c].Start])
			from, found = m.cuts[c].End, true
			c++
		}
		if found && left+letters(m.text[min(from, int(r.end)):r.end]) == 0 {
			m.set(i, i+1, token, m.cuts[c-1].Rule)
		}
	}
}

// cut takes a token out together with the brackets around it.
func (m *mail) cut(start, end int, rule string) {
	for _, pair := range []string{"[]", "()"} {
		a, b := start, end
		for a > 0 && m.text[a-1] == ' ' {
			a--
		}
		for b < len(m.text) && m.text[b] == ' ' {
			b++
		}
		if a > 0 && b < len(m.text) && m.text[a-1] == pair[0] && m.text[b] == pair[1] {
			start, end = a-1, b+1
		}
	}
	m.cuts = append(m.cuts, Span{Kind: Token, Rule: rule, Start: start, End: end})
}
