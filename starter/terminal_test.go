package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Salesforce, a tenant or the sender of a mail says is shown on a terminal, and not obeyed by it.
func TestATerminalObeysNobodyElse(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	a := &app{out: visible{&screen}, terminal: true}
	a.print("reason: %s", "\x1b]0;title\x07\x1b[2J\r\u009b31mred \u202egnp.exe")
	require.Equal(t, "reason: <U+001B>]0;title<U+0007><U+001B>[2J<U+000D><U+009B>31mred <U+202E>gnp.exe\n", screen.String())

	screen.Reset()
	a.print("name\tJürgen 日本 👩‍👩‍👧 is left alone")
	require.Equal(t, "name\tJürgen 日本 👩‍👩‍👧 is left alone\n", screen.String())

	screen.Reset()
	n, err := fmt.Fprint(a.screen(), screenTop)
	require.NoError(t, err)
	require.Equal(t, len(screenTop), n)
	require.Equal(t, screenTop, screen.String(), "what we draw is obeyed")
}
