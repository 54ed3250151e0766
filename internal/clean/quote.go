package clean

import (
	"math/bits"
	"slices"
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
	m.ownMarks()
	for i := range m.rows {
		r := &m.rows[i]
		if r.depth == 0 {
			continue
		}
		alone := (i == 0 || m.rows[i-1].depth == 0) && (i+1 == n || m.rows[i+1].depth == 0)
		if line := m.text[r.start:r.end]; alone && !m.html && (strings.HasPrefix(line, ">From ") || strings.HasPrefix(line, "&gt;") || r.depth > 1 && strings.HasSuffix(line, "<<")) {
			continue // an mbox's way to write "From ", or somebody's way to draw an arrow or to compare
		}
		rule := "prefix"
		if m.html {
			rule = "blockquote"
		}
		m.set(i, i+1, quoted, rule)
	}
	if m.html {
		return
	}
	// A line that the sender's program broke leaves its last words without a mark.
	seen := false
	for i := 1; i < n; i++ {
		above, r := &m.rows[i-1], &m.rows[i]
		if r.depth > 0 || r.empty || above.class != quoted {
			continue
		}
		below := i+1 < n && m.rows[i+1].depth > 0
		if below && m.closesLink(i) || !above.empty && m.goesOn(i, below, seen) {
			m.set(i, i+1, quoted, "broken line")
			seen = true
		}
	}
}

// ownMarks takes what somebody puts before quoted rows instead of ">" for marks: "| "
// or ": " right below a line that says who wrote, or a name, as in "Ann> ".
func (m *mail) ownMarks() {
	if m.html {
		return
	}
	for i := 0; i+1 < len(m.rows); i++ {
		r := &m.rows[i]
		if r.empty || r.depth > 0 {
			continue
		}
		line, next := m.line(i), m.line(i+1)
		mark := ownMark(line)
		switch {
		case mark != "" && strings.HasPrefix(next, mark) && m.attributed(i):
		case mark == "" && line[0] <= 'Z':
			if mark = nameMark(line); mark == "" || !strings.HasPrefix(next, mark) || strings.Count(line, " ") < 4 || strings.Count(next, " ") < 4 {
				continue // a prompt, perhaps
			}
		default:
			continue
		}
		for ; i < len(m.rows) && strings.HasPrefix(m.line(i), mark); i++ {
			r := &m.rows[i]
			r.depth, r.body = 1, r.end-len(m.line(i))+len(mark)
			r.from = min(max(r.from, r.body), r.to)
			r.from += len(m.text[r.from:r.to]) - len(strings.TrimLeft(m.text[r.from:r.to], " "))
			r.empty = r.from == r.to
		}
	}
}

// line is a row without the blanks before it.
func (m *mail) line(i int) string {
	return strings.TrimLeft(m.text[m.rows[i].start:m.rows[i].end], " ")
}

// attributed reports whether the row above, but for blank ones, says who wrote.
func (m *mail) attributed(i int) bool {
	for above := i - 1; above >= 0 && above >= i-3; above-- {
		if !m.blank(above) {
			text := m.say(above)
			return len(text) <= longestAttribution && isAttribution(text, true)
		}
	}
	return false
}

// nameMark is a name and ">" at the beginning of a line.
func nameMark(line string) string {
	if line == "" || line[0] < 'A' || line[0] > 'Z' {
		return ""
	}
	end := 1
	for end < len(line) && end < 16 && isLetter(line[end]) {
		end++
	}
	if end < 2 || !strings.HasPrefix(line[end:], "> ") {
		return ""
	}
	return line[:end+1]
}

// ownMark is what a line begins with that is neither a word nor the mark of a list.
func ownMark(line string) string {
	n := 0
	if line == "" || !strings.Contains("|:#}%]-", line[:1]) && !strings.HasPrefix(line, "»") && !strings.HasPrefix(line, "›") {
		return ""
	}
	for n < len(line) && n < 4 && !isLetter(line[n]) && !isDigit(line[n]) && line[n] != ' ' && line[n] < utf8.RuneSelf {
		n++
	}
	for _, s := range []string{"»", "›"} {
		if strings.HasPrefix(line, s) {
			n = len(s)
		}
	}
	if mark := line[:n]; strings.Trim(mark, "-") != "" {
		return mark
	}
	return ""
}

