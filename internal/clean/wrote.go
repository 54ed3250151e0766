package clean

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostSplits bounds how many rows are made two, for each moves all that follow.
const mostSplits = 8

// shares makes two rows of one where what somebody says and the line above a
// quotation share it: "It works. On 3 March 2025, Ann wrote:", or where that line
// and the quotation do: "On 3 March 2025 10:12, Ann <…> wrote:> Old words."
func (m *mail) shares(i int) bool {
	r := &m.rows[i]
	if r.figures < 2 && r.has&(hasFigure|hasDash) == 0 || r.turned {
		return false // there is neither a date nor a drawn line
	}
	text := m.say(i)
	if len(text) > 2*longestAttribution {
		return false
	}
	if at := m.dashes(i); at > 0 && isGluedOriginal(text[at:]) && strings.IndexFunc(text[:at], isWord) >= 0 && !m.isForwarding() {
		m.split(i, m.rows[i].from+int32(at))
		return true
	}
	if r.figures < 2 && r.has&hasFigure == 0 {
		return false // there is no date
	}
	colon := strings.IndexByte(text, ':')
	inner := colon >= 0 && colon+1 < len(text)
	may := m.marksFollow(i) && m.mayIntroduce(i, longestAttributionRows) && figures(text) >= 2
	switch {
	case !inner && !may:
		return false
	case (m.has(i, beginsOn) || isDigit(text[0])) && beginsDated(text):
		return inner && m.sharesBelow(i, text)
	}
	return may && m.sharesAbove(i, text)
}

// dashes is where four dashes are in row i that a header may follow, -1 for nowhere.
func (m *mail) dashes(i int) int {
	if !m.has(i, hasDash) || !m.has(i, hasColon|hasHigh) {
		return -1 // no label of a header is behind them
	}
	return strings.Index(m.say(i), "----")
}

