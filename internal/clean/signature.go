package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a signature, in rows that are not blank.
const (
	longestSignature = 16 // found by its look
	longestMarked    = 25 // behind "-- "
	longestSeal      = 40 // of a program that proves who wrote, blank ones too
)

// signature sets the signature of a stretch apart. A postscript or a slogan below it
// stays: it is said.
func (m *mail) signature(from, to int) {
	to = m.sealed(from, m.lastText(from, to))
	for paragraphs := 0; paragraphs < 4 && to > from; paragraphs++ {
		start, rule := m.findSignature(from, to)
		if rule != "" {
			// Below it a paragraph was passed over: it takes more to be one then.
			if paragraphs > 0 && rule != "mail program" && !m.passable(start, to, rule) {
				return
			}
			for range 2 { // another one may be right above: a name, and then a card
				above, found := m.findSignature(from, m.lastText(from, start))
				if found == "" || !m.saysAbove(above) {
					break
				}
				start = above
			}
			if m.saysAbove(start) {
				m.set(start, to, signed, rule)
			}
			return
		}
		last := to
		for last > from && !m.blank(last-1) {
			last--
		}
		for i := to - 1; i > last; i-- { // a postscript right below the name
			if isPostscript(m.say(i)) {
				last = i
				break
			}
		}
		if last == from {
			return
		}
		for to = m.lastText(from, last); to > from && isDrawn(m.say(to-1)); {
			to = m.lastText(from, to-1)
		}
	}
}

// sealed sets the lines apart by which a program proves who wrote a mail, and is behind
// the last row above them.
func (m *mail) sealed(from, to int) int {
	if to == from || !strings.HasPrefix(m.say(to-1), "-----END PGP SIGNATURE") {
		return to
	}
	for i := to - 1; i >= from && to-i < longestSeal; i-- {
		if !strings.HasPrefix(m.say(i), "-----BEGIN PGP SIGNATURE") {
			continue
		}
		if !m.saysAbove(i) {
			return to
		}
		m.set(i, to, signed, "seal")
		if first := m.nextText(from); first < i && strings.HasPrefix(m.say(first), "-----BEGIN PGP SIGNED MESSAGE") {
			end := first + 1
			for end < i && strings.HasPrefix(m.say(end), "Hash: ") {
				end++
			}
			m.set(first, end, signed, "seal")
		}
		return m.lastText(from, i)
	}
	return to
}

// passable reports whether a signature that something is said below of is sure enough:
// it names the sender, or what is said is a postscript, or it is no more than a closing
// and a name.
func (m *mail) passable(start, to int, rule string) bool {
	if m.sender(start, to) {
		// A box with their name may be a heading.
		return rule != "delimiter" || !isDrawn(m.say(start)) || isDelimiter(m.say(start)) || m.reachable(start, to)
	}
	if below := m.nextText(to); below < len(m.rows) && isPostscript(m.say(below)) {
		return true
	}
	if rule != "closing" || !m.stranger() {
		return false
	}
	rows, last := 0, start
	for i := start; i < to; i++ {
		if m.open(i) {
			rows, last = rows+1, i
		}
	}
	return rows == 2 && isCapitalized(trimName(m.say(last)), 3)
}

// findSignature is the row from which on a stretch is a signature, and the rule
// that says so. The surest rule comes first.
func (m *mail) findSignature(from, to int) (start int, rule string) {
	if start := m.marked(from, to); start >= 0 {
		return m.withClosing(from, start), "mail program"
	}
	if start := m.delimited(from, to); start >= 0 {
		return m.withClosing(from, start), "delimiter"
	}
	if start := m.closed(from, to); start >= 0 {
		return start, "closing"
	}
	if start := m.named(from, to); start >= 0 {
		return m.withClosing(from, start), "name"
	}
	if start := m.introducedContact(from, to); start >= 0 {
		return m.withClosing(from, start), "contact"
	}
	return to, ""
}

// open reports whether a row is the sender's own and says something.
func (m *mail) open(i int) bool { return m.rows[i].class == own && !m.blank(i) }

