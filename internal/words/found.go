package words

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Place is a stretch of a text: bytes from Start to before End.
type Place struct{ Start, End int }

// Found lists where the words that a query wants stand in a text, in order; none reaches into another.
// It is for people, who want to see why a text was found: a character that becomes several words when it
// is folded may be left out.
func (q Query) Found(text string) []Place {
	var wanted [][]string
	for _, branch := range q.branches {
		for _, t := range branch {
			if !t.not {
				wanted = append(wanted, t.words)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	first := map[string][][]string{} // terms by their first word
	for _, words := range wanted {
		first[words[0]] = append(first[words[0]], words)
	}
	words, places := placed(text)
	var found []Place
	for i, w := range words {
		for _, term := range first[w] {
			if i+len(term) <= len(words) && slices.Equal(words[i:i+len(term)], term) {
				found = append(found, Place{places[i].Start, places[i+len(term)-1].End})
			}
		}
	}
	return merge(found)
}

// merge joins what overlaps.
func merge(found []Place) []Place {
	slices.SortFunc(found, func(a, b Place) int { return a.Start - b.Start })
	out := found[:0]
	for _, p := range found {
		if n := len(out); n > 0 && p.Start < out[n-1].End {
			out[n-1].End = max(out[n-1].End, p.End)
			continue
		}
		out = append(out, p)
	}
	return out
}

// placed is tokens with where each stands in the text as it is written.
func placed(text string) (words []string, places []Place) {
	add := func(start, end int) {
		for _, w := range tokens(text[start:end]) {
			words, places = append(words, w), append(places, Place{start, end})
		}
	}
	for at := 0; at < len(text); {
		c, size := utf8.DecodeRuneInString(text[at:])
		end := at + size
		switch {
		case unspaced(c):
			// Pairs of neighbours; one that stands alone is a word.
			end = withMarks(text, end)
			alone := true
			for end < len(text) {
				c, next := utf8.DecodeRuneInString(text[end:])
				if !unspaced(c) {
					break
				}
				next = withMarks(text, end+next)
				add(at, next)
				at, end, alone = end, next, false
			}
			if alone {
				add(at, end)
			}
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			for end < len(text) {
				c, next := utf8.DecodeRuneInString(text[end:])
				if unspaced(c) || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.IsMark(c) {
					break
				}
				end += next
			}
			add(at, end)
		}
		at = end
	}
	return words, places
}

// withMarks is the end of a character that ends at end, with the accents that are written behind it.
func withMarks(text string, end int) int {
	for end < len(text) {
		c, size := utf8.DecodeRuneInString(text[end:])
		if !unicode.IsMark(c) {
			break
		}
		end += size
	}
	return end
}