// beginsDated reports whether a line begins with a date, or with "On" and one.
func beginsDated(text string) bool {
	words := 0
	var low [32]byte
	for word := range strings.FieldsSeq(text) {
		if words == 0 && !isDigit(word[0]) && !on[string(appendLower(low[:0], strings.Trim(word, "-*_")))] {
			return false
		}
		if hasDigit(word) {
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
	m.split(i, m.rows[i].from+int32(at))
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
		if at += n + 1; at < len(text) && text[at] < utf8.RuneSelf && (text[at] < 'A' || text[at] > 'Z') {
			continue // it takes a capital letter
		}
		word, rest, _ := strings.Cut(text[at:], " ")
		first, _ := utf8.DecodeRuneInString(word)
		if strings.IndexFunc(before, isWord) < 0 || !unicode.IsUpper(first) || !on[strings.ToLower(word)] || figures(rest) < 2 {
			continue
		}
		dashes := strings.TrimRight(before, "-")
		if len(before)-len(dashes) < 2 {
			dashes = before
		}
		cut := m.rows[i].from + int32(len(dashes))
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
		if figures(head) < 3 || !wrote[lastWord(strings.ToLower(head[:len(head)-1]))] || !isAttribution(head, figures(head), false) {
			return 0
		}
		if strings.Contains(head, "@") || text[at] != ' ' {
			return at
		}
		return 0
	}
}

// split makes two rows of one.
func (m *mail) split(i int, at int32) {
	first, second := m.halves(m.rows[i], at)
	m.rows = slices.Insert(m.rows, i+1, second)
	m.rows[i], m.gap = first, gap{}
	m.lastMarked++
	if second.depth > 0 {
		m.lastMarked = max(m.lastMarked, i+1)
	}
}

// halves are the rows that a row makes when it ends and begins at a place in the text.
func (m *mail) halves(whole row, at int32) (first, second row) {
	whole.looks = 0
	first, second = whole, whole
	first.end, second.start, second.body = at, at, at
	second.marks &^= markItem | markRule
	m.measure(&first, m.lastDepth())
	m.measure(&second, m.lastDepth())
	return first, second
}

// longestAttribution bounds the line that says who wrote, in bytes and in rows.
const (
	longestAttribution     = 400
	longestAttributionRows = 5
)

// attribution is how many rows from i on say who wrote what follows, 0 for none.
func (m *mail) attribution(i int) int {
	// It begins with "On", a date or an address, or its end is near.
	dated := m.has(i, beginsOn|hasHigh|hasAt) || m.rows[i].figures > 0
	if !dated && !m.mayIntroduce(i, 2) || !m.mayIntroduce(i, longestAttributionRows) {
		return 0
	}
	first := m.say(i)
	if len(first) > longestAttribution || m.mute(i) && (i+1 == len(m.rows) || m.mute(i+1)) {
		return 0
	}
	last, depth := m.lastOfIntroduction(i), m.rows[i].depth
	if last < i || last >= m.lastMarked && !m.datedWithin(i, last) && !strings.HasPrefix(first, "--") {
		return 0 // without marks below it takes more
	}
	above := joining{}
	for n, begun, begins := 1, false, false; i+n-1 <= last; n++ {
		if !begun && (n > 1 || !m.mayIntroduce(i, 2)) {
			begun, begins = true, dated && beginsAttribution(first)
			if !begins && n == 1 {
				return 0
			}
		}
		text := m.say(i + n - 1)
		r := &m.rows[i+n-1]
		if text == "" && n > 1 && begins && above.figures > 3 && m.setApart(i+n) {
			continue
		}
		if text == "" || r.depth != depth || depth == 0 && r.class == quoted && m.ruleOf(r) != "attribution" || above.size+len(text) > longestAttribution {
			return 0
		}
		if n > 1 && !begins && (n != 2 || text[0] != '<' && !strings.HasSuffix(first, " <") && (len(text) >= 24 || !verb(strings.ToLower(text)))) {
			return 0
		}
		if n > 1 && (above.figures == 0 && above.isEnded() || m.figuresAt(i+n-1) >= 2 && startsAnew(text, above.figures)) {
			return 0 // what is above is said
		}
		marked := m.standsAboveMarks(i+n, depth)
		if n > 1 && above.figures > 0 && m.figuresAt(i+n-1) >= 4 && isDated(text) && isAttribution(text, m.figuresAt(i+n-1), marked) {
			return 0 // it needs no line above
		}
		above.add(text, m.figuresAt(i+n-1))
		if (marked || mayEndAttribution(text)) && isAttribution(m.inOneLine(i, i+n), above.figures, marked) {
			return n
		}
	}
	return 0
}

// startsAnew reports whether a row begins such a line by itself, with "On" or with a
// date below another. It is told how many figures are above.
func startsAnew(text string, above int) bool {
	first, rest, _ := strings.Cut(text, " ")
	c, _ := utf8.DecodeRuneInString(first)
	return unicode.IsUpper(c) && on[strings.ToLower(first)] && figures(rest) >= 2 || above > 0 && figures(first) >= 3 && !strings.ContainsAny(first, ":@")
}

// isDated reports whether a line names a whole date and a time, whatever its addresses.
func isDated(text string) bool {
	n := 0
	for word := range strings.FieldsSeq(text) {
		if strings.IndexByte(word, '@') < 0 {
			n += figures(word)
		}
	}
	return n >= 4
}

// setApart reports whether a row is an address that a program set apart from the name before it.
func (m *mail) setApart(i int) bool {
	return i < len(m.rows) && m.rows[i].from < m.rows[i].to && m.text[m.rows[i].from] == '<'
}

// aboveQuotations are what stands around the lines that say who wrote, and their words.
var aboveQuotations = struct{ before, behind, around, dashes, colons, verbs, second *charset }{
	before: charsetOf("-–—*_<>[(\"' \t\u200e\u200f\u202a\u202b"),
	behind: charsetOf(" *_\"'”»\u200e\u200f\u202c>"),
	around: charsetOf(",.:*"),
	dashes: charsetOf("-–— "),
	colons: charsetOf(":： *"),
	verbs:  charsetOf(",.;()\""),
	second: charsetOf(",.;(\""),
}

// beginsAttribution reports whether a line may be the first of several.
func beginsAttribution(text string) bool {
	text = aboveQuotations.before.trimLeft(text)
	words := 0
	var low [32]byte
	for word := range strings.FieldsSeq(text) {
		if words == 0 && on[string(appendLower(low[:0], aboveQuotations.around.trim(word)))] {
			return true
		}
		if hasDigit(word) || strings.IndexByte(word, '@') >= 0 {
			return true
		}
		if words++; words == 4 {
			break
		}
	}
	return strings.HasPrefix(text, "בתאריך") || strings.HasPrefix(text, "ב-") || strings.HasPrefix(text, "Missatge de ")
}

// isAttribution reports whether a line, in which so many groups of digits are, says who wrote.
// Before marked lines little is asked of it.
func isAttribution(text string, numbers int, marked bool) bool {
	address := strings.Contains(text, "@")
	if !marked && numbers < 2 && !address && !strings.HasPrefix(text, "--") {
		return false
	}
	end := aboveQuotations.behind.trimRight(text)
	if marked && strings.HasSuffix(end, ";") {
		end = end[:len(end)-1] + ":" // somebody's own
	}
	colon := strings.HasSuffix(end, ":") || strings.HasSuffix(end, wideColon)
	bare := ""
	if !colon {
		// Zoho's has dashes for the colon, others have nothing.
		bare = aboveQuotations.dashes.trimRight(end)
		if !isWrote(lastWord(bare)) {
			if !marked {
				return false
			}
			bare = ""
		}
	}
	if bare != "" {
		dashed := len(end)-len(bare) >= 2
		if dashed && strings.HasPrefix(text, "--") || numbers >= 3 && (address || dashed) && beginsAttribution(text) {
			return true
		}
	}
	if marked && isOwnWay(text, end, numbers) {
		return true
	}
	if !colon && (!marked || numbers < 2 && !address) && (numbers < 3 || !address || !marked) {
		return false
	}
	if !marked && numbers < 2 && !address {
		return false // with a verb it takes one of them
	}
	lower := strings.ToLower(aboveQuotations.colons.trimRight(end))
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
		return beginsAttribution(text) || verbEnds(lower) || numbers >= 4 && wroteOn(lower)
	case said && numbers >= 2:
		return beginsAttribution(text) && verbEnds(lower)
	}
	return numbers >= 3 && address && strings.HasSuffix(strings.TrimRight(text, ":： "), ">")
}