// marked is where a mail program says that the signature begins, if nothing else
// comes behind it, -1 if not.
func (m *mail) marked(from, to int) int {
	start := to
	for start > from && (m.rows[start-1].marks&markSignature != 0 || !m.open(start-1)) {
		start--
	}
	for start < to && !m.open(start) {
		start++
	}
	if start == to || m.typedInto(start, to) {
		return -1
	}
	if above := m.lastText(from, start); above > from && isDelimiter(m.say(above-1)) {
		return above - 1
	}
	return start
}

// typedInto reports whether somebody wrote their mail where the signature was.
func (m *mail) typedInto(from, to int) bool {
	sentences, rows := 0, 0
	for i := from; i < to && rows < longestMarked; i++ {
		if m.open(i) {
			rows++
			if m.isSentenceAt(i) {
				sentences++
			}
		}
	}
	return sentences > 2 && 2*sentences > rows || sentences > 1 && sentences == rows
}

// delimited is the row of "-- ", or of a drawn line above a contact, -1 for none.
func (m *mail) delimited(from, to int) int {
	for i, rows := to-1, 0; i >= from && rows < longestMarked; i-- {
		if !m.open(i) {
			continue
		}
		if !m.has(i, beginsOddly) {
			rows++ // with a dash or a line that is drawn neither
			continue
		}
		text := m.say(i)
		if indent := m.rows[i].from - m.rows[i].body; !m.html && indent > 0 && (indent > 3 || !isDelimiter(text)) {
			rows++ // what is indented is a comment in a program, or a quotation's author
			continue
		}
		switch {
		case isDelimiter(text):
			if rows == 0 && m.devicesBelow(i+1) || rows > 0 && (strings.HasSuffix(text, "--") && !m.looksLikeText(i+1, to) || m.allShort(i+1, to)) {
				return m.firstDelimiter(from, i)
			}
		case isDrawn(text):
			if rows > 0 && rows <= longestSignature && (m.drawnAbove(from, i, to, rows) || m.carded(from, i, to)) {
				return m.firstDelimiter(from, i)
			}
		case rows <= 1 && m.dashedName(from, i, rows) && !m.itemAbove(from, i):
			return i
		case rows <= 4 && m.dashedCard(from, i, to):
			return i
		}
		rows++
	}
	return -1
}

// dashedCard reports whether row i is the delimiter and a name in one, with more of a
// card below: "-- Ann Example".
func (m *mail) dashedCard(from, i, to int) bool {
	name, ok := strings.CutPrefix(m.say(i), "-- ")
	if !ok || len(name) > 60 || isSentence(name) || !m.isNameRow(name) && !isCapitalized(name, 4) {
		return false
	}
	return !m.itemAbove(from, i) && m.allShort(i, to) && m.saysAbove(i)
}

// firstDelimiter goes up to the first of several drawn lines.
func (m *mail) firstDelimiter(from, i int) int {
	for above := m.lastText(from, i); above > from && i-above < 2 && (isDelimiter(m.say(above-1)) || isDrawn(m.say(above-1))); above = m.lastText(from, i) {
		i = above - 1
	}
	return i
}

// devicesBelow reports whether what stands from a row on was added by a mail program.
func (m *mail) devicesBelow(i int) bool {
	i = m.nextText(i)
	return i < len(m.rows) && m.rows[i].class == signed && m.by(i, "device")
}

// drawnAbove reports whether the drawn line at row i stands above a signature.
func (m *mail) drawnAbove(from, i, to, rows int) bool {
	above := m.lastText(from, i)
	if above == from && !m.before || !m.allShort(i+1, to) || !m.couldSign(i+1, to) {
		return false
	}
	first := m.nextText(i + 1)
	if m.sender(i+1, to) {
		return true
	}
	if above > from && (strings.HasSuffix(m.say(above-1), ":") || strings.HasPrefix(m.say(above-1), "#")) || m.listed(i+1, to) {
		return false
	}
	if kind, _ := m.closesAt(first); kind != closesNothing && rows > 1 {
		return true
	}
	if above > from {
		if kind, _ := m.closesAt(above - 1); kind != closesNothing {
			return true
		}
	}
	name := isCapitalized(trimName(m.say(first)), 4) && !isHeading(m.say(first))
	return name && (m.reachable(i+1, to) || rows <= 3 && m.stranger() && above > from && endsSentence(m.say(above-1)))
}

