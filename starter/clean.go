package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/eml"
	"salesforcesync/internal/fault"
)

// errPartly is how clean ends when some of its input could not be read.
var errPartly = errors.New("some of the input could not be read")

func (a *app) cleanCommand() *cobra.Command {
	var withText bool
	cmd := &cobra.Command{
		Use:   "clean [FILE.eml]...",
		Short: "Try how mails are cleaned, without Salesforce",
		Long: `Takes mails apart as a sync does: what the sender says, the history they quote, their
signature. It needs no environment, no database and no Salesforce.

Input is .eml files, or, without arguments, JSON lines on stdin:

  {"id","text","html","from","from_name","from_address","subject"}

Any of these may be null or missing, other keys are ignored, empty lines are passed over.
"from" is "Name <address>", an address or a name; "from_name" and "from_address" say it
better. "id" is a string or a number and comes back as it is; a file's id is its name. A
line has at most 64 MiB.

Output is one JSON line for each mail, in order, written at once, so that a program can send
a line and wait for the answer:

  {"id","reply","quoted","signature","spans":[{"kind","rule","start","end"}]}

Spans say what was set apart and by which rule (docs/cleaning.md). They are in the order of
the text; "start" and "end" (the first one behind) count characters, Unicode code points, in
the whole text of the mail as it was cleaned: plain text with its line ends made line feeds,
or what HTML reads as. --with-text adds that as "text", and "version", the version of the
cleaning. Disclaimers and Salesforce's tokens are in the text and its spans only.

A line or file that cannot be read gives {"id","error"} in its place, and the same with what
to do on stderr. The stream goes on; the exit code is 1 at the end.`,
		Example: `  starter clean mail.eml
  echo '{"id":1,"text":"Yes.\n\nOn 1 May 2026, Ann wrote:\n> Shall we?"}' | starter clean
  starter clean *.eml | jq -r .reply
  starter clean --with-text mail.eml | jq -r '.text as $t | .spans[] | .rule + ": " + $t[.start:.end]'`,
		RunE: func(cmd *cobra.Command, files []string) error {
			c := &cleaning{app: a, withText: withText}
			if len(files) > 0 {
				return c.files(cmd.Context(), files)
			}
			return c.stream(cmd.Context(), a.in)
		},
	}
	cmd.Flags().BoolVar(&withText, "with-text", false, `add the whole text that spans point into, and the cleaning version`)
	return cmd
}

// cleaning is one run of clean.
type cleaning struct {
	*app
	withText bool
	failed   bool
}

// cleaned is a line of output.
type cleaned struct {
	ID        json.RawMessage `json:"id"`
	Reply     string          `json:"reply"`
	Quoted    string          `json:"quoted"`
	Signature string          `json:"signature"`
	Spans     []clean.Span    `json:"spans"`
	Text      *string         `json:"text,omitempty"`
	Version   int             `json:"version,omitempty"`
}

// uncleaned is a line of output for input that cannot be read.
type uncleaned struct {
	ID    json.RawMessage `json:"id"`
	Error string          `json:"error"`
}

// null is the id of what has none.
var null = json.RawMessage("null")

// mail cleans one mail and writes what became of it.
func (c *cleaning) mail(id json.RawMessage, in clean.Mail) error {
	result := clean.Split(in)
	out := cleaned{ID: id, Reply: result.Reply, Quoted: result.Quoted, Signature: result.Signature, Spans: characters(result.Text, result.Spans)}
	if c.withText {
		out.Text, out.Version = &result.Text, result.Version
	}
	return c.write(out)
}

// refuse says why there is no result, to who reads stdout and to who reads stderr.
func (c *cleaning) refuse(id json.RawMessage, err error) error {
	c.failed = true
	c.complain(err)
	return c.write(uncleaned{ID: id, Error: err.Error()})
}

// write writes a line in one call: a program waits for it.
func (c *cleaning) write(v any) error {
	e := json.NewEncoder(c.out) // writes once for each value
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fault.Wrap(fault.Internal, err, "write a result")
	}
	return nil
}

// end is the outcome of a run that came to its end.
func (c *cleaning) end() error {
	if c.failed {
		return fault.Wrap(fault.Internal, errPartly, "clean").WithHint("each of them is named above")
	}
	return nil
}

// files cleans mail files.
func (c *cleaning) files(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Internal, err, "clean")
		}
		id, err := json.Marshal(name)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "write the name of %s", name)
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			err = fault.Wrap(fault.Invalid, err, "read a mail").WithHint("name files that hold one mail each, as a mail program saves them (.eml)")
			if err := c.refuse(id, err); err != nil {
				return err
			}
			continue
		}
		m := eml.Read(raw)
		if err := c.mail(id, clean.Mail{Text: m.Text, HTML: m.HTML, FromName: m.FromName, FromAddress: m.FromAddress, Subject: m.Subject}); err != nil {
			return err
		}
	}
	return c.end()
}

// stream cleans lines until they end or the person at the keyboard has had enough: a
// read of a terminal ends for neither, so it is left behind.
func (c *cleaning) stream(ctx context.Context, in io.Reader) error {
	done := make(chan error, 1)
	go func() { done <- c.lines(ctx, in) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fault.Wrap(fault.Internal, ctx.Err(), "clean")
	}
}

// lines cleans JSON lines as they come.
func (c *cleaning) lines(ctx context.Context, in io.Reader) error {
	lines := newLines(in, maxLine)
	for {
		line, number, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return c.end()
		case ctx.Err() != nil:
			return fault.Wrap(fault.Internal, ctx.Err(), "clean")
		case errors.Is(err, errLong):
			err = fault.New(fault.Invalid, "line %d has more than %d MiB", number, maxLine>>20).
				WithHint("shorten the bodies, or leave one of text and html out: the line was passed over")
			if err := c.refuse(null, err); err != nil {
				return err
			}
			continue
		case err != nil:
			return fault.Wrap(fault.Internal, err, "read line %d of stdin", number)
		}
		id, mail, err := readLine(line)
		if err != nil {
			err = fault.Wrap(fault.Invalid, err, "line %d", number).WithHint("write each mail as one JSON object in one line; `starter clean --help` has its keys")
			if err := c.refuse(id, err); err != nil {
				return err
			}
			continue
		}
		if err := c.mail(id, mail); err != nil {
			return err
		}
	}
}

// characters makes spans count characters instead of bytes. They are in order.
func characters(text string, spans []clean.Span) []clean.Span {
	out := make([]clean.Span, len(spans))
	at, count := 0, 0
	to := func(offset int) int {
		if offset < at {
			at, count = 0, 0
		}
		count += utf8.RuneCountInString(text[at:offset])
		at = offset
		return count
	}
	for i, s := range spans {
		s.Start = to(s.Start)
		s.End = to(s.End)
		out[i] = s
	}
	return out
}
