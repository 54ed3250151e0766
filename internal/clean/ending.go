package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a signature, in rows that are not blank.
const (
	longestSignature = 14 // found by its look
	longestMarked    = 25 // behind "-- "
)

// endings sets apart what stands below, and above, what the sender says: footers
// and disclaimers, then signatures. Each stretch of the sender's own is looked at
// by itself, for one may answer below a quotation too.
func (m *mail) endings() {
	for from := 0; from < len(m.rows); {
		if m.rows[from].class != own || m.rows[from].fixed {
			from++
			continue
		}
		to := from
		for to < len(m.rows) && (m.rows[to].class == own || m.rows[to].class == token) && !m.rows[to].fixed {
			to++
		}
		m.ending(from, to)
		m.before = m.before || m.words(from, to)
		from = to
	}
	m.banner()
	m.nothingLeft()
}

// ending looks at one stretch.
func (m *mail) ending(from, to int) {
	end := m.footer(from, to)
	end = m.disclaimer(from, end)
	m.signature(from, end)
}

// lastText is behind the last row before to that is not blank.
func (m *mail) lastText(from, to int) int {
	for to > from && (m.blank(to-1) || m.rows[to-1].class != own) {
		to--
	}
	return to
}

// footer sets apart what a mailing list adds: behind a drawn line, the name of the
// list and how to leave it.
func (m *mail) footer(from, to int) int {
	for range 4 {
		to = m.lastText(from, to)
		start := -1
		for i, rows := to-1, 0; i >= from && rows < 14; i-- {
			if m.blank(i) {
				continue
			}
			rows++
			if text := m.say(i); isRule(text) && len(text) >= 8 || text == "--" || text == "---" || strings.Contains(text, "Yahoo! Groups Sponsor") {
				if m.listWords(i+1, to) {
					start = i
					break
				}
				if text != "--" && i+1 < to {
					break
				}
			}
		}
		if start < 0 {
			return to
		}
		m.set(start, to, disclaimed, "list footer")
		to = start
	}
	return to
}

// listWords reports whether rows are what mailing lists write.
func (m *mail) listWords(from, to int) bool {
	for i := from; i < to; i++ {
		text := m.say(i)
		if len(text) > 300 {
			continue
		}
		lower := strings.ToLower(text)
		for _, s := range []string{"mailing list", "unsubscribe", "mailman/listinfo", "is sponsored by", "yahoo! groups", "list archive", "you have received this message because", "to post to this group", "irish linux users", "maintainer: list"} {
			if strings.Contains(lower, s) {
				return true
			}
		}
	}
	return false
}

// disclaimer sets apart the paragraphs at the end that only lawyers write.
func (m *mail) disclaimer(from, to int) int {
	end := to
	for {
		end = m.lastText(from, end)
		start := end
		for start > from && !m.blank(start-1) && end-start < 40 {
			start--
		}
		if start == end {
			return end
		}
		// A heading or a drawn line above it is a part of it. So may be a signature
		// right above it, which is looked at on its own.
		first := m.legalFrom(start, end)
		if first < 0 {
			return end
		}
		if first == from && !m.before {
			return end // it is all there is: somebody writes about it
		}
		for first > from && !m.blank(first-1) && isRule(m.say(first-1)) {
			first--
		}
		m.set(first, end, disclaimed, "disclaimer")
		end = first
	}
}

// legalFrom is the row of a paragraph from which on it is a disclaimer, -1 for none.
func (m *mail) legalFrom(from, to int) int {
	size := 0
	for i := from; i < to; i++ {
		size += m.rows[i].end - m.rows[i].body
	}
	if size < 40 || size > 6000 {
		return -1
	}
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(strings.ToLower(m.say(i)))
		b.WriteByte(' ')
	}
	text := b.String()
	first, hits := len(text), 0
	for _, s := range footers {
		if at := strings.Index(text, s); at >= 0 {
			first, hits = min(first, at), hits+2
		}
	}
	found := 0
	for _, s := range legal {
		if size < 80 {
			break // too short for two of them
		}
		if at := strings.Index(text, s); at >= 0 {
			found++
			first = min(first, at)
		}
	}
	if found >= 3 || found >= 2 && size > 150 {
		hits += 2
	}
	if hits < 2 {
		return -1
	}
	// The row in which it begins; what is above it in the paragraph may be a name.
	at := 0
	for i := from; i < to; i++ {
		if n := len(strings.ToLower(m.say(i))) + 1; at+n > first {
			for i > from && !m.looksSigned(i-1) && m.words(i-1, i) && i-from < 4 {
				i--
			}
			return i
		} else {
			at += n
		}
	}
	return from
}