// carded reports whether the sender's card stands between the drawn line at row i and
// another one, with no more than a saying right below.
func (m *mail) carded(from, i, to int) bool {
	rows := 0
	for j := i + 1; j < to && rows <= 8; j++ {
		if !m.open(j) {
			continue
		}
		if isDrawn(m.say(j)) {
			return rows > 0 && to-j <= 4 && m.allOpen(j, to) && m.sender(i+1, j) && m.reachable(i+1, j) && m.allShort(i+1, j) && m.saysAbove(i)
		}
		rows++
	}
	return false
}

// allOpen reports whether rows are one paragraph of lines that are not long.
func (m *mail) allOpen(from, to int) bool {
	for i := from; i < to; i++ {
		if !m.open(i) || len(m.say(i)) > 100 {
			return false
		}
	}
	return true
}

// itemAbove reports whether the row above begins with a dash as well, written in the same way: a list.
func (m *mail) itemAbove(from, i int) bool {
	above := m.lastText(from, i)
	if above == from {
		return false
	}
	text, item := m.say(i), m.say(above-1)
	return strings.HasPrefix(item, text[:1]) && (above == i || isItem(text) == isItem(item))
}

// looksLikeText reports whether rows are a text of several sentences and no signature.
func (m *mail) looksLikeText(from, to int) bool {
	sentences, rows := 0, 0
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		rows++
		if m.isSentenceAt(i) {
			sentences++
		}
		if text := m.say(i); len(text) > 140 && strings.Count(text, ". ") > 2 && !m.contact(from, to) {
			return true
		}
	}
	return sentences > 4 && 2*sentences > rows && !m.contact(from, to)
}

// dashedName reports whether row i, with so many rows below, is a dash and a name:
// "- John", "—Ann Example", "/Johan".
func (m *mail) dashedName(from, i, rows int) bool {
	text := m.say(i)
	name := strings.TrimLeft(text, "-–—~/ ")
	if len(name) == len(text) || name == "" || strings.HasPrefix(text, "---") || len(text) > 60 || m.rows[i].marks&markItem != 0 {
		return false
	}
	if below := m.nextText(i + 1); rows > 0 && below < len(m.rows) && m.say(below)[0] == text[0] {
		return false // the first item of a list
	}
	trimmed := trimName(name)
	if m.isName(trimmed) || m.isInitials(name) || m.isNameRow(name) {
		return true
	}
	if rows > 0 || strings.HasPrefix(text, "-- ") || text[0] == '/' && strings.Contains(name, "/") {
		return false
	}
	above := m.lastText(from, i)
	if above == from || isHeading(m.say(above-1)) || strings.ContainsFunc(name, func(c rune) bool {
		return c != ' ' && c != '.' && c != '\'' && !unicode.IsLetter(c) && !unicode.Is(unicode.M, c)
	}) {
		return false
	}
	// Without a blank it is no item of a list, and with one only a name alone may be none.
	if !strings.HasPrefix(text, "- ") {
		return isCapitalized(trimmed, 3) || !strings.Contains(name, " ") && len(name) < 20 && text[0] == '-' && (above < i || endsSentence(m.say(above-1)))
	}
	return m.stranger() && !m.html && !strings.Contains(name, " ") && len(name) < 16 && above < i && endsSentence(m.say(above-1))
}

