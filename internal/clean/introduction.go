package clean

import (
	"strings"
	"unicode/utf8"
)

// marksFollow reports whether marked rows follow row i and no more than so many rows as
// say who wrote.
func (m *mail) marksFollow(i int) bool {
	for next, rows := i+1, 0; next <= m.lastMarked && rows <= longestAttributionRows; next++ {
		if m.rows[next].depth > 0 {
			return true
		}
		if !m.blank(next) {
			rows++
		}
	}
	return false
}

// joining is what is known of rows that are one line to who reads them.
type joining struct {
	size, figures, blanks int
	last                  byte
}

// add adds a row to the line.
func (j *joining) add(text string, figures int) {
	if j.size > 0 {
		j.size++
		j.blanks++
	}
	j.size += len(text)
	j.figures += figures
	j.blanks += strings.Count(text, " ")
	j.last = text[len(text)-1]
}

// isEnded reports whether the line ends as a sentence does, rather than with a shortened word.
func (j *joining) isEnded() bool {
	return (j.last == '.' || j.last == '?' || j.last == '!') && j.blanks >= 3
}

// inOneLine is what rows say that are not empty, in one line.
func (m *mail) inOneLine(from, to int) string {
	if to == from+1 {
		return m.say(from)
	}
	b := m.lower[:0]
	for i := from; i < to; i++ {
		if text := m.say(i); text != "" {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = append(b, text...)
		}
	}
	m.lower = b
	return string(b)
}

// figuresAt is figures of row i.
func (m *mail) figuresAt(i int) int {
	if r := &m.rows[i]; r.has&hasFigure == 0 && r.figures < mostCounted {
		return int(r.figures)
	}
	return figures(m.say(i))
}

// datedWithin is a quick look: do some rows name an address, or a date of two figures or more?
func (m *mail) datedWithin(from, to int) bool {
	numbers := 0
	for i := from; i <= to; i++ {
		r := &m.rows[i]
		if r.has&(hasAt|hasFigure) != 0 {
			return true
		}
		numbers += int(r.figures)
	}
	return numbers >= 2
}

// standsAboveMarks reports whether a row that is marked more deeply follows the one before
// row i, with no more than two blank ones between.
func (m *mail) standsAboveMarks(i int, depth int32) bool {
	for next := i; next <= m.lastMarked && next <= i+2; next++ {
		if !m.blank(next) {
			return m.rows[next].depth > depth
		}
	}
	return false
}

// lastOfIntroduction is a quick look: the last row that may end what says who wrote what
// follows, if row i begins it; -1 for none.
func (m *mail) lastOfIntroduction(i int) int {
	last := -1
	depth := m.rows[i].depth
	for n := i; n < len(m.rows) && n < i+longestAttributionRows; n++ {
		r := &m.rows[n]
		if r.from < r.to && r.depth != depth {
			break
		}
		if r.has&endsSaid != 0 || m.standsAboveMarks(n+1, depth) {
			last = n
		}
	}
	return last
}

// wroteEnds has the last three bytes of the verbs.
var wroteEnds = func() (b keys) {
	for word := range wrote {
		word = " " + word // the shortest has two
		b.add(word[len(word)-3:])
	}
	return b
}()

// mayEndAttribution is a quick look: does a line end with a colon, with a verb, or with what
// stands behind these?
func mayEndAttribution(text string) bool {
	n := len(text)
	last := text[n-1]
	if n < 3 || lasts[last]&endsSaid != 0 {
		return true
	}
	return mayBeWrote(text) && isWrote(lastWord(text))
}

// mayBeWrote is a quick look: does a text end as the verbs do? What is not ASCII is read with
// care.
func mayBeWrote(text string) bool {
	if len(text) < 3 {
		return true
	}
	text = text[len(text)-3:]
	return text[0]|text[1]|text[2] >= utf8.RuneSelf || wroteEnds.has(lower(text[0]), lower(text[1]), lower(text[2]))
}

// longestVerb is no shorter than a verb is before its letters are put in lower case.
var longestVerb = func() (size int) {
	for word := range wrote {
		size = max(size, utf8.UTFMax*len(word))
	}
	return size
}()

// isWrote reports whether a word is a verb that such lines end with, in any case.
func isWrote(word string) bool {
	if len(word) > longestVerb || !mayBeWrote(word) {
		return false
	}
	var low [64]byte
	return wrote[string(appendLower(low[:0], word))]
}

// mayIntroduce is a quick look: does one of some rows end as such lines do, or stand above marked ones?
func (m *mail) mayIntroduce(i, rows int) bool {
	for n := i; n < len(m.rows) && n < i+rows; n++ {
		if m.rows[n].empty && !m.setApart(n+1) {
			return false
		}
		if m.has(n, endsOpen) {
			return true
		}
		for next := n + 1; next <= m.lastMarked && next <= n+3; next++ {
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
