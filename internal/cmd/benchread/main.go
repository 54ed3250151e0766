// Command benchread is what `make bench-read` starts: it fills a source with millions of
// comments and measures how fast the API reads them, query by query, with the plan of each. It is not
// shipped.
//
// Everything runs on a PostgreSQL of its own and is thrown away afterwards. The pieces are:
//
//	bench.go     the order of things, and the database
//	text.go      words as people use them: a few all the time, most hardly ever
//	generate.go  the comments
//	mix.go       the queries
//	measure.go   how long they take, and their plans
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"salesforcesync/internal/devstack"
)

const usage = `benchread fills a source with comments on a PostgreSQL of its own, reads them through
the API, and prints how long each kind of query takes and its plan. 10 million comments need about
30 GB of disk and, on two cores, half an hour.

  make bench-read
  make bench-read ARGS='-rows 1000000'
  make bench-read ARGS='-rows 1000000 -keep'     and again: only measures

Flags:
`

// options are the flags.
type options struct {
	rows, times int
	keep, plans bool
	dir         string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 ok, 1 something failed, 2 bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	return devstack.Exit("benchread", stderr, err, func(tools *devstack.Tools) error { return bench(ctx, tools, o, stdout) })
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("benchread", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rows, "rows", 10_000_000, "how many `comments`")
	flags.IntVar(&o.times, "times", 200, "how many `queries` of each kind")
	flags.BoolVar(&o.plans, "plans", true, "print the plan of each kind")
	flags.BoolVar(&o.keep, "keep", false, "keep the database for the next run with as many comments, which then only measures")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the database (default .dev/bench-read)")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: everything is a flag, see benchread -help", flags.Arg(0))
	case o.rows < 1000 || o.times < 1:
		return o, errors.New("-rows must be at least 1000, -times positive")
	}
	return o, nil
}
