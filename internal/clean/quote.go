package clean

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quotations sets apart the mails that a mail answers.
func (m *mail) quotations() {
	m.prefixed()
	m.contained()
	m.introduced()
	m.unintroduced()
	m.interleaved()
}

// prefixed takes rows behind ">", or in a blockquote, for quotations.
func (m *mail) prefixed() {
	n := len(m.rows)
	for i := range m.rows {
		r := &m.rows[i]
		if r.depth == 0 {
			continue
		}
		alone := (i == 0 || m.rows[i-1].depth == 0) && (i+1 == n || m.rows[i+1].depth == 0)
		if alone && !m.html && strings.HasPrefix(m.text[r.start:r.end], ">From ") {
			continue // an mbox's way to write "From "
		}
		rule := "prefix"
		if m.html {
			rule = "blockquote"
		}
		m.set(i, i+1, quoted, rule)
	}
	// A line that the sender's program broke leaves its last words without a mark.
	for i := 1; i+1 < n; i++ {
		above, r, below := &m.rows[i-1], &m.rows[i], &m.rows[i+1]
		if m.html || r.depth > 0 || above.depth == 0 || below.depth == 0 || m.blank(i) || m.blank(i-1) || m.blank(i+1) {
			continue
		}
		first, _ := utf8.DecodeRuneInString(m.say(i))
		long := above.end-above.start >= 60 && r.end-r.start < 40
		if last := m.text[above.end-1]; long && !strings.ContainsRune(".?!:;", rune(last)) && !unicode.IsUpper(first) {
			m.set(i, i+1, quoted, "broken line")
		}
	}
}

// contained takes what a mail program says is a quotation for one, where nothing
// inside of it is marked more closely: people answer between the lines.
func (m *mail) contained() {
	for i := 0; i < len(m.rows); {
		if m.rows[i].marks&(markQuote|markAttribution) == 0 {
			i++
			continue
		}
		end, closer := i, false
		for end < len(m.rows) && m.rows[end].marks&(markQuote|markAttribution) != 0 {
			closer = closer || m.rows[end].depth > 0
			end++
		}
		forward := false
		for j := i; j < end; j++ {
			forward = forward || m.rows[j].depth == 0 && isForward(m.say(j))
		}
		if !forward && m.rows[i].marks&markQuote != 0 && !closer && m.saidBefore(i) {
			m.set(i, end, quoted, "container")
		}
		for j := i; j < end && !forward; j++ {
			// The line above a quotation, in whatever language.
			if m.rows[j].marks&markAttribution != 0 && (closer || end < len(m.rows) && m.rows[end].depth > 0) {
				m.set(j, j+1, quoted, "attribution")
			}
		}
		i = end
	}
}

// saidBefore reports whether the sender says anything before row i. Rows only ever
// cease to be their own while it is asked.
func (m *mail) saidBefore(i int) bool {
	for m.said < i && !m.words(m.said, m.said+1) {
		m.said++
	}
	return m.said < i
}

// words reports whether rows that are the sender's own say anything.
func (m *mail) words(from, to int) bool {
	for i := from; i < to; i++ {
		if m.rows[i].class == own && !m.blank(i) && strings.IndexFunc(m.say(i), isWord) >= 0 {
			return true
		}
	}
	return false
}

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.So, r)
}

