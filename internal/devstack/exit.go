package devstack

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"salesforcesync/internal/fault"
)

// Exit runs a tool of this repository whose flags were parsed, with what became of that in parsed,
// and says on stderr what is wrong. The exit code is 0 for what went well and for a wish for help, 1
// for a failure, 2 for bad usage.
func Exit(name string, stderr io.Writer, parsed error, do func(*Tools) error) int {
	switch {
	case errors.Is(parsed, flag.ErrHelp):
		return 0
	case parsed != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, parsed)
		return 2
	}
	tools, err := Here()
	if err == nil {
		err = do(tools)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "  %s\n", hint)
	}
	return 1
}
