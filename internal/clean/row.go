package clean

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// row is a line of a mail, small because mails of tiny lines have millions. Where it is in
// the text is an int32, as no mail has two gigabytes.
type row struct {
	start, end int32 // in the text
	body       int32 // behind the marks of quotation
	from, to   int32 // what is said in it, without white space around it
	depth      int32
	has        traits // what is in it
	words      uint16 // what stands between blanks, of what is said; here and below no more than fits
	figures    uint16 // groups of digits
	names      uint8  // groups of letters and apostrophes
	looks      looks  // what was found out of its text so far
	marks      marks
	class      class
	rule       uint8 // that set it apart, of the mail's rules
	empty      bool  // nothing to see is in it
	turned     bool  // it has marks of direction
	fixed      bool  // nothing may set it apart any more: it is in a mail that is passed on
}

// traits are what is in a row, in its text without marks of quotation and the white space
// around it. They are noted in one pass, and each rule asks them first: most rows of most
// mails lack what it looks for. What is not ASCII is read with care wherever it matters, so
// it has every trait that it may have.
type traits uint32

// What a byte has, wherever it stands.
const (
	hasHigh    traits = 1 << iota // not ASCII
	hasFigure                     // not ASCII, and begins characters of which some are digits
	hasGeneral                    // begins general punctuation, marks of direction among it
	hasColon
	hasAt
	hasGreater
	hasLess
	hasQuestion
	hasExclamation
	hasBar
	hasParenthesis
	hasComma
	hasSlash
	hasDash
	hasTab
	hasApostrophe
	byteTraits = iota // how many there are
)

// What a row begins with, and ends with. A row that begins with neither a letter nor a digit may
// begin with marks that a rule takes off before it looks at the words, so it begins anyhow.
const (
	beginsLabel   traits = 1 << (byteTraits + iota) // as a label of headers
	beginsOn                                        // as the line above a quotation, without its date and address
	beginsClosing                                   // as what closes a mail
	beginsDevice                                    // as what a mail program adds
	beginsOddly                                     // with neither a letter nor a digit
	isFramed                                        // or ends as what is drawn around does, or with a colon
	endsOpen                                        // as the line above a quotation, or its verb, may
	endsSaid                                        // so, or with one of the verbs
	isGapped                                        // two blanks are side by side in it
	beginsAnyhow  = beginsLabel | beginsOn | beginsClosing | beginsDevice
)

// A byte's traits are above its counters, one each for what it may be in the middle of: a
// word, a group of digits, a name. A group begins where the byte before has not the bit.
// What the traits add up to is above the counters too, and nobody looks at it.
const (
	wordShift   = 0
	figureShift = 16
	nameShift   = 32
	traitShift  = 48
	// mostCounted is how much is counted at once, so that no counter runs into the next.
	mostCounted = math.MaxUint16
)

// bytesOf has the traits and the counters of each byte.
var bytesOf = func() (t [256]uint64) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] |= uint64(hasHigh) << traitShift
		case isDigit(byte(c)):
			t[c] |= 1 << figureShift
		case isLetter(byte(c)), c == '\'':
			t[c] |= 1 << nameShift
		}
		if c != ' ' && c != '\t' {
			t[c] |= 1 << wordShift
		}
	}
	for c, trait := range map[byte]traits{
		':': hasColon, '@': hasAt, '>': hasGreater, '<': hasLess, '?': hasQuestion, '!': hasExclamation, '|': hasBar, '(': hasParenthesis,
		',': hasComma, '/': hasSlash, '-': hasDash, '\t': hasTab, '\'': hasApostrophe, "\u2000"[0]: hasGeneral,
	} {
		t[c] |= uint64(trait) << traitShift
	}
	for _, r := range unicode.Nd.R16 {
		for c := rune(r.Lo); c <= rune(r.Hi); c++ {
			if c >= utf8.RuneSelf {
				t[string(c)[0]] |= uint64(hasFigure) << traitShift
			}
		}
	}
	for c := 0xF0; c < 0x100; c++ { // all of R32
		t[c] |= uint64(hasFigure) << traitShift
	}
	return t
}()