// banner sets apart the warning that stands above mails from outside.
func (m *mail) banner() {
	i := m.nextText(0)
	if i == len(m.rows) || m.rows[i].class != own || m.rows[i].fixed {
		return
	}
	end := i
	for end < len(m.rows) && !m.blank(end) && end-i < 6 && m.rows[end].class == own {
		end++
	}
	for j := i; j < end; j++ {
		if text := m.say(j); len(text) < 400 && anyIn(text, banners) {
			last := j + 1
			for last < end && anyIn(m.say(last), banners) {
				last++
			}
			if m.words(last, len(m.rows)) {
				m.set(i, last, disclaimed, "banner")
			}
			return
		}
	}
}

// nothingLeft gives back what was set apart by its look where nothing else is left.
func (m *mail) nothingLeft() {
	if m.words(0, len(m.rows)) {
		return
	}
	for i := range m.rows {
		if r := &m.rows[i]; r.class == signed && r.rule != "device" || r.class == disclaimed {
			r.class, r.rule = own, ""
		}
	}
}

// signature sets the signature of a stretch apart. A postscript or a slogan below it
// stays: it is said.
func (m *mail) signature(from, to int) {
	to = m.lastText(from, to)
	to = m.device(from, to)
	start, rule := m.findSignature(from, to)
	if rule == "" {
		last := to
		for last > from && !m.blank(last-1) {
			last--
		}
		to = m.lastText(from, last)
		if start, rule = m.findSignature(from, to); rule == "delimiter" || rule != "" && !m.sender(start, to) {
			return
		}
	}
	if rule != "" && (m.before || m.words(from, start)) {
		m.set(start, to, signed, rule)
	}
}

// device sets apart the line that a phone adds.
func (m *mail) device(from, to int) int {
	for i, rows := to-1, 0; i >= from && rows < 3; i-- {
		if m.blank(i) {
			continue
		}
		rows++
		if text := strings.TrimLeft(m.say(i), "-–—_* "); isDevice(text) {
			m.set(i, to, signed, "device")
			return m.lastText(from, i)
		}
	}
	return to
}

func isDevice(text string) bool {
	if len(text) > 120 || utf8.RuneCountInString(text) > 80 {
		return false
	}
	lower := strings.ToLower(text)
	for _, s := range devices {
		if rest, ok := strings.CutPrefix(lower, s); ok {
			rest, _, _ = strings.Cut(rest, "<")
			return len(strings.Fields(rest)) <= 7 && !strings.ContainsAny(rest, "?,;")
		}
	}
	for _, s := range []string{"'dan gönderildi", "'den gönderildi", "mdan gönderildi", "mden gönderildi", "から送信", "에서 보냄", "aracılığıyla gönderildi"} {
		if strings.HasSuffix(strings.TrimRight(lower, "."), s) {
			return true
		}
	}
	return false
}

// findSignature is the row from which on a stretch is a signature, and the rule
// that says so. The surest rule comes first.
func (m *mail) findSignature(from, to int) (start int, rule string) {
	if start := m.marked(from, to); start >= 0 {
		return start, "mail program"
	}
	if start := m.delimited(from, to); start >= 0 {
		return m.withClosing(from, start, to), "delimiter"
	}
	if start := m.closed(from, to); start >= 0 {
		return start, "closing"
	}
	if start := m.named(from, to); start >= 0 {
		return start, "name"
	}
	return to, ""
}

