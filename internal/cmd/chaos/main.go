// Command chaos is what `make chaos` starts: it breaks an installation of its own at random and says whether the
// product has kept its promises. It is not shipped. Package chaos is all of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"salesforcesync/internal/chaos"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
)

const usage = `chaos kills, halts and parts the processes of an installation of its own at random, while Salesforce is
written to, and compares the outcome record by record and unit by unit. The exit code is 1 when anything is off.

  make chaos
  make chaos FOR=30m SEED=42 RATE=6

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 every promise was kept, 1 not, 2 bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := chaos.Options{Out: stderr}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.For, "for", 5*time.Minute, "how `long` things are broken; reckonings come on top")
	flags.Uint64Var(&o.Seed, "seed", 0, "`seed` of faults and writes; 0 = one that nobody had")
	flags.Float64Var(&o.Rate, "rate", 4, "`writes` per second")
	flags.DurationVar(&o.Reckon, "reckon", time.Minute, "how `long` until everything is compared")
	flags.IntVar(&o.Lanes, "lanes", 3, "`faults` at a time")
	flags.StringVar(&o.MailDir, "mail", "", "`folder` of .eml files for the first load; made up without")
	flags.StringVar(&o.Dir, "dir", "", "`folder` of everything, logs too (default .dev/chaos/SEED)")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || o.For <= 0 || o.Rate <= 0 || o.Lanes < 1 || o.Reckon <= 0 {
		fmt.Fprintln(stderr, "chaos: everything is a flag, and all of them are positive: see chaos -help")
		return 2
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000)
	}
	if err := play(ctx, o, stdout); err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		if hint := fault.HintOf(err); hint != "" {
			fmt.Fprintf(stderr, "  %s\n", hint)
		}
		return 1
	}
	return 0
}

var errOff = errors.New("not every promise was kept")

func play(ctx context.Context, o chaos.Options, stdout io.Writer) error {
	if o.Dir == "" {
		tools, err := devstack.Here()
		if err != nil {
			return err
		}
		o.Dir = tools.Dev("chaos", fmt.Sprintf("%d-%s", o.Seed, time.Now().UTC().Format("20060102-150405")))
	}
	r, err := chaos.New(ctx, o)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Play(ctx); err != nil {
		return fmt.Errorf("%w; logs are in %s", err, filepath.Join(o.Dir, "logs"))
	}
	r.Report(stdout)
	if !r.OK() {
		return fmt.Errorf("%w; logs are in %s", errOff, filepath.Join(o.Dir, "logs"))
	}
	return nil
}
