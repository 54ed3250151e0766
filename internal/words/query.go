package words

import (
	"strings"
	"unicode/utf8"

	"salesforcesync/internal/fault"
)

// Bounds of what one may look for at once.
const (
	maxQueryChars = 1024
	maxTerms      = 32 // words, counting those of phrases
)

// term is a word, or several that follow each other.
type term struct {
	words []string
	not   bool
}

// Query is what somebody looks for in texts: one of its branches must hold, and of a
// branch every term. The zero Query holds for every text.
type Query struct {
	branches [][]term
}

// ParseQuery reads a query as people know them from search engines:
//
//	refund invoice         both words, anywhere
//	"past due"             these words next to each other; so does past-due
//	refund OR credit       one of both sides
//	invoice -paid          the first, and not the second
//
// AND is meant between words and binds closer than OR. A query without a word, or one that only says
// what is not wanted, is fault.Invalid.
func ParseQuery(text string) (Query, error) {
	bad := func(format string, args ...any) (Query, error) {
		return Query{}, fault.New(fault.Invalid, "q "+format, args...)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return bad("is not UTF-8 text without NUL")
	}
	if n := utf8.RuneCountInString(text); n > maxQueryChars {
		return bad("has %d characters, at most %d", n, maxQueryChars)
	}
	var q Query
	var branch []term
	count, wanted := 0, false
	close := func() error {
		if !wanted {
			return fault.New(fault.Invalid, "q needs a word to look for on each side of OR, and beside what it excludes")
		}
		q.branches = append(q.branches, branch)
		branch, wanted = nil, false
		return nil
	}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		var t term
		if rest[0] == '-' {
			t.not, rest = true, rest[1:]
		}
		var part string
		quoted := strings.HasPrefix(rest, `"`)
		if quoted {
			var closed bool
			if part, rest, closed = strings.Cut(rest[1:], `"`); !closed {
				return bad(`has a " that nothing closes`)
			}
		} else if n := strings.IndexAny(rest, " \t\r\n\""); n >= 0 {
			part, rest = rest[:n], rest[n:]
		} else {
			part, rest = rest, ""
		}
		if part == "OR" && !quoted && !t.not {
			if err := close(); err != nil {
				return Query{}, err
			}
			continue
		}
		if t.words = tokens(part); len(t.words) == 0 {
			continue // punctuation alone
		}
		if count += len(t.words); count > maxTerms {
			return bad("has more than %d words", maxTerms)
		}
		branch, wanted = append(branch, t), wanted || !t.not
	}
	return q, close()
}

// hold reports whether the query holds for the texts.
func (q Query) hold(d *document) bool {
	if len(q.branches) == 0 {
		return true
	}
	for _, branch := range q.branches {
		if d.all(branch) {
			return true
		}
	}
	return false
}
