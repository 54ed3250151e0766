// Command bench is what `make bench` starts: it loads the same mails into the product and
// into what people would use instead, one after the other on this machine, and prints
// what each took. It is not shipped.
//
// Everything runs on servers of its own, on free ports, and is thrown away afterwards. The
// pieces are:
//
//	bench.go      the ground all share: PostgreSQL, simulator, the CSV; and the order of things
//	ours.go       the product, through its shipped programs
//	live.go       mail that is written meanwhile
//	others.go     ceiling, COPY, jsforce, curl
//	crossing.go   where Bulk overtakes REST
//	profile.go    where the worker's and the database's time goes
//	table.go      medians, and how they are printed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"salesforcesync/internal/devstack"
)

const usage = `bench loads the same mails into the product and into what people would use instead, on
servers of its own on this machine, and prints a table. It takes some minutes, and about
10 GB of disk for 300,000 mails.

  make bench
  make bench ARGS='-rows 20000 -runs 1'
  make bench ARGS='-only ours,curl -live'
  make bench ARGS='-crossing 1000,5000,20000,50000,100000'

Flags:
`

// options are the flags.
type options struct {
	rows, runs int
	only       []string
	live       bool
	crossing   []int
	profile    string // folder; "" = no profile
	dir        string // folder of everything that is thrown away
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
	return devstack.Exit("bench", stderr, err, func(tools *devstack.Tools) error { return bench(ctx, tools, "", o, stdout) })
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only, crossing string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rows, "rows", 300_000, "how many `mails` of about 8 KB")
	flags.IntVar(&o.runs, "runs", 3, "how many `times`; the table has medians")
	flags.StringVar(&only, "only", "", "`rows` of the table to do, comma-separated: "+strings.Join(rowKeys(), ", "))
	flags.BoolVar(&o.live, "live", false, "write mail during our first load, and measure when it can be read")
	flags.StringVar(&crossing, "crossing", "", "instead: first loads of so many `mails`, over REST and in bulk, such as 1000,5000,20000")
	flags.StringVar(&o.profile, "profile", "", "`folder` for a CPU profile of the worker and the statements of the database; costs a few percent")
	flags.StringVar(&o.dir, "dir", "", "`folder` for everything that is thrown away (default .dev/bench)")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, key := range o.only {
		if !slices.Contains(rowKeys(), key) {
			return o, fmt.Errorf("-only %s: there is no such row: there are %s", key, strings.Join(rowKeys(), ", "))
		}
	}
	if crossing != "" {
		for text := range strings.SplitSeq(crossing, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return o, fmt.Errorf("-crossing %s: these are no numbers of mails", crossing)
			}
			o.crossing = append(o.crossing, n)
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: everything is a flag, see bench -help", flags.Arg(0))
	case o.rows < 1 || o.runs < 1:
		return o, errors.New("-rows and -runs must be positive")
	}
	return o, nil
}