// marked is where a mail program says that the signature begins, if nothing else
// comes behind it, -1 if not.
func (m *mail) marked(from, to int) int {
	start := to
	for start > from && (m.rows[start-1].marks&markSignature != 0 || m.blank(start-1)) {
		start--
	}
	for start < to && m.blank(start) {
		start++
	}
	if start == to {
		return -1
	}
	return start
}

// delimited is the row of "-- ", or of a drawn line above a contact, -1 for none.
func (m *mail) delimited(from, to int) int {
	for i, rows := to-1, 0; i >= from && rows < longestMarked; i-- {
		if m.blank(i) {
			continue
		}
		text := m.say(i)
		if !m.html && m.rows[i].from > m.rows[i].body {
			rows++ // what is indented is a comment in a program, or a quotation's author
			continue
		}
		switch {
		case text == "--" || text == "—" || text == "–" || text == "- -" || text == "–-":
			if text == "--" || m.allShort(i+1, to) {
				if i+1 < to && rows > 0 && !m.looksLikeText(i+1, to) {
					return i
				}
			}
		case isRule(text) || text == "---" || text == "___" || text == "***" || text == "....":
			if rows > 0 && rows <= longestSignature && m.allShort(i+1, to) && m.sender(i+1, to) {
				return i
			}
		case rows <= 1 && m.dashedName(text) && !m.itemAbove(from, i):
			return i
		case strings.HasPrefix(text, "-- ") && len(text) < 60 && rows <= 4 && m.allShort(i, to) && m.words(from, i):
			return i
		}
		rows++
	}
	return -1
}

// itemAbove reports whether the row above begins with a dash as well: a list.
func (m *mail) itemAbove(from, i int) bool {
	above := m.lastText(from, i)
	return above > from && strings.HasPrefix(m.say(above-1), m.say(i)[:1])
}

// looksLikeText reports whether rows are a text of several sentences and no signature.
func (m *mail) looksLikeText(from, to int) bool {
	sentences, rows := 0, 0
	for i := from; i < to; i++ {
		if m.blank(i) {
			continue
		}
		rows++
		if isSentence(m.say(i)) {
			sentences++
		}
	}
	return sentences > 4 && 2*sentences > rows && !m.contact(from, to)
}

// dashedName reports whether a line is a dash and a name: "- John", "—Ann Example".
func (m *mail) dashedName(text string) bool {
	name := strings.TrimLeft(text, "-–—~/ ")
	if len(name) == len(text) || strings.HasPrefix(text, "---") {
		return false
	}
	if m.isName(name) || m.isInitials(name) {
		return true
	}
	// Without a blank it is no item of a list.
	return !strings.HasPrefix(text, "- ") && !strings.HasPrefix(text, "-- ") && len(m.names) == 0 && isCapitalized(name, 3)
}

// closed is the row of "Kind regards" or the like, -1 for none. Only what may be a
// signature stands below it.
func (m *mail) closed(from, to int) int {
	best := -1
	long, sentences := 0, 0
	for i, rows := to-1, 0; i >= from && rows <= longestSignature; i-- {
		if m.blank(i) {
			continue
		}
		text := m.say(i)
		below := rows
		rows++
		if isPostscript(text) || m.rows[i].marks&markItem != 0 {
			return best
		}
		if kind, named := m.closing(text); kind != 0 {
			switch {
			case kind == 1 && long == 0, kind == 2 && (named || below > 0 && m.nameBelow(i+1, to)) && long == 0:
				best = i
				continue
			}
		}
		if isSentence(text) || len(text) > 120 {
			sentences++
			if sentences > 2 || !m.contact(i+1, to) {
				long++
			}
			if long > 0 && best < 0 && sentences > 3 {
				return best
			}
			if best >= 0 {
				return best
			}
		}
	}
	return best
}

