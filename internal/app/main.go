package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"salesforcesync/internal/fault"
)

// Exit codes of all programs.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitInvalid     = 2 // bad input or configuration: trying again changes nothing
	ExitUnreachable = 3 // something it needs cannot be reached: trying again may help
)

// Main is the whole of a server's main function: arguments, signals, run, exit
// code. help is shown for -h and --help; no other argument is taken. The first
// SIGINT or SIGTERM ends run's ctx, the second the process.
func Main(program, help string, run func(ctx context.Context) error) int {
	if done, code := arguments(program, help, os.Args[1:], os.Stdout, os.Stderr); done {
		return code
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, cancel) // gives the next signal its deadly meaning back
	err := run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) { // told to stop before it was up
		err = nil
	}
	Explain(os.Stderr, program, err)
	return ExitCode(err)
}

func arguments(program, help string, args []string, stdout, stderr io.Writer) (done bool, code int) {
	switch {
	case len(args) == 0:
		return false, 0
	case len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help"):
		fmt.Fprintln(stdout, strings.TrimSpace(help))
		return true, ExitOK
	}
	fmt.Fprintf(stderr, "%s takes no arguments, got %q\nnext step: configure it by environment variables (see %s --help)\n", program, args, program)
	return true, ExitInvalid
}

// Explain writes an error and its next step for the one who started the program;
// nothing for nil.
func Explain(w io.Writer, program string, err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(w, "%s: %v\n", program, err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(w, "next step: %s\n", hint)
	}
}

// ExitCode translates a failure into the exit code.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case fault.Is(err, fault.Invalid, fault.Config, fault.NotFound, fault.Conflict):
		return ExitInvalid
	case fault.Is(err, fault.Unreachable):
		return ExitUnreachable
	}
	return ExitFailure
}