// goesOn reports whether an unmarked row below a marked one is its last words. Where
// no marked row follows it, more is asked: the same happened further up.
func (m *mail) goesOn(i int, below, seen bool) bool {
	above, r := &m.rows[i-1], &m.rows[i]
	if above.depth == 0 && !below {
		return false // the last words of last words
	}
	width, size := above.end-above.start, r.end-r.start
	if width < 60 || size >= 40 && (size >= width || !seen) || !below && (!seen || size >= 40) {
		return false
	}
	text := m.say(i)
	first, _ := utf8.DecodeRuneInString(text)
	return !strings.ContainsRune(".?!:;", rune(m.text[above.end-1])) &&
		(!unicode.IsUpper(first) || below && width >= 66 && size <= 20 && !strings.ContainsRune(".?!:,", rune(text[len(text)-1])))
}

// closesLink reports whether a row goes on with an address that began in the row above, or is one alone.
func (m *mail) closesLink(i int) bool {
	text, above := m.say(i), m.say(i-1)
	if end := strings.IndexAny(text, ")>"); end >= 0 && strings.Trim(text[end:], ")> ") == "" {
		if strings.HasPrefix(text, "(http") || strings.HasPrefix(text, "<http") {
			return true
		}
		open := strings.LastIndexAny(above, "(<")
		return open >= 0 && strings.HasPrefix(above[open+1:], "http") && !strings.ContainsAny(above[open:], ")> ")
	}
	return false
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
	splits := 0
	for i := 0; i < len(m.rows); i++ {
		if m.rows[i].fixed || m.blank(i) {
			continue
		}
		text := m.say(i)
		if m.rows[i].depth > 0 {
			// Apple's programs mark a mail that is passed on.
			if m.rows[i].depth == 1 && isForward(text) && m.heads(i) {
				m.keep(i)
				return
			}
			continue
		}
		if isForward(text) {
			m.keep(i)
			return
		}
		if start, end := m.bareHeaders(i); end > 0 && m.saidBefore(start) && !m.isForwarding() {
			m.set(start, len(m.rows), quoted, "headers")
			return
		}
		end, rule := m.opener(i, text)
		if (rule == "" || rule == "wrote") && splits < mostSplits && m.shares(i) {
			splits++
			i-- // it is two rows now
			continue
		}
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

// heads reports whether a marked row is the first of its quotation, which nothing introduces.
func (m *mail) heads(i int) bool {
	for i--; i >= 0 && m.blank(i); i-- {
	}
	return i < 0 || m.rows[i].depth == 0 && m.rows[i].class != quoted
}

// mostSplits bounds how many rows are made two, for each moves all that follow.
const mostSplits = 8

// shares makes two rows of one where what somebody says and the line above a
// quotation share it: "It works. On 3 March 2025, Ann wrote:", or where that line
// and the quotation do: "On 3 March 2025 10:12, Ann <…> wrote:> Old words."
func (m *mail) shares(i int) bool {
	text := m.say(i)
	if len(text) > 2*longestAttribution || m.rows[i].turned {
		return false
	}
	colon := strings.IndexByte(text, ':')
	inner, may := colon >= 0 && colon+1 < len(text), m.mayIntroduce(i, longestAttributionRows)
	switch {
	case !inner && !may:
		return false
	case beginsDated(text):
		return inner && m.sharesBelow(i, text)
	}
	return may && figures(text) >= 2 && m.sharesAbove(i, text)
}

// beginsDated reports whether a line begins with a date, or with "On" and one.
func beginsDated(text string) bool {
	words := 0
	for word := range strings.FieldsSeq(text) {
		if words == 0 && !isDigit(word[0]) && !on[strings.ToLower(strings.Trim(word, "-*_"))] {
			return false
		}
		if strings.ContainsAny(word, "0123456789") {
			return true
		}
		if words++; words == 5 {
			break
		}
	}
	return false
}

// sharesBelow splits a row that goes on with the quotation that it introduces.
func (m *mail) sharesBelow(i int, text string) bool {
	at := glued(text)
	if at == 0 {
		return false
	}
	m.split(i, m.rows[i].from+at)
	if rest := &m.rows[i+1]; i+2 < len(m.rows) && m.rows[i+2].depth > 0 {
		rest.depth = max(rest.depth, 1)
		m.set(i+1, i+2, quoted, "prefix")
	} else {
		rest.depth = 0 // one mark for all of it
	}
	return true
}

// sharesAbove splits a row at whose end a line begins that introduces marked rows.
func (m *mail) sharesAbove(i int, text string) bool {
	for at := 0; at < len(text); {
		n := strings.IndexByte(text[at:], ' ')
		if n < 0 {
			return false
		}
		before := strings.TrimRight(text[:at+n], " ")
		at += n + 1
		word, rest, _ := strings.Cut(text[at:], " ")
		first, _ := utf8.DecodeRuneInString(word)
		if before == "" || !unicode.IsUpper(first) || !on[strings.ToLower(word)] || figures(rest) < 2 {
			continue
		}
		dashes := strings.TrimRight(before, "-")
		if len(before)-len(dashes) < 2 {
			dashes = before
		}
		cut := m.rows[i].from + len(dashes)
		whole := m.rows[i]
		_, m.rows[i] = m.halves(whole, cut)
		end := m.attribution(i)
		m.rows[i] = whole
		if next := m.nextText(i + end); end == 0 || next == len(m.rows) || m.rows[next].depth == 0 {
			return false
		}
		m.split(i, cut)
		return true
	}
	return false
}

// glued is where the quotation begins in a line that introduces it, 0 if it does not.
func glued(text string) int {
	if !beginsAttribution(text) {
		return 0
	}
	for at := 0; ; {
		n := strings.IndexByte(text[at:], ':')
		if n < 0 || at+n+1 >= len(text) || at+n > longestAttribution {
			return 0
		}
		at += n + 1
		if c := text[at-2]; isDigit(c) || c == 'p' || c == 'o' {
			continue // 10:12, http:, mailto:
		}
		head := text[:at]
		if figures(head) < 3 || !wrote[lastWord(strings.ToLower(head[:len(head)-1]))] || !isAttribution(head, false) {
			return 0
		}
		if strings.Contains(head, "@") || text[at] != ' ' {
			return at
		}
		return 0
	}
}

// split makes two rows of one.
func (m *mail) split(i, at int) {
	first, second := m.halves(m.rows[i], at)
	m.rows = slices.Insert(m.rows, i+1, second)
	m.rows[i] = first
}

// halves are the rows that a row makes when it ends and begins at a place in the text.
func (m *mail) halves(whole row, at int) (first, second row) {
	first, second = whole, whole
	first.end, second.start, second.body = at, at, at
	second.marks &^= markItem | markRule
	return m.measure(first), m.measure(second)
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

// unintroduced gives blockquotes back that no mail program marked, no line above
// introduces and none inside: people, and newsletters, set text off with them.
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
			m.set(i, m.introducedWithin(i, end), own, "")
		}
		i = end
	}
}

