// Command cursorrules plays one day of a simulated org to the cursor rules of other tools
// and to ours, side by side, and prints what each made of it: records missing, rows read
// twice, calls, and how late news came. `make cursor-rules` runs it; docs/cursor-rules.md
// says what came out and what the rules are. It is not shipped.
//
//	org.go         the simulated org, and every change that was made in it
//	workload.go    what is written, and when
//	rule.go        the rules of other tools, as small clients over the same HTTP
//	ours.go        the product's own code on a PostgreSQL whose time is the simulation's
//	account.go     what a rule asked and got
//	simulation.go  the day
//
// The simulator is called without a network and time stands still while somebody works,
// so a day passes in minutes and the same seed gives the same numbers.
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
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store/simtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv("DATABASE_URL"), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 ok, 1 something failed, 2 bad usage.
func run(ctx context.Context, args []string, server string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("cursorrules", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", 1, "decides everything that is written")
	hours := flags.Float64("hours", 24, "how much of the day is played")
	batch := flags.Bool("batch-jobs", false, "add three transactions that stay open for 12, 20 and 25 minutes")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *hours <= 0 || *hours > 24 {
		return 2
	}
	w := aDay(*seed)
	if *batch {
		w.long = []long{{10 * time.Hour, 12 * time.Minute}, {15 * time.Hour, 20 * time.Minute}, {23 * time.Hour, 25 * time.Minute}}
	}
	w = w.first(time.Duration(*hours * float64(time.Hour)))
	start := time.Now()
	if err := play(ctx, w, server, stdout); err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		if hint := fault.HintOf(err); hint != "" {
			fmt.Fprintf(stderr, "  %s\n", hint)
		}
		return 1
	}
	fmt.Fprintf(stderr, "played in %s\n", time.Since(start).Round(time.Second))
	return 0
}

// play runs the day on the server, or, without one, on one of its own.
func play(ctx context.Context, w workload, server string, out io.Writer) (err error) {
	if server == "" {
		pg, err := devstack.StartPostgres(ctx, devstack.PostgresOptions{})
		if err != nil {
			return err
		}
		defer pg.Remove() //nolint:errcheck // a throwaway server in a throwaway folder
		server = pg.URL()
	}
	ring, err := keys()
	if err != nil {
		return err
	}
	db, err := simtime.New(ctx, server, ring)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	result, err := simulate(ctx, w, db)
	if err != nil {
		return err
	}
	result.report(out)
	return nil
}
