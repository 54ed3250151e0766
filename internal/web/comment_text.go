package web

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/words"
)

// piece is a stretch of somebody else's text as a page shows it.
type piece struct {
	Text    string
	Kind    string // "" = nothing special, or found, gone, added
	Control string // the name of a character that nobody sees, such as U+202E; Text is empty then
}

// pieces are a text with what was found in it. Characters that would change how the text around them
// looks are named instead of obeyed.
func pieces(text string, found []words.Place) []piece {
	var out []piece
	at := 0
	for _, p := range found {
		out = appendPieces(out, "", text[at:p.Start])
		out = appendPieces(out, "found", text[p.Start:p.End])
		at = p.End
	}
	return appendPieces(out, "", text[at:])
}

func appendPieces(out []piece, kind, text string) []piece {
	for text != "" {
		at := strings.IndexFunc(text, deceives)
		if at < 0 {
			return append(out, piece{Text: text, Kind: kind})
		}
		if at > 0 {
			out = append(out, piece{Text: text[:at], Kind: kind})
		}
		c, size := utf8.DecodeRuneInString(text[at:])
		out = append(out, piece{Kind: kind, Control: fmt.Sprintf("U+%04X", c)})
		text = text[at+size:]
	}
	return out
}

// deceives reports a character that makes text look like other text: one that turns the direction of what
// follows, or a control character that is no blank.
func deceives(c rune) bool {
	switch {
	case c == '\n', c == '\t', c == '\r':
		return false
	case '\u202a' <= c && c <= '\u202e', '\u2066' <= c && c <= '\u2069':
		return true
	}
	return unicode.IsControl(c)
}

// plain is a short text with such characters named in it.
func plain(text string) string {
	if !strings.ContainsFunc(text, deceives) {
		return text
	}
	var b strings.Builder
	for _, p := range pieces(text, nil) {
		b.WriteString(p.Text + p.Control)
	}
	return b.String()
}

// clip ends a text after so many characters, at a word where there is one near.
func clip(text string, limit int) (string, bool) {
	if len(text) <= limit {
		return text, false
	}
	n := 0
	for at := range text {
		if n == limit {
			if blank := strings.LastIndexAny(text[:at], " \n"); blank > max(at-40, 0) {
				at = blank
			}
			return text[:at], true
		}
		n++
	}
	return text, false
}

// excerpt is the part of a text in which what was found stands, on one line.
func excerpt(text string, query words.Query, limit int) []piece {
	found := query.Found(text)
	if len(found) > 0 && found[0].Start > limit/2 {
		// Begin a little before it, at a word.
		from := found[0].Start - limit/4
		for !utf8.RuneStart(text[from]) {
			from--
		}
		if blank := strings.IndexAny(text[from:found[0].Start], " \n"); blank >= 0 {
			from += blank + 1
		}
		text = "… " + text[from:]
	}
	line := oneLine(text, limit)
	return pieces(line, query.Found(line))
}

// block is a part of a message: what is said, or what was set apart of it.
type block struct {
	Kind   string // "" = what is said, else a clean.Kind or "signature"
	Pieces []piece
	Lines  int
}

// Summary is what a block says while it is folded.
func (b block) Summary() string {
	names := map[string]string{string(clean.Quote): "Quoted text", string(clean.Signature): "Signature", string(clean.Disclaimer): "Disclaimer", string(clean.Token): "Reference"}
	name := names[b.Kind]
	if b.Lines > 1 {
		name += fmt.Sprintf(", %d lines", b.Lines)
	}
	return name
}

// foldable are the kinds of spans that a reader may want out of the way.
var foldable = map[clean.Kind]bool{clean.Quote: true, clean.Signature: true, clean.Disclaimer: true}

// fold takes a text apart into what is said and what repeats others. The texts of synced comments have
// little left to fold: theirs was set apart before they were stored.
func fold(text, fromName string) []block {
	var out []block
	add := func(kind, part string) {
		if part = strings.Trim(part, "\n"); strings.TrimSpace(part) != "" {
			out = append(out, block{Kind: kind, Pieces: pieces(part, nil), Lines: strings.Count(part, "\n") + 1})
		}
	}
	split := clean.Split(clean.Mail{Text: text, FromName: fromName})
	if !slices.Equal(strings.Fields(split.Text), strings.Fields(text)) { // it would be shown in other words
		add("", text)
		return out
	}
	text = split.Text
	at := 0
	for i := 0; i < len(split.Spans); i++ {
		s := split.Spans[i]
		if !foldable[s.Kind] {
			continue
		}
		// Several rules may have found one quotation.
		for i+1 < len(split.Spans) && split.Spans[i+1].Kind == s.Kind && strings.TrimSpace(text[s.End:split.Spans[i+1].Start]) == "" {
			i++
			s.End = split.Spans[i].End
		}
		add("", text[at:s.Start])
		add(string(s.Kind), text[s.Start:s.End])
		at = s.End
	}
	add("", text[at:])
	return out
}