// introduced finds the lines that say that somebody else's mail follows, and takes
// what follows for a quotation: as far as its marks go, else to the end.
func (m *mail) introduced() {
	for i := 0; i < len(m.rows); i++ {
		if m.rows[i].class == quoted && m.rows[i].depth > 0 || m.rows[i].fixed || m.blank(i) {
			continue
		}
		if m.rows[i].depth > 0 {
			continue
		}
		text := m.say(i)
		if isForward(text) {
			m.keep(i)
			return
		}
		end, rule := m.opener(i, text)
		if rule == "" {
			continue
		}
		next := m.nextText(end)
		if rule == "original message" { // the headers below it go with it
			for next < len(m.rows) && next-i < 30 && m.rows[next].depth == 0 {
				if l, _ := labelOf(m.say(next)); l == 0 && m.headers(next) == 0 {
					break
				}
				end = max(next+1, m.headers(next))
				next = m.nextText(end)
			}
		}
		marked := next < len(m.rows) && m.rows[next].depth > 0
		if (rule == "headers" || rule == "original message") && (m.isForwarding() || !marked && !m.saidBefore(i)) {
			m.keep(i)
			return
		}
		if marked || next < len(m.rows) && m.rows[next].class == quoted && rule == "wrote" {
			m.set(i, end, quoted, rule)
			i = end - 1
			continue
		}
		if rule == "wrote" {
			if mark := m.marksWithin(next); mark > next {
				m.set(i, mark, quoted, rule) // "[...]" and the like
				i = mark - 1
				continue
			}
			if m.rows[i].marks&markQuote == 0 && next < len(m.rows) && m.greetedOnly(i) {
				continue // who says what cannot be told
			}
		}
		if rule == "above" && !m.saidBefore(i) {
			m.set(i, end, quoted, rule)
			continue
		}
		m.set(i, len(m.rows), quoted, rule)
		return
	}
}

// marksWithin is the first marked row among the next few, where only what stands
// for words that were left out is before it; else -1.
func (m *mail) marksWithin(i int) int {
	for rows := 0; i < len(m.rows) && rows < 3; i++ {
		switch text := m.say(i); {
		case m.rows[i].depth > 0:
			return i
		case text == "":
		case strings.Trim(text, "[](){}<>.-…* ") == "" || strings.ContainsAny(text[:1], "[(<") && len(text) < 40:
			rows++
		default:
			return -1
		}
	}
	return -1
}

// greetedOnly reports whether nothing but a greeting stands above row i.
func (m *mail) greetedOnly(i int) bool {
	if !m.saidBefore(i) {
		return true
	}
	if m.words(m.said+1, i) {
		return false
	}
	word, rest, _ := strings.Cut(strings.ToLower(trimClosing(m.say(m.said))), " ")
	return greetings[trimClosing(word)] && len(strings.Fields(rest)) <= 3
}

// keep keeps a mail that is passed on: it is what the sender wants to be read.
func (m *mail) keep(from int) {
	m.set(from, len(m.rows), own, "")
	for i := from; i < len(m.rows); i++ {
		m.rows[i].fixed = true
	}
}

// isForwarding reports whether the subject says that a mail is passed on, or many are.
func (m *mail) isForwarding() bool {
	if indexFold(m.Subject, "digest") >= 0 && !hasFold(m.Subject, "re:") {
		return true
	}
	prefix, _, ok := strings.Cut(m.Subject, ":")
	return ok && forwards[strings.ToLower(strings.TrimSpace(prefix))]
}

// unintroduced gives blockquotes back that no mail program marked and no line above
// introduces: people, and newsletters, set text off with them.
func (m *mail) unintroduced() {
	if !m.html {
		return
	}
	for i := 0; i < len(m.rows); {
		if m.rows[i].depth == 0 {
			i++
			continue
		}
		end, marked := i, false
		for end < len(m.rows) && m.rows[end].depth > 0 {
			marked = marked || m.rows[end].marks&markQuote != 0 || m.rows[end].rule != "blockquote"
			end++
		}
		above := i - 1
		for above >= 0 && m.blank(above) {
			above--
		}
		if !marked && (above < 0 || m.rows[above].class != quoted) {
			m.set(i, end, own, "")
		}
		i = end
	}
}

// nextText is the next row that is not blank.
func (m *mail) nextText(i int) int {
	for i < len(m.rows) && m.blank(i) {
		i++
	}
	return i
}

// opener reports whether row i opens a quotation, and the row behind its opening.
func (m *mail) opener(i int, text string) (end int, rule string) {
	if isOriginal(text) {
		return i + 1, "original message"
	}
	if i < 100 && len(text) < 200 && len(text) > 20 && containsAny(text, aboveHints) && anyIn(text, above) {
		return i + 1, "above"
	}
	if end := m.headers(i); end > 0 {
		return end, "headers"
	}
	if n := m.attribution(i); n > 0 {
		return i + n, "wrote"
	}
	if m.rows[i].marks&(markRule|markAttribution) == markRule|markAttribution && strings.Contains(text, ":") {
		return i + 1, "headers" // of a language that is not known here
	}
	return 0, ""
}