// wroteOn reports whether a line in lower case is a name, "wrote on" and a day of the week
// in short, as programs write it: "Ann Example schrieb am Mo., 3. März 2025, 10:12".
func wroteOn(text string) bool {
	fields := strings.Fields(text)
	for i := 1; i+2 < len(fields) && i <= 6; i++ {
		if day := fields[i+2]; on[fields[i+1]] && strings.ContainsAny(day, ".,") && len(day) <= 5 && !hasDigit(day) {
			return wrote[fields[i]] || wrote[fields[i-1]+" "+fields[i]]
		}
	}
	return false
}

// isOwnWay reports whether a line right above marked ones says who wrote in a way that
// somebody made up: with a name alone, a name and an address, or "On" and a date.
func isOwnWay(text, end string, numbers int) bool {
	if len(text) > 120 {
		return false
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return isCapitalized(text[1:len(text)-1], 4)
	}
	first, _, _ := strings.Cut(text, " ")
	switch last := end[max(0, len(end)-1):]; {
	case last == ":" && strings.Contains(text, "@") && strings.ContainsAny(text, "<("):
		return !requests[strings.ToLower(first)]
	case last == ":" && isCapitalized(end[:len(end)-1], 4):
		return strings.Contains(text, " ") && !saysWhat(strings.ToLower(text))
	case last == ":" || last == ",":
		return numbers >= 2 && on[strings.ToLower(strings.Trim(first, "*_-"))] && beginsDated(text)
	}
	return false
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

// hasDigit reports whether one of 0 to 9 is in a text.
func hasDigit(text string) bool {
	for i := range len(text) {
		if isDigit(text[i]) {
			return true
		}
	}
	return false
}

// figures counts groups of digits.
func figures(text string) (n int) {
	in := false
	for i := 0; i < len(text); {
		digit, size := isDigit(text[i]), 1
		if text[i] >= utf8.RuneSelf {
			var c rune
			c, size = utf8.DecodeRuneInString(text[i:])
			digit = unicode.IsDigit(c)
		}
		if digit && !in {
			n++
		}
		in = digit
		i += size
	}
	return n
}

// attached are verbs of languages that write no blanks between words.
var attached = []string{"写道", "寫道", "写到", "のメール", "のメッセージ", "書きました", "작성", "씀", "เขียน", "เขียนว่า", "さん"}

// verbEnds reports whether a line in lower case ends with who "wrote".
func verbEnds(text string) bool {
	if !mayBeWrote(text) {
		return false
	}
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
	before := "" // the word before, if it may begin two that are one verb
	for word := range strings.FieldsSeq(text) {
		if before != "" && wrote[before+" "+aboveQuotations.second.trim(word)] {
			return true
		}
		s := aboveQuotations.verbs.trim(word)
		if before = ""; !mayBeVerb(s) {
			continue
		}
		if before = s; wrote[s] && s != "viết" && s != "pisze" {
			return true
		}
	}
	return false
}

// wroteStarts has the pairs of letters that the verbs begin with.
var wroteStarts = func() (s starts) {
	for word := range wrote {
		s.add(word)
	}
	return s
}()

// mayBeVerb is a quick look: does a word begin as a verb that says who wrote?
func mayBeVerb(word string) bool { return wroteStarts.mayBegin(word) }