// closing reports whether a line closes a mail: 1 for good, 2 if a name follows;
// and whether the name is in it.
func (m *mail) closing(text string) (kind int, named bool) {
	if len(text) > 100 {
		return 0, false
	}
	lower := strings.ToLower(trimClosing(text))
	lower = strings.ReplaceAll(lower, "  ", " ")
	switch {
	case closings[lower]:
		return 1, false
	case thanks[lower]:
		return 2, false
	}
	for _, sep := range []string{",", "!", ".", " -", " –"} {
		left, right, ok := strings.Cut(lower, sep)
		if !ok {
			continue
		}
		left, right = trimClosing(left), trimClosing(right)
		if !closings[left] && !thanks[left] {
			continue
		}
		switch {
		case closings[right]:
			return 1, false
		case thanks[right]:
			return 2, false
		case m.isName(right), closings[left] && len(strings.Fields(right)) <= 3 && isCapitalized(trimClosing(text[len(text)-min(len(text), len(right)):]), 3):
			return 1, true
		}
	}
	// "Best regards Ann"
	if words := strings.Fields(lower); len(words) >= 2 && len(words) <= 7 {
		for n := len(words) - 1; n >= 1; n-- {
			if head := trimClosing(strings.Join(words[:n], " ")); (closings[head] || thanks[head]) && m.isName(strings.Join(words[n:], " ")) {
				return 1, true
			}
		}
	}
	return 0, false
}

func trimClosing(text string) string {
	return strings.Trim(text, " ,.;:!-–—*_~…。，、！\u00a0\u200e\u200f/")
}

// nameBelow reports whether the first row is a name.
func (m *mail) nameBelow(from, to int) bool {
	for i := from; i < to; i++ {
		if !m.blank(i) {
			text := trimClosing(m.say(i))
			return m.isName(text) || isCapitalized(text, 4)
		}
	}
	return false
}

// named is the row of the sender's own name below what they say, -1 for none.
func (m *mail) named(from, to int) int {
	if len(m.names) == 0 {
		return -1
	}
	best := -1
	for i, rows := to-1, 0; i >= from && rows < longestSignature; i-- {
		if m.blank(i) {
			continue
		}
		text := m.say(i)
		if isPostscript(text) || m.rows[i].marks&markItem != 0 || text[0] == '-' && m.itemAbove(from, i) {
			return best
		}
		if (isSentence(text) || len(text) > 120) && best < 0 && (rows >= 4 || !m.contact(i, i+1)) {
			return -1
		} else if best >= 0 && rows > 0 && !m.isName(trimClosing(text)) {
			// Only a name right above goes with it.
			if kind, _ := m.closing(text); kind != 0 {
				best = i
			}
			return best
		}
		if m.isName(trimClosing(text)) {
			if m.words(from, i) {
				best = i
			}
		} else if strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "* ") || strings.HasPrefix(text, "• ") {
			return -1
		}
		rows++
	}
	return best
}

// withClosing goes up to the words that close a mail, from the row of a signature.
func (m *mail) withClosing(from, start, to int) int {
	rows := 0
	for i := start - 1; i >= from && rows < 3; i-- {
		if m.blank(i) {
			continue
		}
		rows++
		text := m.say(i)
		if kind, named := m.closing(text); kind == 1 || kind == 2 && (named || rows > 1) {
			return i
		}
		if !m.isName(trimClosing(text)) {
			break
		}
		if rows == 1 {
			start = i
		}
	}
	return start
}

// isName reports whether a text is the sender's name or a part of it.
func (m *mail) isName(text string) bool {
	if text == "" || len(text) > 60 {
		return false
	}
	known, words := 0, 0
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' }) {
		words++
		switch {
		case m.knows(strings.ToLower(w)):
			known++
		case utf8.RuneCountInString(w) > 1:
			return false
		}
	}
	return known > 0 && words <= 5 && figures(text) == 0 && !strings.ContainsAny(text, "?@")
}

// knows reports whether a word is one of the sender's name, or short for one.
func (m *mail) knows(word string) bool {
	if m.names[word] {
		return true
	}
	if utf8.RuneCountInString(word) < 3 {
		return false
	}
	for name := range m.names {
		if strings.HasPrefix(name, word) {
			return true
		}
	}
	return false
}