// containsAny reports whether one of a few parts is in text as it is written.
func containsAny(text string, parts []string) bool {
	for _, s := range parts {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// anyIn reports whether one of list, which is in lower case, is in text in any case.
func anyIn(text string, list []string) bool {
	text = strings.ToLower(text)
	for _, s := range list {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// between is what stands between dashes, underscores or the like in a line, in
// lower case, and whether there are any.
func between(text string) (string, bool) {
	if len(text) > 150 {
		return "", false
	}
	inner := strings.Trim(text, "-–—_=*~+#<>•· \t")
	return strings.ToLower(strings.TrimRight(inner, ": ")), len(text)-len(inner) >= 4
}

func isOriginal(text string) bool {
	if isLetter(text[0]) {
		return false
	}
	inner, dashed := between(text)
	if !dashed || inner == "" || len(inner) > 80 {
		return false
	}
	for _, s := range original {
		if strings.HasPrefix(inner, s) {
			return true
		}
	}
	return false
}

func isForward(text string) bool {
	if len(text) > 150 || len(text) < 8 {
		return false
	}
	if c := text[0]; isLetter(c) && !strings.HasSuffix(text, ":") {
		return false
	}
	inner, dashed := between(text)
	if !dashed && !strings.HasSuffix(text, ":") && !strings.HasSuffix(text, "：") {
		return false
	}
	for _, s := range forwarded {
		if strings.HasPrefix(inner, s) && (dashed || len(inner) == len(s)) {
			return true
		}
	}
	return false
}

// longestAttribution bounds the line that says who wrote, in bytes and in rows.
const (
	longestAttribution     = 400
	longestAttributionRows = 5
)

// attribution is how many rows from i on say who wrote what follows, 0 for none.
func (m *mail) attribution(i int) int {
	first := m.say(i)
	if len(first) > longestAttribution || !m.mayIntroduce(i) {
		return 0
	}
	begins := beginsAttribution(first)
	joined := ""
	for n := 1; n <= longestAttributionRows && i+n <= len(m.rows); n++ {
		text := m.say(i + n - 1)
		r := &m.rows[i+n-1]
		if text == "" || r.depth > 0 || r.class == quoted && r.rule != "attribution" || len(joined)+len(text) > longestAttribution {
			return 0
		}
		if n > 1 && !begins && (n != 2 || text[0] != '<' && (len(text) >= 24 || !verb(strings.ToLower(text)))) {
			return 0
		}
		if joined != "" {
			joined += " "
		}
		joined += text
		next := m.nextText(i + n)
		marked := next < len(m.rows) && m.rows[next].depth > 0 && next-(i+n) <= 2
		if isAttribution(joined, marked) {
			return n
		}
	}
	return 0
}

// mayIntroduce is a quick look: does a row from i on end as such lines do, or stand above marked ones?
func (m *mail) mayIntroduce(i int) bool {
	for n := i; n < len(m.rows) && n < i+longestAttributionRows && !m.rows[n].empty; n++ {
		if m.rows[n].introduces {
			return true
		}
		for next := n + 1; next < len(m.rows) && next <= n+3; next++ {
			if m.rows[next].depth > 0 {
				return true
			}
			if !m.rows[next].empty {
				break
			}
		}
	}
	return false
}

// beginsAttribution reports whether a line may be the first of several.
func beginsAttribution(text string) bool {
	text = strings.TrimLeft(text, "-–—*_<>[(\"' \t\u200e\u200f\u202a\u202b")
	words := 0
	for word := range strings.FieldsSeq(text) {
		if words == 0 && on[strings.ToLower(strings.Trim(word, ",.:*"))] {
			return true
		}
		if strings.ContainsAny(word, "0123456789@") {
			return true
		}
		if words++; words == 4 {
			break
		}
	}
	return strings.HasPrefix(text, "בתאריך") || strings.HasPrefix(text, "ב-")
}

// isAttribution reports whether a line says who wrote. Before marked lines little is asked of it.
func isAttribution(text string, marked bool) bool {
	end := strings.TrimRight(text, " *_\"'”»\u200e\u200f\u202c>")
	colon := strings.HasSuffix(end, ":") || strings.HasSuffix(end, "：")
	numbers, address := figures(text), strings.Contains(text, "@")
	if !colon && (!marked || numbers < 2 && !address) && (numbers < 3 || !address || !marked) {
		return false
	}
	lower := strings.ToLower(strings.TrimRight(end, ":： "))
	said := verb(lower)
	switch {
	case marked && said:
		return len(text) < 250 && (numbers >= 2 || address || len(strings.Fields(text)) <= 12)
	case marked && colon:
		return numbers >= 3 && (address || beginsAttribution(text))
	case marked:
		return numbers >= 3 && address
	case !colon:
		return false
	case said && address:
		return numbers >= 2 || verbEnds(lower)
	case said && numbers >= 3:
		return beginsAttribution(text) || verbEnds(lower)
	case said && numbers >= 2:
		return beginsAttribution(text) && verbEnds(lower)
	}
	return numbers >= 3 && address && strings.HasSuffix(strings.TrimRight(text, ":： "), ">")
}

// figures counts groups of digits.
func figures(text string) (n int) {
	in := false
	for _, c := range text {
		digit := unicode.IsDigit(c)
		if digit && !in {
			n++
		}
		in = digit
	}
	return n
}

// attached are verbs of languages that write no blanks between words.
var attached = []string{"写道", "寫道", "写到", "のメール", "のメッセージ", "書きました", "작성", "씀", "เขียน", "เขียนว่า", "さん"}

// verbEnds reports whether a line in lower case ends with who "wrote".
func verbEnds(text string) bool {
	for _, s := range attached {
		if strings.HasSuffix(text, s) {
			return true
		}
	}
	at := len(text)
	for range 4 {
		at = strings.LastIndexByte(text[:at], ' ')
		if at < 0 {
			return wrote[text]
		}
		if wrote[text[at+1:]] {
			return true
		}
	}
	return false
}

// verb reports whether "wrote" is anywhere in a line in lower case.
func verb(text string) bool {
	if verbEnds(text) {
		return true
	}
	fields := strings.Fields(text)
	for i := range fields {
		s := strings.Trim(fields[i], ",.;()\"")
		if wrote[s] && s != "viết" && s != "pisze" || strings.HasPrefix(s, "писа") && wrote[s] {
			return true
		}
		if i+1 < len(fields) && wrote[s+" "+strings.Trim(fields[i+1], ",.;(\"")] {
			return true
		}
	}
	return false
}

// labelOf is the label that a line begins with, and what follows it.
func labelOf(text string) (label, string) {
	text = strings.TrimLeft(text, "*_|•> \t\u00a0\u200e\u200f")
	colon, width := -1, 1
	for i, c := range text {
		if i > 48 {
			break
		}
		if c == ':' || c == '：' {
			colon, width = i, utf8.RuneLen(c)
			break
		}
	}
	if colon <= 0 {
		return 0, ""
	}
	name := strings.ToLower(strings.Trim(text[:colon], "*_ \t\u00a0"))
	return labels[name], strings.Trim(text[colon+width:], "*_ \t\u00a0")
}

// headers is the row behind a block of headers that begins at row i, 0 for none.
func (m *mail) headers(i int) int {
	first, value := labelOf(m.say(i))
	if first == 0 || first == labelOther {
		return 0
	}
	var found label
	end, folded, blanks := i, 0, 0
	address, dated := false, false
	for j := i; j < len(m.rows) && j < i+40; j++ {
		text := m.say(j)
		if text == "" {
			if blanks++; blanks > 1 {
				break
			}
			continue
		}
		if m.rows[j].depth > 0 {
			break
		}
		l, value := labelOf(text)
		if l != 0 {
			if l&found != 0 && l != labelOther && l != labelCopy {
				break
			}
			found |= l
			end, folded, blanks = j+1, 0, 0
			address = address || strings.Contains(value, "@")
			dated = dated || l == labelDate && figures(value) >= 2
			continue
		}
		// The rest of a long list of recipients.
		if folded++; folded > 3 || blanks > 0 {
			break
		}
		address = address || strings.Contains(text, "@")
	}
	if end == i+1 { // all of it in one line
		for word := range strings.FieldsSeq(m.say(i)) {
			if strings.HasSuffix(word, ":") {
				l := labels[strings.ToLower(strings.Trim(word, "*:"))]
				found |= l
				dated = dated || l == labelDate
			}
		}
		address = address || strings.Contains(value, "@")
	}
	found &^= labelOther
	ruled := m.rows[i].marks&(markRule|markAttribution) != 0 || i > 0 && m.ruledAbove(i)
	n := bits.OnesCount8(uint8(found))
	switch {
	case found&labelFrom != 0 && n >= 3 && (found&labelSubject != 0 || address || ruled || dated && found&labelDate != 0 && n >= 4):
		return end
	case found&labelFrom != 0 && n == 2 && (ruled || address && dated):
		return end
	case n >= 3 && found&labelDate != 0 && found&labelSubject != 0 && dated:
		return end
	}
	return 0
}

// ruledAbove reports whether a line of underscores or dashes is right above row i.
func (m *mail) ruledAbove(i int) bool {
	for j := i - 1; j >= 0 && j >= i-3; j-- {
		if text := m.say(j); text != "" {
			return isRule(text)
		}
	}
	return false
}

// isRule reports whether a line is drawn rather than written.
func isRule(text string) bool {
	return len(text) >= 5 && strings.Trim(text, "-–—_=*~ ") == ""
}

// interleaved keeps the quotations that are answered one by one: without them the
// answers say nothing. What is quoted below the last answer goes.
func (m *mail) interleaved() {
	type block struct{ from, to int }
	var blocks []block
	last := -1
	for i := range m.rows {
		if m.rows[i].class != quoted || m.blank(i) {
			continue
		}
		if last >= 0 && m.rows[last].class == quoted && !m.words(last+1, i) {
			blocks[len(blocks)-1].to = i + 1
		} else {
			blocks = append(blocks, block{from: i, to: i + 1})
		}
		last = i
	}
	if n := len(blocks); n > 0 {
		if text := m.say(blocks[n-1].from); isRule(text) || text == "--" {
			blocks = blocks[:n-1] // a footer that was quoted along
		}
	}
	answered := 0
	for k, b := range blocks {
		to := len(m.rows)
		if k+1 < len(blocks) {
			to = blocks[k+1].from
		}
		if m.answers(b.to, to) {
			answered++
		}
	}
	if answered == 0 || len(blocks) < 2 {
		m.ruleLines()
		return
	}
	for k, b := range blocks {
		if k+1 < len(blocks) && m.answers(b.to, blocks[k+1].from) || answered > 1 && k+1 == len(blocks) && m.answers(b.to, len(m.rows)) {
			for i := b.from; i < b.to; i++ {
				if r := &m.rows[i]; r.depth > 0 || r.rule == "broken line" {
					r.class, r.rule = own, ""
				}
			}
		}
	}
	m.ruleLines()
}

// answers reports whether there is something said in rows that is no footer.
func (m *mail) answers(from, to int) bool {
	for i := from; i < to; i++ {
		if m.rows[i].class != own || m.blank(i) {
			continue
		}
		text := m.say(i)
		if text == "--" || isRule(text) {
			return false
		}
		return strings.IndexFunc(text, isWord) >= 0
	}
	return false
}

// ruleLines takes the rule right above a quotation for a part of it.
func (m *mail) ruleLines() {
	for i := range m.rows {
		if m.rows[i].class == own && !m.rows[i].fixed && isRule(m.say(i)) {
			if next := m.nextText(i + 1); next < len(m.rows) && m.rows[next].class == quoted && m.rows[next].depth == 0 {
				m.set(i, i+1, quoted, m.rows[next].rule)
			}
		}
	}
}
