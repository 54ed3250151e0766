package main

import (
	"errors"
	"os"
	"strings"
)

// demoEnv is .dev/demo.env: where the demo is, for scripts (". .dev/demo.env"). It is there exactly
// while the demo can be used.
type demoEnv struct {
	path string
}

// write writes the file whole or not at all; it holds a token, so it is its owner's only.
func (d demoEnv) write(values [][2]string) error {
	var b strings.Builder
	for _, kv := range values {
		b.WriteString(kv[0] + "=" + shellQuote(kv[1]) + "\n")
	}
	return writeFile(d.path, b.String())
}

// remove removes the file; that it is not there is fine.
func (d demoEnv) remove() error {
	if err := os.Remove(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// shellQuote makes one word of a shell of any text.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
