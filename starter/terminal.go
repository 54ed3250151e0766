package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// visible writes for a terminal what other people chose: names, reasons, texts, what Salesforce or a tenant
// said. A terminal obeys control characters, which could move over what stands there, change its title, or
// put words on the command line; and marks of direction make a name look like another one. Each is
// written by its number.
type visible struct{ io.Writer }

// Write writes all of p, or says why not.
func (v visible) Write(p []byte) (int, error) {
	if _, err := io.WriteString(v.Writer, readable(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func readable(text string) string {
	if !strings.ContainsFunc(text, obeyed) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if obeyed(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// obeyed reports a character that a terminal does something for instead of showing it.
func obeyed(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case '\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069', r == '\u200e', r == '\u200f', r == '\u061c':
		return true
	}
	return unicode.IsControl(r)
}

// screen is out for what a terminal shall obey: what is drawn by ourselves.
func (a *app) screen() io.Writer {
	if v, ok := a.out.(visible); ok {
		return v.Writer
	}
	return a.out
}