// closed is the row of "Kind regards" or the like, -1 for none. Only what may be a
// signature stands below it.
func (m *mail) closed(from, to int) int {
	long := 0
	for i, rows := to-1, 0; i >= from && rows <= longestSignature && long < 4; i-- {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		if isPostscript(text) || m.rows[i].marks&markItem != 0 || m.rows[i].depth > m.rows[to-1].depth {
			return -1
		}
		kind, named := m.closesAt(i)
		if kind == closesNamed && !named && !m.nameBelow(i, to) || kind == closesAlone && m.isSentenceAt(i) && rows > 0 && !named && !m.nameBelow(i, to) {
			kind = closesNothing
		}
		if kind != closesNothing && m.couldSign(i+1, to) {
			return m.withClosing(from, i)
		}
		if m.isSentenceAt(i) || len(text) > 120 {
			long++
		}
		rows++
	}
	return -1
}

// nameBelow reports whether a name stands below row i, or another way to close right below it.
func (m *mail) nameBelow(i, to int) bool {
	below := i + 1
	for below < to && !m.open(below) {
		below++
	}
	if below >= to {
		return false
	}
	text := m.say(below)
	if m.isNameAt(below) || m.isInitials(text) {
		return true
	}
	if kind, _ := m.closesAt(below); kind != closesNothing {
		return below == i+1
	}
	if isDrawn(text) {
		return m.nameBelow(below, to)
	}
	if head, _, bracketed := strings.Cut(text, " ("); bracketed && strings.HasSuffix(text, ")") {
		text = head // "Ann Example (she/her)"
	}
	name := trimName(text)
	if comma := strings.HasSuffix(m.say(i), ","); isCapitalized(name, 4) && !m.isSentenceAt(below) && !isHeading(text) && (comma || m.stranger() || !unicode.IsUpper(firstRune(name))) && isShortName(name) {
		return true
	}
	// "thanks,\nbob"
	return below == i+1 && strings.HasSuffix(m.say(i), ",") && m.lastText(i, to) == below+1 && len(name) < 20 && name != "" && !strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsLetter(c) })
}

// isShortName reports whether a text is no longer than names are in scripts that have no
// capitals to tell them by.
func isShortName(text string) bool {
	switch first := firstRune(text); {
	case unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return utf8.RuneCountInString(text) <= 5 || strings.ContainsAny(text, " \u3000")
	case unicode.In(first, unicode.Hangul, unicode.Arabic, unicode.Hebrew, unicode.Thai, unicode.Devanagari):
		return countWords(text) <= 2
	}
	return true
}

// withClosing goes up to the words that close a mail, from the row of a signature.
func (m *mail) withClosing(from, start int) int {
	for rows := 0; rows < 4; rows++ {
		above := m.lastText(from, start) - 1
		if above < from || !m.saysAbove(above) || m.rows[above].depth > m.rows[start].depth {
			return start
		}
		text := m.say(above)
		kind, named := m.closesAt(above)
		switch {
		case kind == closesAlone || named, kind == closesNamed && m.closesRight(above, start, rows):
			start = above
		case rows == 0 && m.echoes(above, start):
			start = above
		case rows == 0 && m.closesOddly(from, above, start):
			return above
		case rows < 2 && (m.isName(trimName(text)) || isCapitalized(trimName(text), 3)) && m.closedAbove(from, above):
			start = above
		default:
			return start
		}
	}
	return start
}

// closesRight reports whether thanks at row i belong to the signature that begins
// below: they stand right above it, or a name is between.
func (m *mail) closesRight(i, start, rows int) bool {
	return rows > 0 && start == i+1 || m.isNameAt(start) || start == i+1
}

// echoes reports whether row i is a name that the card below it begins with.
func (m *mail) echoes(i, start int) bool {
	name := trimName(m.say(i))
	if len(name) < 2 || len(name) > 40 || strings.Contains(name, " ") || !isDelimiter(m.say(start)) {
		return false
	}
	first := m.nextText(start + 1)
	if first >= len(m.rows) || !m.open(first) {
		return false
	}
	return strings.HasPrefix(folded(trimName(m.say(first))), folded(name))
}

// closesOddly reports whether row i above the sender's name closes a mail in words of
// their own: "Perplexed,".
func (m *mail) closesOddly(from, i, start int) bool {
	text := m.say(i)
	return len(text) <= 40 && strings.HasSuffix(text, ",") && len(strings.Fields(text)) <= 3 && i > from && m.blank(i-1) &&
		m.isNameAt(start) && !m.isGreeting(text) && m.saysAbove(i)
}

