// Command benchidle is what `make bench-idle` starts: it runs many integrations that have
// nothing to do on servers of its own on this machine, and prints what each process takes for
// them and what they cost in Temporal. It is not shipped.
//
//	idle.go     the ground, the integrations, and what is read before and after
//	report.go   what is printed
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
	"time"

	"salesforcesync/internal/devstack"
)

const usage = `bench-idle runs integrations of five objects that have nothing to do, and prints what
they take: CPU and memory of each process, calls to Salesforce, and the events and bytes of
Temporal's history.

  make bench-idle
  make bench-idle ARGS='-integrations 1 -for 60m'

Flags:
`

// options are the flags.
type options struct {
	integrations int
	interval     time.Duration
	over         time.Duration // measured
	settle       time.Duration // before: first syncs, and the scans that follow them
	dir          string
	profile      string // file; "" = none
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
	return devstack.Exit("bench-idle", stderr, err, func(tools *devstack.Tools) error { return bench(ctx, tools, "", o, stdout) })
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench-idle", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.integrations, "integrations", 1000, "how many")
	flags.DurationVar(&o.interval, "interval", 10*time.Second, "their poll_interval")
	flags.DurationVar(&o.over, "for", 12*time.Minute, "how long to measure; a watch lasts 10 minutes")
	flags.DurationVar(&o.settle, "settle", time.Minute, "how long to leave alone what has been synced before measuring")
	flags.StringVar(&o.dir, "dir", "", "`folder` for everything that is thrown away (default .dev/bench-idle)")
	flags.StringVar(&o.profile, "profile", "", "`file` for a CPU profile of the worker while it is measured")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: everything is a flag, see bench-idle -help", flags.Arg(0))
	case o.integrations < 1 || o.interval < time.Second || o.over <= 0 || o.settle < 0:
		return o, errors.New("-integrations and -for must be positive, -interval a second or more")
	}
	return o, nil
}
