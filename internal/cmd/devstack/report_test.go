package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reported feeds lines of go test -json, in pieces, and returns what was printed.
func reported(t *testing.T, strict bool, exit error, lines ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	r := newTestReport(newPrinter(&out), false)
	for _, piece := range strings.SplitAfter(strings.Join(lines, "\n"), "t") {
		_, err := r.Write([]byte(piece))
		require.NoError(t, err)
	}
	r.end(exit)
	err := r.close(strict)
	return out.String(), err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestReport(t *testing.T) {
	t.Parallel()
	passes := []string{
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: measured: p95 40 ms\n"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}`,
	}
	for name, c := range map[string]struct {
		lines  []string
		strict bool
		exit   error
		fails  bool
		closes string
		says   []string
		silent []string
	}{
		"all pass": {
			lines:  append(passes, `{"Action":"pass","Package":"p","Elapsed":1}`),
			closes: "1 passed, 0 failed, 0 skipped",
			says:   []string{"measured: p95 40 ms", "ok   p: 1 passed"},
			silent: []string{"chatter"},
		},
		"a test fails": {
			lines: append(passes,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: three is not four\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestB","Elapsed":0.2}`,
				`{"Action":"fail","Package":"p","Elapsed":1}`),
			exit: errors.New("exit status 1"), fails: true,
			closes: "1 passed, 1 failed, 0 skipped",
			says:   []string{"FAIL    p TestB", "three is not four", "failed:  p TestB"},
		},
		"a skip is told": {
			lines: append(passes,
				`{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:3: no such tool\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestC"}`,
				`{"Action":"pass","Package":"p","Elapsed":1}`),
			closes: "1 passed, 0 failed, 1 skipped",
			says:   []string{"no such tool", "skipped: p TestC"},
		},
		"a skip fails in CI": {
			lines:  append(passes, `{"Action":"skip","Package":"p","Test":"TestC"}`, `{"Action":"pass","Package":"p"}`),
			strict: true, fails: true,
			closes: "1 passed, 0 failed, 1 skipped",
			says:   []string{"nothing may be skipped"},
		},
		"a package without tests is no skip": {
			lines:  append(passes, `{"Action":"pass","Package":"p"}`, `{"Action":"skip","Package":"q"}`),
			strict: true,
			closes: "1 passed, 0 failed, 0 skipped",
		},
		"a package does not build": {
			lines: append(passes,
				`{"ImportPath":"q [q.test]","Action":"build-output","Output":"q_test.go:1:1: expected a semicolon\n"}`,
				`{"ImportPath":"q [q.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}`),
			exit: errors.New("exit status 1"), fails: true,
			closes: "1 passed, 1 failed, 0 skipped",
			says:   []string{"expected a semicolon", "FAIL    q does not build"},
		},
		"a test never ends": {
			lines: append(passes,
				`{"Action":"run","Package":"p","Test":"TestD"}`,
				`{"Action":"output","Package":"p","Test":"TestD","Output":"waiting for godot\n"}`,
				`{"Action":"output","Package":"p","Output":"panic: test timed out\n"}`,
				`{"Action":"fail","Package":"p","Elapsed":1200}`),
			exit: errors.New("exit status 1"), fails: true,
			closes: "1 passed, 1 failed, 0 skipped",
			says:   []string{"waiting for godot", "test timed out"},
		},
		"go test itself fails": {
			lines: append(passes, "go: no such package", `{"Action":"pass","Package":"p"}`),
			exit:  errors.New("exit status 1"), fails: true,
			closes: "1 passed, 1 failed, 0 skipped",
			says:   []string{"go: no such package"},
		},
		"nothing ran": {
			lines:  []string{`{"Action":"skip","Package":"q"}`},
			fails:  true,
			closes: "0 passed, 1 failed, 0 skipped",
			says:   []string{"no test ran"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := reported(t, c.strict, c.exit, c.lines...)
			require.Equal(t, c.fails, err != nil, out)
			require.Equal(t, c.closes, lastLine(out))
			for _, want := range c.says {
				require.Contains(t, out, want)
			}
			for _, unwanted := range c.silent {
				require.NotContains(t, out, unwanted)
			}
		})
	}
}
