package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// noEnvironment fails for whoever asks for a variable.
func noEnvironment(t *testing.T) func(string) string {
	return func(name string) string {
		t.Errorf("%s was asked for", name)
		return ""
	}
}

// cleanRun runs starter clean without any environment.
func cleanRun(t *testing.T, stdin io.Reader, args ...string) ran {
	t.Helper()
	var out, talk bytes.Buffer
	a := &app{in: stdin, out: &out, talk: &talk, lookup: noEnvironment(t)}
	code := a.run(t.Context(), append([]string{"clean"}, args...))
	return ran{t, code, out.String(), talk.String()}
}

func TestCleanReadsLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"a reply": {
			`{"id":"a","text":"Yes.\n\nOn 1 May 2026, Ann wrote:\n> Shall we?"}`,
			`{"id":"a","reply":"Yes.","quoted":"On 1 May 2026, Ann wrote:\n> Shall we?","signature":"","spans":[{"kind":"quote","rule":"wrote","start":6,"end":31},{"kind":"quote","rule":"prefix","start":32,"end":43}]}`,
		},
		"HTML": {
			`{"html":"<p>Grüße &amp; <b>Küsse</b></p>","subject":null,"id":7}`,
			`{"id":7,"reply":"Grüße & Küsse","quoted":"","signature":"","spans":[]}`,
		},
		"a sender, and spans in characters": {
			`{"id":1,"text":"Grüße 👍\n\nMit freundlichen Grüßen\nAnn Lee\nAcme GmbH","from":"Ann Lee <ann@acme.example>"}`,
			`{"id":1,"reply":"Grüße 👍","quoted":"","signature":"Mit freundlichen Grüßen\nAnn Lee\nAcme GmbH","spans":[{"kind":"signature","rule":"closing","start":9,"end":50}]}`,
		},
		"nothing at all":         {`{}`, `{"id":null,"reply":"","quoted":"","signature":"","spans":[]}`},
		"nulls and unknown keys": {` {"id":null,"text":null,"html":null,"from":null,"from_name":null,"from_address":null,"Text":"x","more":{"a":[1]}} `, `{"id":null,"reply":"","quoted":"","signature":"","spans":[]}`},
		"a large number":         {`{"id":12345678901234567890.5,"text":"x"}`, `{"id":12345678901234567890.5,"reply":"x","quoted":"","signature":"","spans":[]}`},
		"half a character":       {"{\"id\":\"\xff\",\"text\":\"a\\ud800b \xff\"}", `{"id":"` + "\uFFFD" + `","reply":"a` + "\uFFFDb \uFFFD" + `","quoted":"","signature":"","spans":[]}`},
		"a byte order mark":      {"\uFEFF" + `{"text":"x"}`, `{"id":null,"reply":"x","quoted":"","signature":"","spans":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := cleanRun(t, strings.NewReader(c.in)).good()
			require.Equal(t, c.want+"\n", r.out)
			require.Empty(t, r.talk)
		})
	}
	require.Empty(t, cleanRun(t, strings.NewReader("\n \n")).good().out)
}

func TestCleanGoesOnAfterABadLine(t *testing.T) {
	t.Parallel()
	in := `{"id":1,"text":"a"}` + "\n\nnonsense\n" + `{"id":2,"text":5}` + "\n" + `{"id":{},"text":"x"}` + "\n" + `{"id":3` + "\n[]\n" + `{"id":4,"text":"d"}`
	r := cleanRun(t, strings.NewReader(in))
	require.Equal(t, exitRuntime, r.code)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	require.Len(t, lines, 7, "one for each line that is not empty")
	require.Contains(t, lines[0], `"reply":"a"`)
	for n, want := range map[int]string{1: "line 3: is no JSON object", 2: `line 4: "text" is neither`, 3: `line 5: "id" is neither`, 4: "line 6: is no JSON:", 5: "line 7: is no JSON object"} {
		var answer struct {
			ID    any
			Error string
		}
		require.NoError(t, json.Unmarshal([]byte(lines[n]), &answer))
		require.Contains(t, answer.Error, want)
		require.Contains(t, r.talk, want)
		if n == 2 {
			require.EqualValues(t, 2, answer.ID, "an id that can be read is given back")
		} else {
			require.Nil(t, answer.ID)
		}
	}
	require.Contains(t, lines[6], `"reply":"d"`)
	require.Contains(t, r.talk, "next: write each mail as one JSON object in one line")
}

// A program sends a line, waits for the answer, and only then sends the next.
func TestCleanTalksLineByLine(t *testing.T) {
	t.Parallel()
	stdin, send := io.Pipe()
	receive, stdout := io.Pipe()
	a := &app{in: stdin, out: stdout, talk: io.Discard, lookup: noEnvironment(t)}
	code := make(chan int, 1)
	go func() {
		code <- a.run(t.Context(), []string{"clean"})
		_ = stdout.Close()
	}()
	answers := bufio.NewScanner(receive)
	for i := range 50 {
		if i%7 == 3 {
			_, err := fmt.Fprintf(send, "broken\n")
			require.NoError(t, err)
			require.True(t, answers.Scan())
			require.Contains(t, answers.Text(), `"error":"line `+fmt.Sprint(i+1))
			continue
		}
		_, err := fmt.Fprintf(send, `{"id":%d,"text":"number %d"}`+"\n", i, i)
		require.NoError(t, err)
		require.True(t, answers.Scan())
		require.Equal(t, fmt.Sprintf(`{"id":%d,"reply":"number %d","quoted":"","signature":"","spans":[]}`, i, i), answers.Text())
	}
	require.NoError(t, send.Close())
	require.False(t, answers.Scan())
	require.Equal(t, exitRuntime, <-code)
}

func TestCleanReadsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.eml")
	require.NoError(t, os.WriteFile(good, []byte("From: =?utf-8?q?Zo=C3=AB?= Lee <zoe@acme.example>\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nDas w=E4re sch=F6n, aber =\r\nspäter.\r\n\r\nZo=EB\r\n+49 30 1234567\r\n"), 0o600))
	r := cleanRun(t, strings.NewReader("never read"), good, filepath.Join(dir, "none.eml"), good)
	require.Equal(t, exitRuntime, r.code)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	require.Len(t, lines, 3)
	var answer cleaned
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &answer))
	require.JSONEq(t, fmt.Sprintf("%q", good), string(answer.ID))
	require.Contains(t, answer.Reply, "Das wäre schön, aber ")
	require.Contains(t, answer.Signature, "Zoë")
	require.Contains(t, lines[1], `"error":"read a mail: `)
	require.Contains(t, r.talk, "none.eml")
	require.Equal(t, lines[0], lines[2])
}

func TestCleanSaysWhereSpansPoint(t *testing.T) {
	t.Parallel()
	r := cleanRun(t, strings.NewReader(`{"text":"Größe 👍👍\r\n> ältere Mail"}`), "--with-text").good()
	var answer cleaned
	require.NoError(t, json.Unmarshal([]byte(r.out), &answer))
	require.NotNil(t, answer.Text)
	require.NotZero(t, answer.Version)
	require.Len(t, answer.Spans, 1)
	s := answer.Spans[0]
	require.Equal(t, "> ältere Mail", string([]rune(*answer.Text)[s.Start:s.End]))
}

func TestLinesThatAreTooLongArePassedOver(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	lines := newLines(strings.NewReader("a\n"+long+"\n"+strings.Repeat("y", 90_000)+"\r\n"+long), 90_001)
	line, n, err := lines.next()
	require.NoError(t, err)
	require.Equal(t, "a", string(line))
	require.Equal(t, 1, n)
	_, n, err = lines.next()
	require.ErrorIs(t, err, errLong)
	require.Equal(t, 2, n)
	line, _, err = lines.next()
	require.NoError(t, err)
	require.Len(t, line, 90_000)
	_, _, err = lines.next()
	require.ErrorIs(t, err, errLong, "a last line without an end")
	_, _, err = lines.next()
	require.ErrorIs(t, err, io.EOF)
}

// repeated gives a text over and over, without holding it.
type repeated struct {
	text string
	left int
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	if r.at += n; r.at == len(r.text) {
		r.at, r.left = 0, r.left-1
	}
	return n, nil
}

// What a stream of any length takes is memory for its longest line.
func TestCleanTakesMemoryForOneLine(t *testing.T) {
	line := `{"text":"` + strings.Repeat(`All is said\n`, 20_000) + `"}` + "\n"
	peak := uint64(0)
	watch := onWrite(func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	})
	a := &app{in: &repeated{text: line, left: 400}, out: watch, talk: io.Discard, lookup: noEnvironment(t)}
	require.Equal(t, exitOK, a.run(t.Context(), []string{"clean"}))
	require.Less(t, peak, uint64(64<<20), "%d MB went through", len(line)*400>>20)
}

// onWrite calls itself with every write.
type onWrite func()

func (w onWrite) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

func TestCleanEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	stdin, _ := io.Pipe() // nobody writes
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	a := &app{in: stdin, out: io.Discard, talk: io.Discard, lookup: noEnvironment(t)}
	require.Equal(t, exitRuntime, a.run(ctx, []string{"clean"}))
}