// count counts what is said in a row, and notes what it has.
func (r *row) count(said string) {
	var all, words, numbers, names, before uint64
	gap := false
	for len(said) > 0 {
		part := said[:min(len(said), mostCounted)]
		said = said[len(part):]
		sum, solid := uint64(0), ^uint64(0)
		for ; len(part) >= 4; part = part[4:] { // four at once, which is what takes a third less time
			a, b, c, d := bytesOf[part[0]], bytesOf[part[1]], bytesOf[part[2]], bytesOf[part[3]]
			all |= a | b | c | d
			solid &= (a | before) & (b | a) & (c | b) & (d | c)
			sum += a&^before + b&^a + c&^b + d&^c
			before = d
		}
		for i := range len(part) {
			c := bytesOf[part[i]]
			all |= c
			solid &= c | before
			sum += c &^ before
			before = c
		}
		gap = gap || solid&(1<<wordShift) == 0
		words, numbers, names = words+sum>>wordShift&mostCounted, numbers+sum>>figureShift&mostCounted, names+sum>>nameShift&mostCounted
	}
	r.has = traits(all >> traitShift)
	if gap {
		r.has |= isGapped
	}
	r.words, r.figures, r.names = uint16(min(words, mostCounted)), uint16(min(numbers, mostCounted)), uint8(min(names, math.MaxUint8))
}

// has reports whether row i has one of some traits.
func (m *mail) has(i int, some traits) bool { return m.rows[i].has&some != 0 }

// mute reports whether nothing is in row i that could be a word, a number or an address.
func (m *mail) mute(i int) bool {
	r := &m.rows[i]
	return r.words < 2 && r.names == 0 && r.figures == 0 && r.has&(hasHigh|hasAt) == 0
}

// spells reports whether letters are in row i, or what is no ASCII.
func (m *mail) spells(i int) bool {
	r := &m.rows[i]
	return r.names > 0 || r.has&hasHigh != 0
}

// add appends a row.
func (m *mail) add(start, end, body, depth int32, marks marks) {
	above := m.lastDepth()
	m.rows = append(m.rows, row{start: start, end: end, body: body, depth: depth, marks: marks})
	r := &m.rows[len(m.rows)-1]
	if m.measure(r, above); r.depth > 0 {
		m.lastMarked = len(m.rows) - 1
	}
}

// lastDepth is the depth of the last row, 0 where there is none.
func (m *mail) lastDepth() int32 {
	if len(m.rows) == 0 {
		return 0
	}
	return m.rows[len(m.rows)-1].depth
}

// mayMark tells the bytes that rows with marks of quotation begin with: the marks, the
// blanks and the initials before them.
var mayMark = func() (t [256]bool) {
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = true
	}
	t['>'], t[' '], t['&'], t[wideMark[0]] = true, true, true, true
	return t
}()

// endings tells the bytes that the line above a quotation may end with.
const endings = `:>*_"'-`

// firsts and lasts have the traits of a row for the byte that it begins and ends with.
// What is not ASCII may be any of it.
var firsts, lasts = func() (first, last [256]traits) {
	for c := range first {
		if !isLetter(byte(c)) && !isDigit(byte(c)) {
			first[c] |= beginsOddly | beginsAnyhow
		}
		if c >= utf8.RuneSelf {
			first[c] |= isFramed
			last[c] |= isFramed | endsOpen | endsSaid
		}
	}
	for i := range len(framing) {
		first[framing[i]] |= isFramed
		last[framing[i]] |= isFramed
	}
	first[':'] |= isFramed
	last[':'] |= isFramed
	for i := range len(endings) {
		last[endings[i]] |= endsOpen | endsSaid
	}
	return first, last
}()

// beginnings has what the words begin with that rows begin with: for the first three bytes
// of each its traits, from beginsLabel on.
var beginnings = func() (t [1 << 15]uint8) {
	add := func(word string, trait traits) {
		if word[0] >= utf8.RuneSelf || len(word) > 1 && word[1] >= utf8.RuneSelf || len(word) > 2 && word[2] >= utf8.RuneSelf {
			return // beginning says so of all of them
		}
		at := place[word[0]] << 10
		switch {
		case len(word) > 2:
			at |= place[word[1]]<<5 | place[word[2]]
		case len(word) == 2 && place[word[1]] > 0:
			at |= place[word[1]] << 5
		default: // a letter alone, and whatever follows
			for c := range uint16(32) {
				t[at|c] |= uint8(trait >> byteTraits)
			}
		}
		t[at] |= uint8(trait >> byteTraits)
	}
	for word := range labels {
		add(word, beginsLabel)
	}
	for word := range on {
		add(word, beginsOn)
	}
	add("missatge de ", beginsOn)
	for word := range closingStarts {
		add(word, beginsClosing)
	}
	for _, lists := range []map[rune][]string{devicePrefixes, deviceBeginnings} {
		for _, list := range lists {
			for _, words := range list {
				add(words, beginsDevice)
			}
		}
	}
	for line := range deviceLines {
		add(line, beginsDevice)
	}
	return t
}()

