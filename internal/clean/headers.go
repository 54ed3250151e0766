package clean

import (
	"math/bits"
	"strings"
)

// isForwarding reports whether the subject says that a mail is passed on, or many are.
func (m *mail) isForwarding() bool {
	if indexFold(m.Subject, "digest") >= 0 && !hasFold(m.Subject, "re:") {
		return true
	}
	prefix, _, ok := strings.Cut(m.Subject, ":")
	return ok && forwards[strings.ToLower(strings.TrimSpace(prefix))]
}

// framing is what lines are drawn around with.
const framing = "-‐‑‒–—―─━_=*~+#<>•· \t"

var framingSet = charsetOf(framing)

// between is what stands between dashes, underscores or the like in a line, and
// whether there are any.
func between(text string) (string, bool) {
	if len(text) > 150 {
		return "", false
	}
	inner := framingSet.trim(text)
	return strings.TrimRight(inner, ": "), len(text)-len(inner) >= 4
}

// processed begins the line that Tobit David writes above a mail that is answered.
const processed = "original message processed by "

// mayBeProcessed is a quick look: does a line begin as that one does?
func mayBeProcessed(text string) bool { return text[0] == '[' || lower(text[0]) == processed[0] }

func isOriginal(text string) bool {
	if mayBeProcessed(text) && hasFold(strings.TrimLeft(text, "["), processed) {
		return true
	}
	if isLetter(text[0]) {
		return false
	}
	if isGluedOriginal(text) {
		return true
	}
	inner, dashed := between(text)
	if !dashed || inner == "" {
		return false
	}
	var room [256]byte
	low := appendLower(room[:0], inner)
	if len(low) > 80 {
		return false
	}
	if string(low) == "original" {
		return len(text) >= len(low)+16 // QQ's
	}
	return originalStarts.begin(low)
}

var originalStarts = phrasesOf(original)

// isGluedOriginal reports whether a line is that with the first header right behind it, as
// telephones write it into plain text: "-------- Original message --------From: Ann".
func isGluedOriginal(text string) bool {
	if !strings.HasPrefix(text, "----") {
		return false
	}
	title, rest, ok := strings.Cut(strings.TrimLeft(text, "- "), "---")
	if !ok || len(title) > 60 || !originals[strings.ToLower(strings.TrimSpace(title))] {
		return false
	}
	l, _ := labelOf(strings.TrimLeft(rest, "- "))
	return l != 0
}

// isTitled reports whether a row is the same without dashes, right above headers.
func (m *mail) isTitled(i int, text string) bool {
	if len(text) > 60 || !strings.HasSuffix(text, ":") {
		return false
	}
	var low [64]byte
	if !originals[string(appendLower(low[:0], strings.Trim(text, "*_: ")))] {
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
	var room [256]byte
	low := appendLower(room[:0], inner)
	if !dashed {
		return forwardedWhole[string(low)]
	}
	return forwardedStarts.begin(low)
}

// forwardedStarts and forwardedWhole are the same, to be found at once.
var (
	forwardedStarts = phrasesOf(forwarded)
	forwardedWhole  = setOf(forwarded)
)

// wideColon is the colon of Chinese and Japanese.
const wideColon = "："

// What stands before a label, and around it and its value.
var (
	aroundLabels = charsetOf("*_|•> \t\u00a0\u200e\u200f")
	emphasis     = charsetOf("*_ \t\u00a0")
)

// labelOf is the label that a line begins with, and what follows it.
func labelOf(text string) (label, string) {
	if text != "" && !isLetter(text[0]) {
		text = aroundLabels.trimLeft(text)
	}
	if !mayLabel(text) {
		return 0, ""
	}
	colon, width := labelEnd(text)
	if colon <= 0 {
		return 0, ""
	}
	var low [longestLabel]byte
	if l := labels[string(appendLower(low[:0], emphasis.trim(text[:colon])))]; l != 0 {
		return l, emphasis.trim(text[colon+width:])
	}
	return 0, ""
}

// labelStarts has the pairs of letters that labels begin with.
var labelStarts = func() (s starts) {
	for word := range labels {
		s.add(word)
	}
	return s
}()

// mayLabel is a quick look: does a line begin as a label does?
func mayLabel(text string) bool { return labelStarts.mayBegin(text) }

// longestLabel bounds the label that a line begins with, in bytes.
const longestLabel = 48

// labelEnd is where the colon behind a label is, -1 for nowhere, and how wide it is.
func labelEnd(text string) (at, width int) {
	at = strings.IndexByte(text[:min(len(text), longestLabel+1)], ':')
	before := min(len(text), longestLabel+len(wideColon))
	if at >= 0 {
		before = at
	}
	if !hasHighByte(text[:before]) {
		return at, 1
	}
	if n := strings.Index(text[:before], wideColon); n >= 0 {
		return n, len(wideColon)
	}
	return at, 1
}

// headers is the row behind a block of headers that begins at row i, 0 for none.
func (m *mail) headers(i int) int {
	if !m.has(i, beginsLabel) || !m.has(i, hasColon|hasHigh) || !m.spells(i) {
		return 0
	}
	first, value := labelOf(m.say(i))
	if first == 0 || first == labelOther || m.copied(i) {
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
	if !address && !ruled && isCapital(m.say(i)) {
		return 0 // the heading of a memo
	}
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

// isCapital reports whether the label that a line begins with is written in capitals.
func isCapital(text string) bool {
	n := 0
	for n < len(text) && text[n] >= 'A' && text[n] <= 'Z' {
		n++
	}
	return n > 1 && (n == len(text) || !isLetter(text[n]))
}

// copied reports whether a header that no program quotes is among those above row i:
// somebody copied them to show them.
func (m *mail) copied(i int) bool {
	for above := i - 1; above >= 0 && above > i-10; above-- {
		text := m.say(above)
		if l, _ := labelOf(text); l == 0 && !isEnvelope(text) {
			return false
		}
		if isEnvelope(text) {
			return true
		}
	}
	return false
}

// isEnvelope reports whether a line is a header of how a mail came.
func isEnvelope(text string) bool {
	return hasFold(text, "message-id:") || hasFold(text, "received:") || hasFold(text, "return-path:") || hasFold(text, "delivered-to:")
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
	if !m.has(i, beginsLabel) || !m.spells(i) {
		return 0, 0
	}
	text := m.say(i)
	if len(text) > 20 && (!m.has(i, hasColon|hasTab) || !strings.ContainsAny(text[:20], ":\t")) {
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
	var low [longestLabel]byte
	return labels[string(appendLower(low[:0], text))]
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

var drawingSet = charsetOf(drawing)

// isRule reports whether a line is drawn rather than written.
func isRule(text string) bool {
	return len(text) >= 5 && !isLetter(text[0]) && drawingSet.trimLeft(text) == ""
}