// isInitials reports whether a text is the first letters of the sender's name.
func (m *mail) isInitials(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(strings.TrimRight(text, ". "), ".", ""))
	if text == "" || len(text) > 3 {
		return false
	}
	initials := ""
	for word := range strings.FieldsSeq(m.FromName) {
		first, _ := utf8.DecodeRuneInString(word)
		initials += strings.ToLower(string(first))
	}
	return initials != "" && strings.HasPrefix(initials, text)
}

// isCapitalized reports whether a text is up to max words that begin with capitals, as names do.
func isCapitalized(text string, max int) bool {
	n := 0
	for w := range strings.FieldsSeq(text) {
		first, _ := utf8.DecodeRuneInString(w)
		if !unicode.IsUpper(first) && !unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Hebrew, unicode.Arabic, unicode.Thai) {
			return false
		}
		if n++; n > max || strings.ContainsAny(w, "?!:;@0123456789") {
			return false
		}
	}
	return n > 0 && len(text) <= 60
}

// isSentence reports whether a line is written to be read, as no line of a signature is.
func isSentence(text string) bool {
	if len(text) > 500 {
		return true
	}
	words := len(strings.Fields(text))
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(text, " \"'”»)"))
	switch last {
	case '?':
		return words >= 2 || utf8.RuneCountInString(text) > 6
	case '.', '!', '…', '。', '！', '？':
		return words >= 5 || words == 1 && utf8.RuneCountInString(text) > 8 && last > 0x2000
	case ':':
		return words >= 3
	}
	return words >= 9 && !strings.ContainsAny(text, "|•@") && figures(text) < 3
}

func isPostscript(text string) bool {
	return hasFold(text, "p.s") || hasFold(text, "ps:") || hasFold(text, "ps.") || hasFold(text, "ps ") || hasFold(text, "pd:") || hasFold(text, "п.с") || hasFold(text, "p.d.") || strings.HasPrefix(text, "З.Ы")
}

// looksSigned reports whether a row may be of a signature.
func (m *mail) looksSigned(i int) bool {
	text := m.say(i)
	return len(text) <= 120 && !isSentence(text)
}

// allShort reports whether all rows may be of a signature.
func (m *mail) allShort(from, to int) bool {
	for i := from; i < to; i++ {
		if !m.blank(i) && !m.looksSigned(i) {
			return false
		}
	}
	return true
}

// contact reports whether rows say how to reach somebody: the sender's name, an
// address, a telephone number.
func (m *mail) contact(from, to int) bool {
	for i := from; i < to && i < from+40; i++ {
		text := m.say(i)
		if len(text) > 200 || text == "" {
			continue
		}
		lower := strings.ToLower(text)
		if m.isName(trimClosing(text)) || strings.Contains(lower, "www.") || strings.Contains(lower, "http") || m.FromAddress != "" && strings.Contains(lower, strings.ToLower(m.FromAddress)) {
			return true
		}
		if strings.Contains(text, "@") && !strings.Contains(text, " ") || isPhone(text) {
			return true
		}
	}
	return false
}

// sender reports whether rows name the sender, by name or address.
func (m *mail) sender(from, to int) bool {
	for i := from; i < to; i++ {
		text := m.say(i)
		if m.isName(trimClosing(text)) || m.FromAddress != "" && len(text) < 200 && indexFold(text, strings.ToLower(m.FromAddress)) >= 0 {
			return true
		}
		// A name before something else: "Ann Example, Head of Sales".
		if name, _, ok := strings.Cut(text, ","); ok && m.isName(name) {
			return true
		}
	}
	return false
}

// isPhone reports whether a line is a telephone number, with a word or two around it.
func isPhone(text string) bool {
	digits, letters := 0, 0
	for _, c := range text {
		switch {
		case unicode.IsDigit(c):
			digits++
		case unicode.IsLetter(c):
			letters++
		}
	}
	return digits >= 7 && digits <= 40 && letters <= 2*digits && strings.ContainsAny(text, "+-/() .")
}