// beginning has the traits of a row that begins with a letter for its first three bytes.
func beginning(said string) traits {
	var b, c byte
	switch {
	case len(said) > 2:
		b, c = said[1], said[2]
	case len(said) > 1:
		b = said[1]
	}
	if b|c >= utf8.RuneSelf {
		return beginsAnyhow
	}
	return traits(beginnings[place[said[0]]<<10|place[b]<<5|place[c]]) << byteTraits
}

// edges has the traits of a row for what it begins and ends with.
func edges(said string) traits {
	first, last := said[0], said[len(said)-1]
	has := firsts[first] | lasts[last]
	if isLetter(first) {
		has |= beginning(said)
	}
	if last == 'e' && strings.HasSuffix(said, "wrote") {
		has |= endsOpen
	}
	if has&endsSaid == 0 && mayEndAttribution(said) {
		has |= endsSaid
	}
	return has
}

// beginsWord is a quick look: does a row begin with a capital letter, and a small one or a blank
// behind it? Initials before a mark are capitals.
func (m *mail) beginsWord(r *row) bool {
	if !isLetter(m.text[r.body]) || r.body+1 == r.end {
		return false
	}
	second := m.text[r.body+1]
	return second >= 'a' && second <= 'z' || second == ' '
}

// measure reads the marks of quotation in the text of a row, and what is said in it. It is told
// how deep the row above is.
func (m *mail) measure(r *row, above int32) {
	if r.body < r.end && mayMark[m.text[r.body]] && !m.beginsWord(r) {
		m.readMarks(r, above)
	}
	r.from, r.to = trimmed(m.text, r.body, r.end)
	r.empty, r.turned = true, false
	if r.from == r.to {
		r.has, r.words, r.figures, r.names = 0, 0, 0, 0
		return
	}
	said := m.text[r.from:r.to]
	r.count(said)
	ends := edges(said)
	r.empty = said[0] >= utf8.RuneSelf && strings.IndexFunc(said, func(c rune) bool { return !unicode.IsSpace(c) && !unseenRune(c) }) < 0
	if r.has&hasGeneral != 0 && strings.Contains(said, "\u200e"[:2]) && strings.ContainsFunc(said, isDirection) {
		r.turned = true
		r.count(m.sayRow(r))
		ends |= beginsAnyhow | beginsOddly | isFramed | endsSaid
	}
	r.has |= ends
}

// trimmed is a stretch of a text without white space around it; its beginning where
// there is nothing else.
func trimmed(text string, from, to int32) (start, end int32) {
	start, end = from, to
	for start < end && isBlankByte(text[start]) {
		start++
	}
	for start < end && isBlankByte(text[end-1]) {
		end--
	}
	if start == end {
		return from, from
	}
	if text[start] >= utf8.RuneSelf || text[end-1] >= utf8.RuneSelf { // they may be blanks
		said := strings.TrimSpace(text[from:to])
		if said == "" {
			return from, from
		}
		start = from + int32(strings.Index(text[from:to], said))
		end = start + int32(len(said))
	}
	return start, end
}

// isBlankByte reports whether a byte is white space by itself, as package unicode has it.
func isBlankByte(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// readMarks reads the marks of quotation that a row begins with.
func (m *mail) readMarks(r *row, above int32) {
	text := m.text
	at, depth := r.body, int32(0)
	if !m.html {
		at += int32(initials(text[at:r.end]))
	}
	for at < r.end {
		switch c := text[at]; {
		case c == '>':
			depth++
			r.body = at + 1
		case c == '&' && !m.html && strings.HasPrefix(text[at:r.end], "&gt;"): // text that was HTML
			depth++
			at += int32(len("&gt;")) - 1
			r.body = at + 1
		case c == wideMark[0] && strings.HasPrefix(text[at:r.end], wideMark):
			depth++
			at += int32(len(wideMark)) - 1
			r.body = at + 1
		case c == ' ' && at-r.body < 2:
		default:
			at = r.end
		}
		at++
	}
	if depth == 0 {
		return
	}
	if r.body < r.end && text[r.body] == ' ' {
		r.body++
	}
	if depth >= 3 && isNamed(text[r.start:r.end]) || depth == 1 && above == 0 && isTail(text[r.body:r.end]) {
		r.body, depth = r.start, 0
	}
	r.depth += depth
}
