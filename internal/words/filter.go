package words

import (
	"strings"

	"salesforcesync/internal/comment"
)

// Filter is what a comment must be to be found. The zero Filter lets everything through.
type Filter struct {
	Query      Query
	Properties []string // all of them, each as PropertyText has it
	ThreadID   string   // "" = any
}

// NeedsIndex reports whether the filter asks for more than a thread, or nothing: these can be listed.
func (f *Filter) NeedsIndex() bool { return len(f.Query.branches) > 0 || len(f.Properties) > 0 }

// Lookup is what to ask an index of the source with this number for, in the form of a tsquery: it names
// all comments that match, and maybe more. It is not for a filter without a condition.
func (f *Filter) Lookup(source int) string {
	k := key(source)
	var all []string
	lexeme := func(kind, text string) string {
		var b strings.Builder
		appendLexeme(&b, k, kind, text)
		return b.String()
	}
	var branches []string
	for _, branch := range f.Query.branches {
		var parts []string
		for _, t := range branch {
			if t.not && len(t.words) > 1 {
				continue // its words may all be there, only not next to each other
			}
			for _, w := range t.words {
				l := lexeme(kindWord, w)
				if t.not {
					l = "!" + l
				}
				parts = append(parts, l)
			}
		}
		branches = append(branches, "("+strings.Join(parts, "& ")+")")
	}
	if len(branches) > 0 {
		all = append(all, "("+strings.Join(branches, " | ")+")")
	}
	for _, p := range f.Properties {
		all = append(all, lexeme(kindProperty, digest(p)))
	}
	if f.ThreadID != "" {
		all = append(all, lexeme(kindThread, digest(f.ThreadID)))
	}
	return strings.Join(all, " & ")
}

// Matches decides about a comment.
func (f *Filter) Matches(c *comment.Comment) bool {
	if f.ThreadID != "" && c.ThreadID != f.ThreadID {
		return false
	}
	if len(f.Properties) > 0 {
		has := make(map[string]bool, len(c.Properties))
		for name, value := range c.Properties {
			if text, ok := PropertyText(name, value); ok {
				has[text] = true
			}
		}
		for _, p := range f.Properties {
			if !has[p] {
				return false
			}
		}
	}
	return len(f.Query.branches) == 0 || f.Query.hold(newDocument(c))
}