// closedAbove reports whether a mail is closed right above row i, where a name stands.
func (m *mail) closedAbove(from, i int) bool {
	above := m.lastText(from, i) - 1
	if above < from {
		return false
	}
	if m.isName(trimName(m.say(i))) && above < i-1 {
		return true
	}
	kind, _ := m.closesAt(above)
	return kind != closesNothing && m.saysAbove(above) // thanks at the top are said
}

// named is the row of the sender's own name below what they say, -1 for none.
func (m *mail) named(from, to int) int {
	if len(m.names.known) == 0 {
		return -1
	}
	long := 0
	for i, rows := to-1, 0; i >= from && rows < longestSignature && long < 4; i-- {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		if isPostscript(text) || m.rows[i].marks&markItem != 0 || isItem(text) || m.rows[i].depth > m.rows[to-1].depth {
			return -1
		}
		if m.isNameAt(i) || rows == 0 && m.isSigned(text, i > from && m.blank(i-1)) {
			if strings.HasSuffix(text, ",") && i+1 < to && m.open(i+1) && isProse(m.say(i+1)) {
				return -1 // it greets somebody of the same name
			}
			if !m.couldSign(i, to) || m.inList(from, i) || !m.saysAbove(i) {
				return -1
			}
			return m.firstName(from, i)
		}
		if m.isSentenceAt(i) || len(text) > 120 {
			long++
		}
		rows++
	}
	return -1
}

// isSigned reports whether the last row is the sender's initials, the first alone if
// it stands alone.
func (m *mail) isSigned(text string, alone bool) bool {
	letters := strings.Trim(text, " .,-")
	if letters == "" || len(letters) > 4 || !m.isInitials(letters) {
		return false
	}
	capitals := letters == strings.ToUpper(letters)
	return len(letters) >= 3 || capitals && !abbreviations[letters] && (len(letters) > 1 || alone)
}

// abbreviations are answers rather than initials.
var abbreviations = words(`OK|NO|YES|IT|HR|PM|AM|TV|PC|US|UK|EU|ME|SO|DO|GO|HI|AI|QA|PR|VS|ID|UP|ON|IN|TO`)

// firstName goes up from the sender's name to the name right above it.
func (m *mail) firstName(from, i int) int {
	above := m.lastText(from, i) - 1
	if above > from && m.isName(trimName(m.say(above))) && m.saysAbove(above) && !m.inList(from, above) {
		return above
	}
	return i
}

// inList reports whether row i is one of several short ones below a line that
// announces them, as names in an answer are.
func (m *mail) inList(from, i int) bool {
	above := m.lastText(from, i) - 1
	if above < i-1 {
		return above >= from && strings.HasSuffix(m.say(above), ":")
	}
	for ; above >= from && i-above < 10 && m.open(above); above-- {
		text := m.say(above)
		if strings.HasSuffix(text, ":") || above == i-1 && isCapitalized(trimName(text), 3) && !m.isName(trimName(text)) && !m.closesSomehow(above) && !strings.HasSuffix(text, ",") {
			return true
		}
		if m.isSentenceAt(above) || len(text) > 60 || endsSentence(text) || strings.HasSuffix(text, ",") {
			return false
		}
	}
	return false
}

// closesSomehow reports whether row i closes a mail.
func (m *mail) closesSomehow(i int) bool {
	kind, _ := m.closesAt(i)
	return kind != closesNothing
}