// introducedWithin is the first of some marked rows that introduces what follows it, else the end.
func (m *mail) introducedWithin(from, to int) int {
	for i := from; i < to && i < from+60; i++ {
		if text := m.say(i); text != "" && (isOriginal(text) || m.headers(i) > 0 || m.attribution(i) > 0) {
			return i
		}
	}
	return to
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
	if isOriginal(text) || m.isTitled(i, text) {
		return i + 1, "original message"
	}
	if isNamed(text) {
		return i + 1, "wrote"
	}
	if i < 100 && len(text) < 200 && len(text) > 20 && m.stands(i, text) && containsAny(text, aboveHints) && anyIn(text, above) {
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

// stands reports whether a row stands by itself: between blank ones, or drawn around.
func (m *mail) stands(i int, text string) bool {
	if c := text[0]; c < utf8.RuneSelf && !isLetter(c) {
		return true
	}
	return (i == 0 || m.blank(i-1)) && (i+1 == len(m.rows) || m.blank(i+1)) || strings.HasSuffix(text, "-") || strings.HasSuffix(text, "=") || strings.HasSuffix(text, "#")
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
	inner := strings.Trim(text, "-‐‑‒–—―─━_=*~+#<>•· \t")
	return strings.ToLower(strings.TrimRight(inner, ": ")), len(text)-len(inner) >= 4
}

func isOriginal(text string) bool {
	if hasFold(strings.TrimLeft(text, "["), "original message processed by ") {
		return true // Tobit David
	}
	if isLetter(text[0]) {
		return false
	}
	inner, dashed := between(text)
	if !dashed || inner == "" || len(inner) > 80 {
		return false
	}
	if inner == "original" {
		return len(text) >= len(inner)+16 // QQ's
	}
	for _, s := range original {
		if strings.HasPrefix(inner, s) {
			return true
		}
	}
	return false
}

// isTitled reports whether a row is the same without dashes, right above headers.
func (m *mail) isTitled(i int, text string) bool {
	if len(text) > 60 || !strings.HasSuffix(text, ":") {
		return false
	}
	title := strings.ToLower(strings.Trim(text, "*_: "))
	if !originals[title] {
		return false
	}
	next := m.nextText(i + 1)
	return next < len(m.rows) && (m.rows[next].depth > 0 || m.headers(next) > 0)
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
	if len(first) > longestAttribution || !m.mayIntroduce(i, longestAttributionRows) {
		return 0
	}
	begins, depth := beginsAttribution(first), m.rows[i].depth
	if !begins && !m.mayIntroduce(i, 2) {
		return 0
	}
	joined := ""
	for n := 1; n <= longestAttributionRows && i+n <= len(m.rows); n++ {
		text := m.say(i + n - 1)
		r := &m.rows[i+n-1]
		if text == "" && n > 1 && begins && figures(joined) > 3 && m.setApart(i+n) {
			continue
		}
		if text == "" || r.depth != depth || depth == 0 && r.class == quoted && r.rule != "attribution" || len(joined)+len(text) > longestAttribution {
			return 0
		}
		if n > 1 && !begins && (n != 2 || text[0] != '<' && (len(text) >= 24 || !verb(strings.ToLower(text)))) {
			return 0
		}
		if n > 1 && (startsAnew(text, joined) || figures(joined) == 0 && isEnded(joined)) {
			return 0 // what is above is said
		}
		if joined != "" {
			joined += " "
		}
		joined += text
		next := m.nextText(i + n)
		marked := next < len(m.rows) && m.rows[next].depth > depth && next-(i+n) <= 2
		if isAttribution(joined, marked) {
			return n
		}
	}
	return 0
}

// mayIntroduce is a quick look: does one of some rows end as such lines do, or stand above marked ones?
func (m *mail) mayIntroduce(i, rows int) bool {
	for n := i; n < len(m.rows) && n < i+rows; n++ {
		if m.rows[n].empty && !m.setApart(n+1) {
			return false
		}
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

// startsAnew reports whether a row begins such a line by itself, with "On" or with a
// date below another.
func startsAnew(text, above string) bool {
	first, rest, _ := strings.Cut(text, " ")
	c, _ := utf8.DecodeRuneInString(first)
	return unicode.IsUpper(c) && on[strings.ToLower(first)] && figures(rest) >= 2 || figures(first) >= 3 && figures(above) > 0 && !strings.ContainsAny(first, ":@")
}

// isEnded reports whether a line ends as a sentence does, rather than with a shortened word.
func isEnded(text string) bool {
	return strings.ContainsRune(".?!", rune(text[len(text)-1])) && strings.Count(text, " ") >= 3
}

// setApart reports whether a row is an address that a program set apart from the name before it.
func (m *mail) setApart(i int) bool {
	return i < len(m.rows) && m.rows[i].from < m.rows[i].to && m.text[m.rows[i].from] == '<'
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
	if marked && strings.HasSuffix(end, ";") {
		end = end[:len(end)-1] + ":" // somebody's own
	}
	colon := strings.HasSuffix(end, ":") || strings.HasSuffix(end, "：")
	numbers, address := figures(text), strings.Contains(text, "@")
	if !colon {
		// Zoho's has dashes for the colon, others have nothing.
		bare := strings.TrimRight(end, "-–— ")
		dashed := len(end)-len(bare) >= 2
		if (dashed && strings.HasPrefix(text, "--") || numbers >= 3 && (address || dashed) && beginsAttribution(text)) && wrote[lastWord(strings.ToLower(bare))] {
			return true
		}
	}
	if marked && strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") && len(text) < 60 {
		return isCapitalized(text[1:len(text)-1], 4)
	}
	if !colon && (!marked || numbers < 2 && !address) && (numbers < 3 || !address || !marked) {
		return false
	}
	lower := strings.ToLower(strings.TrimRight(end, ":： *"))
	said := verb(lower)
	if spoken := !said && (spoke[lastWord(lower)] || spoke[lastWords(lower, 2)]); spoken {
		return marked && (address || numbers >= 2 && beginsAttribution(text) || isNamedOnly(text)) || numbers >= 3 && address && beginsAttribution(text)
	}
	switch {
	case marked && said:
		return len(text) < 250 && (numbers >= 2 || address || len(strings.Fields(text)) <= 12 && !saysWhat(lower))
	case marked && colon:
		return numbers >= 3 && (address || beginsAttribution(text)) || address && namesOnly(lower)
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

// isNamedOnly reports whether a line is a name and one more word: "Ann Example said:".
func isNamedOnly(text string) bool {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return false
	}
	name := strings.Trim(text[:at], "\"'“”„* ")
	return isCapitalized(name, 4) && !saysWhat(strings.ToLower(name))
}

// saysWhat reports whether a line in lower case begins as somebody's own words do
// before they quote, rather than with a name: "As the contract says:".
func saysWhat(text string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\"'“„*>- "), " ")
	return introductions[first]
}

// namesOnly reports whether a line in lower case is a name and an address, or "quoting" and these.
func namesOnly(text string) bool {
	fields := strings.Fields(text)
	if len(fields) == 0 || len(fields) > 6 {
		return false
	}
	last := fields[len(fields)-1]
	return strings.Contains(last, "@") && (strings.ContainsAny(last[:1], "<([") || quoting[fields[0]])
}

// lastWord is the last word of a line.
func lastWord(text string) string { return lastWords(text, 1) }

// lastWords are the last n words of a line.
func lastWords(text string, n int) string {
	at := len(text)
	for range n {
		if at = strings.LastIndexByte(text[:at], ' '); at < 0 {
			return text
		}
	}
	return text[at+1:]
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
	address, dated, stamped, sent, answers := false, false, false, false, false
	for j := i; j < len(m.rows) && j < i+40; j++ {
		text := m.say(j)
		if text == "" {
			if blanks++; blanks > 1 {
				break
			}
			continue
		}
		if m.rows[j].depth != m.rows[i].depth {
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
			stamped = stamped || l == labelDate && figures(value) >= 5
			sent = sent || j == i+1 && isSent(text)
			answers = answers || l == labelSubject && isAnswer(value)
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
	case found&labelFrom != 0 && n >= 3 && (address || ruled || sent || found&labelSubject != 0 && (dated || answers) || dated && n >= 4):
		return end
	case found&labelFrom != 0 && n == 2 && (ruled || address && dated):
		return end
	case n >= 3 && found&labelDate != 0 && found&labelSubject != 0 && dated:
		return end
	case n == 2 && first == labelDate && stamped && address:
		return end // a date to the second or with a zone, and somebody's address
	case n == 2 && first == labelFrom && sent:
		return end
	case n == 1 && first == labelFrom && ruled && (address || m.html && len(strings.Fields(value)) <= 4):
		return end
	}
	return 0
}

// isSent reports whether a line says when a mail was sent, in a word that no table has.
func isSent(text string) bool {
	return hasFold(text, "sent:") || hasFold(text, "*sent:*") || hasFold(text, "gesendet:") || hasFold(text, "envoyé") || hasFold(text, "verzonden:") || hasFold(text, "skickat:")
}

// isAnswer reports whether a subject is that of an answer, or of a mail that is passed on.
func isAnswer(subject string) bool {
	prefix, _, ok := strings.Cut(subject, ":")
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	return ok && (replies[prefix] || forwards[prefix])
}

// bareHeaders is the first row of a block of headers that Notes wrote, and the row
// behind it, where its "To" is row i: the name and the date stand above without
// labels, and the labels may be without colons, in rows of their own. 0 as the end for none.
func (m *mail) bareHeaders(i int) (start, end int) {
	text := m.say(i)
	if len(text) > 20 && !strings.ContainsAny(text[:20], ":\t") {
		return 0, 0
	}
	first, colon := anyLabel(text)
	if first != labelTo {
		return 0, 0
	}
	copied := false
	for j := i + 1; j < len(m.rows) && j < i+16 && m.rows[j].depth == m.rows[i].depth; j++ {
		switch l, _ := anyLabel(m.say(j)); l {
		case labelTo, labelFrom:
			return 0, 0
		case labelCopy:
			copied = true
		case labelSubject:
			if end = j + 1; !colon {
				end = m.nextText(end) + 1
			}
			start = m.namedAbove(i)
			if end > len(m.rows) || start < 0 && (colon || !copied) {
				return 0, 0
			}
			if start < 0 {
				start = i
			}
			return start, end
		}
	}
	return 0, 0
}

// namedAbove is the row that names who wrote, where a date stands right above row i
// and a name in the same row or above it, -1 for none.
func (m *mail) namedAbove(i int) int {
	rows, start := 0, -1
	for j, blanks := i-1, 0; j >= 0 && rows < 2 && blanks <= 3; j-- {
		text := m.say(j)
		if text == "" {
			blanks++
			continue
		}
		if len(text) > 100 || rows == 0 && figures(text) < 5 || rows > 0 && (isSentence(text) || figures(text) > 4 || blanks > 2) {
			break
		}
		start = j
		if rows++; letters(text) > 30 {
			break // "Ann Example on 03/03/2025 10:12:00 AM"
		}
	}
	return start
}

// anyLabel is the label that a row is, or begins with.
func anyLabel(text string) (l label, colon bool) {
	if l := bareLabel(text); l != 0 {
		return l, false
	}
	l, _ = labelOf(text)
	return l, true
}

// bareLabel is the label that a row is, without a colon.
func bareLabel(text string) label {
	text, _, _ = strings.Cut(text, "\t")
	if len(text) > 20 {
		return 0
	}
	return labels[strings.ToLower(text)]
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

// drawing is what lines are drawn with.
const drawing = "-‐‑‒–—―─━═_=*~ "

// isRule reports whether a line is drawn rather than written.
func isRule(text string) bool {
	return len(text) >= 5 && strings.Trim(text, drawing) == ""
}

// interleaved keeps the quotations that are answered one by one: without them the
// answers say nothing. What is quoted below the last answer goes.
func (m *mail) interleaved() {
	type block struct {
		from, to int
		answered bool
	}
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
	answered, first := 0, m.firstWords()
	for k := range blocks {
		to := len(m.rows)
		if k+1 < len(blocks) {
			to = blocks[k+1].from
		}
		if blocks[k].answered = m.answers(blocks[k].to, to); blocks[k].answered {
			answered++
		}
	}
	for k, b := range blocks {
		keep := answered > 1 || k+1 < len(blocks)
		// One that no program introduced stands where somebody put it.
		set := first < b.from && b.to-b.from <= longestSet && m.rows[b.from].depth > 0 && m.rows[b.from].rule == "prefix"
		if !b.answered || !keep && !set {
			continue
		}
		for i := b.from; i < b.to; i++ {
			if r := &m.rows[i]; r.depth > 0 || r.rule == "broken line" {
				r.class, r.rule = own, ""
			}
		}
	}
	m.ruleLines()
}

// longestSet bounds, in rows, a quotation that somebody put into a text by hand.
const longestSet = 10

// firstWords is the first row in which the sender says something.
func (m *mail) firstWords() int {
	for i := range m.rows {
		if m.words(i, i+1) {
			return i
		}
	}
	return len(m.rows)
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
		if text := m.say(i); m.rows[i].class == own && !m.rows[i].fixed && len(text) > 1 && strings.Trim(text, drawing) == "" {
			next := m.nextText(i + 1)
			if next == len(m.rows) || m.rows[next].class != quoted {
				continue
			}
			// Right above marked rows it is one of a program that draws it there.
			if m.rows[next].depth == 0 || next == i+1 && m.rows[next].depth == 1 && len(text) >= 20 {
				m.set(i, i+1, quoted, m.rows[next].rule)
			}
		}
	}
}
