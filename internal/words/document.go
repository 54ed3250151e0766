package words

import (
	"slices"

	"salesforcesync/internal/comment"
)

// document is the words of a comment in order. Between two texts stands a gap, which is no word: a
// phrase does not reach over it.
type document struct {
	words []string
	set   map[string]bool
}

const gap = ""

func newDocument(c *comment.Comment) *document {
	d := &document{}
	add := func(text string) {
		if text != "" {
			d.words = append(append(d.words, tokens(text)...), gap)
		}
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Subject != nil {
			add(m.Subject.Text)
		}
		add(m.Body.Text)
		add(m.From)
	}
	d.set = make(map[string]bool, len(d.words))
	for _, w := range d.words {
		d.set[w] = true
	}
	delete(d.set, gap)
	return d
}

func (d *document) all(branch []term) bool {
	return !slices.ContainsFunc(branch, func(t term) bool { return d.has(t.words) == t.not })
}

// has reports whether the words stand next to each other somewhere.
func (d *document) has(words []string) bool {
	for _, w := range words {
		if !d.set[w] {
			return false
		}
	}
	if len(words) == 1 {
		return true
	}
	for i := 0; i+len(words) <= len(d.words); i++ {
		if slices.Equal(d.words[i:i+len(words)], words) {
			return true
		}
	}
	return false
}