// introducedContact is the first row of a last paragraph that says who somebody is and
// how to reach them, where the sender's name is not known; -1 for none.
func (m *mail) introducedContact(from, to int) int {
	if to-from > 4000 && m.html {
		return -1
	}
	start, rows := to, 0
	for start > from && m.open(start-1) && rows <= longestSignature {
		start--
		rows++
	}
	if rows < 2 || rows > 10 || start == from {
		return -1
	}
	start = m.cardAbove(from, start, to)
	if m.rows[start].marks&markItem != 0 || !m.stranger() && !m.sender(start, to) {
		return -1
	}
	above := m.lastText(from, start)
	if above == from || isHeading(m.say(above-1)) || m.listed(start, to) || !m.couldSign(start, to) || !m.allShort(start, to) {
		return -1
	}
	short := m.shortens(above-1, start)
	if !short && !endsSentence(m.say(above-1)) && !m.closesSomehow(above-1) && (!m.isItemAt(above-1) || !m.isCard(start, to)) {
		return -1
	}
	first := m.say(start)
	head, _, piped := strings.Cut(first, "|")
	if !isCapitalized(trimName(head), 4) || isHeading(first) || !strings.Contains(strings.TrimSpace(head), " ") || m.isGreeting(first) {
		return -1
	}
	if !m.reachable(start, to) && (!piped || rows > 4) {
		return -1
	}
	if m.stranger() && strings.Contains(m.text[m.rows[from].start:m.rows[start].start], trimName(head)) {
		return -1 // it says how to reach somebody it speaks of
	}
	if short && m.saysAbove(above-1) {
		return above - 1
	}
	return start
}

// shortens reports whether row i is one word of the name that the card below begins with.
func (m *mail) shortens(i, card int) bool {
	name := trimName(m.say(i))
	if len(name) < 2 || len(name) > 20 || strings.Contains(name, " ") || !unicode.IsUpper(firstRune(name)) {
		return false
	}
	for word := range nameWords(m.say(card)) {
		if word == name {
			return true
		}
	}
	return false
}

// cardAbove goes up from a last paragraph that has nothing but ways to reach somebody, past
// others like it, to the one that begins with who that is.
func (m *mail) cardAbove(from, start, to int) int {
	first := start
	for range 3 {
		if !m.allReach(first, to) {
			return start
		}
		to = first
		end := m.lastText(from, first)
		for first = end; first > from && m.open(first-1) && end-first < 8; {
			first--
		}
		if first == end || first == from {
			return start
		}
		if head, _, piped := strings.Cut(m.say(first), "|"); piped && end-first <= 4 && isCapitalized(trimName(head), 4) {
			return first
		}
	}
	return start
}

// allReach reports whether all rows are ways to reach somebody: numbers, addresses, a logo.
func (m *mail) allReach(from, to int) bool {
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		placed := m.has(i, hasComma) && m.figuresAt(i) > 0 && len(text) <= 80
		if !m.contactRow(i) && !placed && !isImage(text) {
			return false
		}
	}
	return true
}

