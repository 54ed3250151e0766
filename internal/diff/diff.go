package diff

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says whose a stretch is.
type Kind int

// The kinds.
const (
	Both  Kind = iota // it stands in both texts
	Gone              // only in the text before
	Added             // only in the text after
)

// Part is a stretch of a text. Without what was added the parts are the text before, without what is
// gone the text after; what is gone stands in front of what was added in its place.
type Part struct {
	Kind Kind
	Text string
}

// Bounds of the work.
const (
	mostEdits = 400       // words that may differ in a stretch before it is cut at landmarks
	mostSteps = 3_000_000 // over all stretches
)

// Words compares two texts by their words, blanks and punctuation.
func Words(before, after string) []Part {
	if before == after {
		if after == "" {
			return nil
		}
		return []Part{{Both, after}}
	}
	c := comparing{numbers: map[string]int32{}, before: split(before), after: split(after), steps: mostSteps}
	a, b := c.numbered(c.before), c.numbered(c.after)
	c.gone, c.added = make([]bool, len(a)), make([]bool, len(b))
	c.compare(a, b, 0, 0)
	return c.parts()
}

// comparing is two texts being compared.
type comparing struct {
	numbers       map[string]int32 // equal words have equal numbers
	before, after []string
	gone, added   []bool // of each word
	steps         int    // that are left
}

func (c *comparing) numbered(words []string) []int32 {
	out := make([]int32, len(words))
	for i, w := range words {
		n, known := c.numbers[w]
		if !known {
			n = int32(len(c.numbers))
			c.numbers[w] = n
		}
		out[i] = n
	}
	return out
}

// compare marks what differs between a and b, which begin at the words of these numbers.
func (c *comparing) compare(a, b []int32, atA, atB int) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b, atA, atB = a[1:], b[1:], atA+1, atB+1
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 0 || len(b) == 0 || !c.shortest(a, b, atA, atB) && !c.landmarks(a, b, atA, atB) {
		mark(c.gone[atA : atA+len(a)])
		mark(c.added[atB : atB+len(b)])
	}
}

func mark(words []bool) {
	for i := range words {
		words[i] = true
	}
}

// shortest finds the fewest words to take away and to add (E. W. Myers, An O(ND) difference algorithm and
// its variations, 1986), unless they are too many.
func (c *comparing) shortest(a, b []int32, atA, atB int) bool {
	most := min(mostEdits, len(a)+len(b))
	reach := make([]int32, 2*most+3) // how far one comes on each diagonal
	at := func(k int) int { return k + most + 1 }
	var trace [][]int32 // of each round, the diagonals it could have come from
	for d := 0; d <= most; d++ {
		trace = append(trace, slices.Clone(reach[at(-d-1):at(d+1)+1]))
		for k := -d; k <= d; k += 2 {
			var x int
			if k == -d || k != d && reach[at(k-1)] < reach[at(k+1)] {
				x = int(reach[at(k+1)])
			} else {
				x = int(reach[at(k-1)]) + 1
			}
			y := x - k
			if x > len(a) || y > len(b) { // off the edge: no way leads on
				reach[at(k)] = int32(x)
				continue
			}
			from := x
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			reach[at(k)] = int32(x)
			c.steps -= x - from + 1
			if x >= len(a) && y >= len(b) {
				c.walkBack(trace, d, k, atA, atB)
				return true
			}
		}
		if c.steps < 0 {
			return false
		}
	}
	return false
}

// walkBack marks the words of a way that was found, from its end.
func (c *comparing) walkBack(trace [][]int32, d, k, atA, atB int) {
	for ; d > 0; d-- {
		reach := trace[d] // its middle is diagonal 0
		at := func(k int) int32 { return reach[k+d+1] }
		if k == -d || k != d && at(k-1) < at(k+1) {
			k++
			x := int(at(k))
			c.added[atB+x-k] = true
		} else {
			k--
			c.gone[atA+int(at(k))] = true
		}
	}
}

// landmarks compares what lies between words that stand once in either text, in the same order. It
// reports false when there are none.
func (c *comparing) landmarks(a, b []int32, atA, atB int) bool {
	if c.steps -= len(a) + len(b); c.steps < 0 {
		return false
	}
	type seen struct{ inA, inB, countA, countB int }
	words := make(map[int32]*seen, len(a))
	for i, n := range a {
		s := words[n]
		if s == nil {
			s = &seen{}
			words[n] = s
		}
		s.inA, s.countA = i, s.countA+1
	}
	for i, n := range b {
		if s := words[n]; s != nil {
			s.inB, s.countB = i, s.countB+1
		}
	}
	type pair struct{ a, b int }
	var pairs []pair // in the order of a
	for i, n := range a {
		if s := words[n]; s.countA == 1 && s.countB == 1 {
			pairs = append(pairs, pair{i, s.inB})
		}
	}
	// The longest row of them whose places rise in b, too: the ends of the best rows of each length.
	var ends []int
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(ends, p.b, func(end, b int) int { return pairs[end].b - b })
		if before[i] = -1; n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	if len(ends) == 0 {
		return false
	}
	var row []pair
	for i := ends[len(ends)-1]; i >= 0; i = before[i] {
		row = append(row, pairs[i])
	}
	slices.Reverse(row)
	fromA, fromB := 0, 0
	for _, p := range append(row, pair{len(a), len(b)}) {
		c.compare(a[fromA:p.a], b[fromB:p.b], atA+fromA, atB+fromB)
		fromA, fromB = p.a+1, p.b+1
	}
	return true
}

// parts joins words into stretches. What two changes have between them is part of the change when it
// says nothing: blanks and punctuation.
func (c *comparing) parts() []Part {
	var out []Part
	var gone, added, between strings.Builder
	flush := func() {
		for _, p := range []Part{{Gone, gone.String()}, {Added, added.String()}} {
			if p.Text != "" {
				out = append(out, p)
			}
		}
		if between.Len() > 0 {
			out = append(out, Part{Both, between.String()})
		}
		gone.Reset()
		added.Reset()
		between.Reset()
	}
	changed, says := false, false // of what was collected
	i, j := 0, 0
	for i < len(c.before) || j < len(c.after) {
		switch {
		case i < len(c.before) && c.gone[i], j < len(c.after) && c.added[j]:
			if between.Len() > 0 && (says || !changed) {
				flush()
			} else {
				gone.WriteString(between.String())
				added.WriteString(between.String())
				between.Reset()
			}
			changed, says = true, false
			if i < len(c.before) && c.gone[i] {
				gone.WriteString(c.before[i])
				i++
			} else {
				added.WriteString(c.after[j])
				j++
			}
		default:
			between.WriteString(c.before[i])
			says = says || isWord(c.before[i]) || strings.Contains(c.before[i], "\n")
			i, j = i+1, j+1
		}
	}
	flush()
	return out
}

func isWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return wordy(r)
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// longestWord bounds a word: what is longer is compared in pieces.
const longestWord = 64

// split cuts a text into words, runs of blanks, line breaks and single other characters. Languages that
// write without blanks are cut into characters.
func split(text string) []string {
	words := make([]string, 0, len(text)/4+1)
	begin, kind := 0, 0
	for at, r := range text {
		k := 0 // stands alone
		switch {
		case r == '\n':
		case unicode.IsSpace(r):
			k = 1
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		case wordy(r):
			k = 2
		}
		if at > 0 && (k == 0 || k != kind || at-begin >= longestWord) {
			words = append(words, text[begin:at])
			begin = at
		}
		kind = k
	}
	if begin < len(text) {
		words = append(words, text[begin:])
	}
	return words
}
