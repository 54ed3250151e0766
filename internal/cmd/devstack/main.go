// Command devstack is what `make run` and `make test` start. It is not shipped.
//
//	devstack up             brings the whole product up on this machine and stays until Ctrl-C
//	devstack test [args]    runs every check and every test against servers of its own
//	devstack temporal       prints where the temporal program is, after building it if need be
//
// Servers, programs and their lives are internal/devstack's business; here is
// only what is started in which order, and what a person is told.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
)

const usage = `usage: devstack up | test [go test arguments] | temporal

  up         PostgreSQL, Temporal, the Salesforce simulator, authsvc and worker on this
             machine, with a demo integration that is connected and syncs; Ctrl-C stops all
  test       formatting, vet and workflow checks, then go test; with arguments only go test
  temporal   prints the path of the temporal program, which is built when it is missing
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], readEnviron(os.Environ()), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 ok, 1 something failed, 2 bad usage.
func run(ctx context.Context, args []string, env environ, stdout, stderr io.Writer) int {
	if len(args) == 0 || (args[0] != "test" && len(args) > 1) {
		fmt.Fprint(stderr, usage)
		return 2
	}
	tools, err := devstack.Here()
	if err != nil {
		return report(stderr, err)
	}
	switch args[0] {
	case "up":
		say := newPrinter(stdout)
		tools.Say = say.line
		err = up(ctx, tools, env, say)
	case "test":
		say := newPrinter(stdout)
		tools.Say = say.line
		err = runTests(ctx, tools, env, args[1:], say)
	case "temporal":
		tools.Say = newPrinter(stderr).line
		var path string
		if path, err = tools.Temporal(ctx); err == nil {
			fmt.Fprintln(stdout, path)
		}
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "devstack: no command %q\n%s", args[0], usage)
		return 2
	}
	return report(stderr, err)
}

// report prints an error with its next step and returns the exit code.
func report(stderr io.Writer, err error) int {
	var failed *testsFailedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return 1 // said already, in the closing line
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "  %s\n", hint)
	}
	return 1
}

// printer writes progress lines, one at a time, each with the time since the start.
type printer struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func newPrinter(out io.Writer) *printer { return &printer{out: out, start: time.Now()} }

func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// text writes text as it is.
func (p *printer) text(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.out, strings.TrimRight(text, "\n"))
}
