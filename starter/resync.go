package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) resyncCommand() *cobra.Command {
	var o resyncOptions
	cmd := &cobra.Command{
		Use:   "resync PROJECT/INTEGRATION [--object NAME]... [--from TIME] [--until TIME]",
		Short: "Read records again and compare them with Salesforce, all or a stretch of time",
		Long: `Reads the records of the objects again whose SystemModstamp lies between --from and
--until, and compares them with what is stored: what is missing is read, what was deleted
is found. It costs no AI unit where no text has changed. Live changes go first, and a
resync that is interrupted goes on where it was. Without --object it is of all objects,
without times of all records.

Differences are found without it too, within the verify_interval of the file; this does it
at once, and does not rely on counts. A stretch of many records goes in bulk by itself, and
status shows it as a backfill. ` + "`starter backfill`" + ` goes in bulk whatever there is, and reads only
what Salesforce has; what is gone from there is a matter of resync and of the comparisons.`,
		Example: `  starter resync support/salesforce-prod
  starter resync support/salesforce-prod --object EmailMessage --from 2026-11-01T00:00:00Z
  next: starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, o.resync)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.objects, "object", nil, "API name of an object; may be repeated (default: all)")
	flags.StringVar(&o.from, "from", "", "records with a stamp at or after this time, such as 2026-11-01T00:00:00Z")
	flags.StringVar(&o.until, "until", "", "records with a stamp at or before this time")
	return cmd
}

type resyncOptions struct {
	objects     []string
	from, until string
}

func (o resyncOptions) resync(ctx context.Context, s *steering) error {
	from, until, err := stretch(o.from, o.until)
	if err != nil {
		return err
	}
	done, err := s.hand.Resync(ctx, s.i, o.objects, from, until)
	switch {
	case err != nil:
		return err
	case done.Desired == store.DesiredPaused:
		return s.show(done, s.name()+" is paused: the resync begins when it is resumed\nnext: starter resume "+s.name())
	}
	return s.show(done, s.name()+" reads again what was asked for\nnext: starter status "+s.name())
}

// stretch reads --from and --until, each zero when it is not given.
func stretch(fromText, untilText string) (from, until time.Time, err error) {
	if from, err = timeFlag("from", fromText); err != nil {
		return from, until, err
	}
	if until, err = timeFlag("until", untilText); err != nil {
		return from, until, err
	}
	if !from.IsZero() && !until.IsZero() && until.Before(from) {
		err = fault.New(fault.Invalid, "--until %s is before --from %s", untilText, fromText)
	}
	return from, until, err
}

func timeFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fault.New(fault.Invalid, "--%s: %q is not a time: write it as 2026-11-01T00:00:00Z", name, text)
	}
	return t, nil
}