// isImage reports whether a line stands for a picture that plain text cannot show.
func isImage(text string) bool {
	return strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") && len(text) <= 120 && (hasFold(text, "[image:") || hasFold(text, "[cid:") || hasFold(text, "[logo")) ||
		strings.HasPrefix(text, "![") && strings.HasSuffix(text, ")")
}

// isCard reports whether most of some rows say how to reach somebody.
func (m *mail) isCard(from, to int) bool {
	rows, reached := 0, 0
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		rows++
		if text := m.say(i); m.contactRow(i) || strings.ContainsAny(text, "@") && !strings.Contains(text, " ") || indexFold(text, "www.") == 0 {
			reached++
		}
	}
	return reached >= 3 && 2*reached >= rows
}

// isItemAt reports whether row i is an item of a list.
func (m *mail) isItemAt(i int) bool {
	return m.rows[i].marks&markItem != 0 || isItem(m.say(i)) || isNumbered(m.say(i))
}

// isGreeting reports whether a line greets.
func (m *mail) isGreeting(text string) bool {
	word, _, _ := strings.Cut(strings.ToLower(text), " ")
	return greetings[strings.Trim(word, ",.!:")]
}

// listed reports whether rows are entries of a list: several people with a number or
// an address each, or values with labels that no contact has.
func (m *mail) listed(from, to int) bool {
	entries := 0
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		if isItem(text) {
			return true
		}
		if isField(text) {
			return true
		}
		if !strings.Contains(text, ":") && isPhone(text) && !isContact(text) && strings.Count(text, " ") > 1 && unicode.IsLetter(firstRune(text)) {
			entries++
		}
	}
	return entries > 1
}

// couldSign reports whether rows may be a signature: short ones, and few sentences, such
// as a slogan, next to what says who the sender is.
func (m *mail) couldSign(from, to int) bool {
	rows, sentences, items, small, prose, reached := 0, 0, 0, 0, 0, 0
	last, numbered := false, false // the last row is a sentence, there are figures
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		rows++
		text := m.say(i)
		numbered = numbered || m.rows[i].figures > 0 || m.has(i, hasAt)
		switch {
		case isPostscript(text), isHeading(text) && !isContact(text) && (strings.HasPrefix(text, "#") || rows > 1):
			return false
		case rows > 1 && m.blank(i-1) && isField(text) && !m.isNameAt(i):
			return false // "Attachments: invoice.pdf"
		case m.contactRow(i), m.isCompany(i):
			reached++
			last = false
			continue
		case m.rows[i].marks&markItem != 0, isNumbered(text):
			items++
		case len(text) > 160 || m.isSentenceAt(i):
			sentences++
			if rows == 1 || strings.HasSuffix(text, "?") {
				return false
			}
			last = true
			continue
		default:
			if unicode.IsLower(firstRune(text)) {
				small++
			}
			if isProse(text) {
				prose++
			}
		}
		last = false
	}
	if rows > longestSignature || items > 1 || small > 2 && small > reached || prose > 1 && prose > reached || rows > 5 && reached == 0 && !numbered {
		return false
	}
	// A slogan stands among what says how to reach somebody.
	return sentences == 0 || sentences <= 2 && rows >= 3*sentences && !last && (m.reachable(from, to) || m.sender(from, to) && rows > 3)
}

// contactMarks stand in rows that say how to reach somebody.
var contactMarks = struct{ behindLabel, between, around *charset }{
	behindLabel: charsetOf(":.0123456789@"), between: charsetOf("|•"), around: charsetOf("@0123456789."),
}

// contactRow reports whether a row says how to reach somebody, however long it is.
func (m *mail) contactRow(i int) bool {
	text := m.say(i)
	if len(text) > 200 {
		return false
	}
	return (m.rows[i].figures > 0 || m.has(i, hasFigure)) && isPhone(text) || isContact(text) && contactMarks.behindLabel.in(text) || m.has(i, hasBar|hasHigh) && contactMarks.between.in(text) && contactMarks.around.in(text)
}

// looksSigned reports whether a row may be of a signature.
func (m *mail) looksSigned(i int) bool {
	return len(m.say(i)) <= 120 && !m.isSentenceAt(i)
}

// allShort reports whether all rows may be of a signature.
func (m *mail) allShort(from, to int) bool {
	for i := from; i < to; i++ {
		if m.open(i) && !m.looksSigned(i) {
			return false
		}
	}
	return true
}

// contact reports whether rows say how to reach somebody: the sender's name, an
// address, a telephone number.
func (m *mail) contact(from, to int) bool {
	return m.sender(from, to) || m.reachable(from, to)
}

// reachable reports whether rows have an address or a telephone number.
func (m *mail) reachable(from, to int) bool {
	for i := from; i < to && i < from+40; i++ {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		if len(text) > 200 {
			continue
		}
		if isPhone(text) || strings.Contains(text, "@") && (!strings.Contains(text, " ") || isContact(text) || strings.ContainsAny(text, "|<•📧✉")) || indexFold(text, "www.") >= 0 || indexFold(text, "http") >= 0 && len(strings.Fields(text)) <= 4 {
			return true
		}
	}
	return false
}

// sender reports whether rows name the sender, by name or address.
func (m *mail) sender(from, to int) bool {
	address, at := m.address, strings.Contains(m.address, "@")
	for i := from; i < to; i++ {
		if !m.open(i) {
			continue
		}
		text := m.say(i)
		if m.isNameAt(i) || address != "" && len(text) < 200 && (!at || m.has(i, hasAt)) && indexFold(text, address) >= 0 {
			return true
		}
	}
	return false
}
