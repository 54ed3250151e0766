package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// prefixed takes rows behind ">", or in a blockquote, for quotations.
func (m *mail) prefixed() {
	n := len(m.rows)
	m.ownMarks()
	for i := range m.lastMarked + 1 {
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
	if m.html || m.lastMarked < 0 {
		return
	}
	// A line that the sender's program broke leaves its last words without a mark.
	seen := m.breaksOften()
	for i := 1; i < n; i++ {
		above, r := &m.rows[i-1], &m.rows[i]
		if i > m.lastMarked && above.class != quoted {
			break
		}
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
		if r.has&(beginsOddly|hasGreater) == 0 || r.empty || r.depth > 0 || !mayMarkOwn[m.text[r.start]] {
			continue // it begins with no mark, and with no name before ">"
		}
		line := m.line(i)
		next := m.line(i + 1)
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
			m.lastMarked = max(m.lastMarked, i)
			r.depth, r.body = 1, r.end-int32(len(m.line(i))-len(mark))
			r.from = min(max(r.from, r.body), r.to)
			r.from += int32(len(m.text[r.from:r.to]) - len(strings.TrimLeft(m.text[r.from:r.to], " ")))
			r.empty, m.gap = r.from == r.to, gap{}
			edges := r.has&(isFramed|endsOpen) | beginsAnyhow | beginsOddly // as if the mark were said
			if !r.empty && mayEndAttribution(m.say(i)) {
				edges |= endsSaid
			}
			r.count(m.say(i))
			r.has |= edges
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
			return !m.mute(above) && len(text) <= longestAttribution && isAttribution(text, m.figuresAt(above), true)
		}
	}
	return false
}

// nameMark is a name and ">" at the beginning of a line.
func nameMark(line string) string {
	if line == "" || line[0] < 'A' || line[0] > 'Z' || strings.IndexByte(line[:min(len(line), 17)], '>') < 0 {
		return ""
	}
	end, small := 1, false
	for end < len(line) && end < 16 && isLetter(line[end]) {
		small = small || line[end] >= 'a'
		end++
	}
	if end < 2 || !small || !strings.HasPrefix(line[end:], "> ") {
		return ""
	}
	return line[:end+1]
}

// ownMarks begin what somebody takes for a mark of quotation.
const ownMarks = "|:#}%]-"

// mayMarkOwn tells the bytes that rows begin with in which somebody's own marks may be:
// the marks, names and the blanks before them.
var mayMarkOwn = func() (t [256]bool) {
	for i := range len(ownMarks) {
		t[ownMarks[i]] = true
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = true
	}
	t[' '], t["»"[0]], t["›"[0]] = true, true, true
	return t
}()

// ownMark is what a line begins with that is neither a word nor the mark of a list.
func ownMark(line string) string {
	n := 0
	if line == "" || !strings.Contains(ownMarks, line[:1]) && !strings.HasPrefix(line, "»") && !strings.HasPrefix(line, "›") {
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

// breaksOften reports whether the sender's program broke several quoted lines: nobody
// answers twice in the middle of a sentence.
func (m *mail) breaksOften() bool {
	count := 0
	for i := 1; i < m.lastMarked && count < 2; i++ {
		above, r := &m.rows[i-1], &m.rows[i]
		if r.depth > 0 || r.empty || above.depth == 0 || above.empty || m.rows[i+1].depth == 0 || r.end-r.start >= above.end-above.start {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(m.say(i)); unicode.IsLower(first) && m.goesOn(i, true, true) {
			count++
		}
	}
	return count > 1
}

// goesOn reports whether an unmarked row below a marked one is its last words. Where
// no marked row follows it, more is asked: the same happened further up.
func (m *mail) goesOn(i int, below, seen bool) bool {
	above, r := &m.rows[i-1], &m.rows[i]
	if above.depth == 0 && !below {
		return false // the last words of last words
	}
	width, size := above.end-above.start, r.end-r.start
	last := m.text[above.end-1]
	if width < 60 || size >= 40 && (size >= width || !seen && last != ',') || !below && (!seen || size >= 40) {
		return false
	}
	text := m.say(i)
	first, _ := utf8.DecodeRuneInString(text)
	if last == '.' && seen && below && m.blank(i+1) && unicode.IsLower(first) {
		return strings.HasSuffix(text, ".") // a sentence that the break left alone, at the end of its paragraph
	}
	return !strings.ContainsRune(".?!:;", rune(last)) &&
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
