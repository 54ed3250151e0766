package clean

import (
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

// contained takes what a mail program says is a quotation for one, where nothing
// inside of it is marked more closely: people answer between the lines.
func (m *mail) contained() {
	if !m.html {
		return
	}
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
			forward = forward || m.rows[j].depth == 0 && m.has(j, isFramed) && isForward(m.say(j))
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
		if m.rows[i].class != own || m.blank(i) {
			continue
		}
		if r := &m.rows[i]; r.words > 0 && !r.turned {
			if c := m.text[r.from]; isLetter(c) || isDigit(c) {
				return true
			}
		}
		if (m.spells(i) || m.rows[i].figures > 0) && strings.IndexFunc(m.say(i), isWord) >= 0 {
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
			if m.rows[i].depth == 1 && m.has(i, isFramed) && m.spells(i) && isForward(text) && m.heads(i) {
				m.keep(i)
				return
			}
			continue
		}
		if m.has(i, isFramed) && m.spells(i) && isForward(text) {
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
		if (rule == "headers" || rule == "original message") && (m.isForwarding() || !marked && !m.saidBefore(i)) ||
			rule == "headers" && !marked && m.pointsTo(i) {
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

// pointsTo reports whether what is said right above row i ends with a colon: somebody
// copied the headers below it, and goes on behind them. In HTML a picture may have stood there.
func (m *mail) pointsTo(i int) bool {
	above := m.lastText(max(0, i-3), i)
	return !m.html && above > 0 && m.open(above-1) && strings.HasSuffix(m.say(above-1), ":") && !m.ruledAbove(i)
}

// heads reports whether a marked row is the first of its quotation, which nothing introduces.
func (m *mail) heads(i int) bool {
	for i--; i >= 0 && m.blank(i); i-- {
	}
	return i < 0 || m.rows[i].depth == 0 && m.rows[i].class != quoted
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
	text := m.say(m.said)
	word, rest, _ := strings.Cut(trimClosing(text), " ")
	if !greetings[strings.ToLower(trimClosing(word))] || countWords(rest) > 3 {
		return false
	}
	// "Hello" alone is all that is said; "Hi Ann" and "Hi," go on below.
	return strings.HasSuffix(text, ",") || strings.HasSuffix(text, ":") || unicode.IsUpper(firstRune(rest)) || unicode.In(firstRune(rest), unicode.Han, unicode.Hangul, unicode.Hebrew, unicode.Arabic)
}

// keep keeps a mail that is passed on: it is what the sender wants to be read.
func (m *mail) keep(from int) {
	m.set(from, len(m.rows), own, "")
	for i := from; i < len(m.rows); i++ {
		m.rows[i].fixed = true
	}
}

// unintroduced gives blockquotes back that no mail program marked, no line above
// introduces and none inside: people, and newsletters, set text off with them.
func (m *mail) unintroduced() {
	if !m.html {
		return
	}
	last := -1 // the last row that is not blank
	for i := 0; i < len(m.rows); {
		if m.rows[i].depth == 0 {
			if !m.blank(i) {
				last = i
			}
			i++
			continue
		}
		end, marked, above := i, false, last
		for end < len(m.rows) && m.rows[end].depth > 0 {
			marked = marked || m.rows[end].marks&markQuote != 0 || !m.by(end, "blockquote")
			if !m.blank(end) {
				last = end
			}
			end++
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

// gap is a run of blank rows: from, and what is behind it.
type gap struct{ from, to int }

// nextText is the next row that is not blank. It keeps the gap that it went through last: between
// stretches that are looked at one after the other lies the same one.
func (m *mail) nextText(i int) int {
	if m.gap.from <= i && i < m.gap.to {
		return m.gap.to
	}
	from := i
	for i < len(m.rows) && m.blank(i) {
		if i++; i == m.gap.from && i < m.gap.to {
			i = m.gap.to
		}
	}
	if from < i {
		m.gap = gap{from, i}
	}
	return i
}

// opener reports whether row i opens a quotation, and the row behind its opening.
func (m *mail) opener(i int, text string) (end int, rule string) {
	framed := m.has(i, isFramed) && m.spells(i)
	if (framed || mayBeProcessed(text)) && (isOriginal(text) || m.isTitled(i, text)) {
		return i + 1, "original message"
	}
	if m.has(i, isFramed) && isNamed(text) {
		return i + 1, "wrote"
	}
	if i < 100 && len(text) < 200 && len(text) > 20 && m.stands(i, text) && aboveLine.inFold(text) && hintsAbove.in(text) {
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

// interleaved keeps the quotations that are answered one by one: without them the
// answers say nothing. What is quoted below the last answer goes.
func (m *mail) interleaved() {
	if len(m.rules) == 1 {
		return // nothing was set apart yet
	}
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
	n := len(blocks)
	if n == 0 {
		return
	}
	lowest := blocks[n-1]
	text := m.say(lowest.from)
	kind, _ := m.closesAt(lowest.from)
	if isRule(text) || text == "--" || kind != closesNothing && n > 1 && lowest.to-lowest.from <= longestClosed {
		blocks = blocks[:n-1] // a footer that was quoted along
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
		set := first < b.from && b.to-b.from <= longestSet && m.rows[b.from].depth > 0 && m.by(b.from, "prefix")
		if !b.answered || !keep && !set {
			continue
		}
		for i := b.from; i < b.to; i++ {
			if r := &m.rows[i]; r.depth > 0 || m.by(i, "broken line") || m.by(i, "wrote") || m.by(i, "attribution") {
				r.class, r.rule = own, 0
			}
		}
	}
	m.ruleLines()
}

// longestClosed bounds, in rows, what closed the mail that is quoted.
const longestClosed = 6

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

// answers reports whether there is something said in rows that is no footer and no signature.
func (m *mail) answers(from, to int) bool {
	for i := from; i < to; i++ {
		if m.rows[i].class != own || m.blank(i) {
			continue
		}
		text := m.say(i)
		if text == "--" || isRule(text) || m.isNameAt(i) {
			return false
		}
		if kind, _ := m.closesAt(i); kind == closesAlone {
			return false
		}
		return strings.IndexFunc(text, isWord) >= 0
	}
	return false
}

// ruleLines takes the rule right above a quotation for a part of it.
func (m *mail) ruleLines() {
	for i := range m.rows {
		if m.rows[i].class != own || m.rows[i].fixed {
			continue
		}
		if text := m.say(i); len(text) > 1 && !isLetter(text[0]) && drawingSet.trimLeft(text) == "" {
			next := m.nextText(i + 1)
			if next == len(m.rows) || m.rows[next].class != quoted {
				continue
			}
			// Right above marked rows it is one of a program that draws it there.
			if m.rows[next].depth == 0 || next == i+1 && m.rows[next].depth == 1 && len(text) >= 20 {
				m.set(i, i+1, quoted, m.ruleOf(&m.rows[next]))
			}
		}
	}
}
