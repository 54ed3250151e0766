package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

func (a *app) backfillCommand() *cobra.Command {
	var o backfillOptions
	cmd := &cobra.Command{
		Use:   "backfill PROJECT/INTEGRATION [--object NAME]... [--from TIME] [--until TIME] | --pause | --resume | --cancel",
		Short: "Read all records again in bulk, beside live sync, or steer such a load",
		Long: `Reads all records of the objects again over the Bulk API, those whose SystemModstamp lies
between --from and --until if these are given, while live changes go on arriving within
their usual time. It costs no AI unit where no text has changed, and one per new comment
and changed text. Of the org's API requests it takes about one per 16 to 32 MB that
Salesforce sends, and some ten per part. What Salesforce refuses to the Bulk API
is read over REST: up to 2,000 records a request.

A first load of many records is such a backfill by itself: nothing has to be asked for.
Without --object it is of all objects. An object has one backfill at a time.

--pause, --resume and --cancel are for backfills that are under way, first loads included:
those of the objects named, or all. What a cancelled one has loaded stays; its jobs at
Salesforce are ended. Pausing an integration pauses its backfills, too.

When in doubt take ` + "`starter resync`" + `: it finds what is gone from Salesforce, too, and a large
one goes in bulk by itself.`,
		Example: `  starter backfill support/salesforce-prod
  starter backfill support/salesforce-prod --object EmailMessage --until 2026-01-01T00:00:00Z
  starter backfill support/salesforce-prod --object EmailMessage --pause
  next: starter status support/salesforce-prod --watch`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			signal, err := o.signal()
			if err != nil {
				return err
			}
			return a.steer(cmd.Context(), args[0], nil, func(ctx context.Context, s *steering) error {
				if signal != "" {
					return o.steer(ctx, s, signal)
				}
				return o.ask(ctx, s)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.objects, "object", nil, "API name of an object; may be repeated (default: all)")
	flags.StringVar(&o.from, "from", "", "records with a stamp at or after this time, such as 2026-11-01T00:00:00Z")
	flags.StringVar(&o.until, "until", "", "records with a stamp at or before this time")
	flags.BoolVar(&o.pause, "pause", false, "stop the backfills that are under way until --resume; live sync goes on")
	flags.BoolVar(&o.resume, "resume", false, "let paused backfills go on where they were")
	flags.BoolVar(&o.cancel, "cancel", false, "end the backfills that are under way; what they have loaded stays")
	return cmd
}

type backfillOptions struct {
	objects               []string
	from, until           string
	pause, resume, cancel bool
}

type backfillResult struct {
	Project     string                 `json:"project"`
	Integration string                 `json:"integration"`
	Action      string                 `json:"action"` // asked, pause, resume or cancel
	Objects     []string               `json:"objects"`
	UnderWay    []string               `json:"under_way"` // of all objects, those with a backfill already
	Estimates   []operate.LoadEstimate `json:"estimates"`
	Workflow    string                 `json:"workflow"` // signalled or not_started
}

// estimateWords says what an estimate is; stretch is for a load of one.
func estimateWords(e operate.LoadEstimate, stretch bool) string {
	about := "about"
	if stretch {
		about = "at most"
	}
	switch {
	case e.Rows == 0:
		return e.Object + ": how many records there are is counted first"
	case e.Calls == 0:
		return fmt.Sprintf("%s: %s %s records", e.Object, about, grouped(e.Rows))
	}
	return fmt.Sprintf("%s: %s %s records, %s; roughly %s API requests", e.Object, about, grouped(e.Rows), megabytes(e.Bytes), grouped(e.Calls))
}

func megabytes(n int64) string {
	if n < 1<<20 {
		return "less than 1 MB"
	}
	return grouped(n>>20) + " MB"
}

// signal is what is wanted of backfills that are under way; "" = a new one is.
func (o backfillOptions) signal() (string, error) {
	var wanted []string
	for _, flag := range []struct {
		given  bool
		signal string
	}{{o.pause, flow.SignalPause}, {o.resume, flow.SignalResume}, {o.cancel, flow.SignalCancel}} {
		if flag.given {
			wanted = append(wanted, flag.signal)
		}
	}
	switch {
	case len(wanted) == 0:
		return "", nil
	case len(wanted) > 1:
		return "", fault.New(fault.Invalid, "--pause, --resume and --cancel exclude each other").WithHint("give one of them")
	case o.from != "" || o.until != "":
		return "", fault.New(fault.Invalid, "--%s is for backfills that are under way: it takes no --from and no --until", wanted[0])
	}
	return wanted[0], nil
}

// ask asks for backfills.
func (o backfillOptions) ask(ctx context.Context, s *steering) error {
	from, until, err := stretch(o.from, o.until)
	if err != nil {
		return err
	}
	done, err := s.hand.Backfill(ctx, s.i, o.objects, from, until)
	if err != nil {
		if done.Written && fault.Is(err, fault.Unreachable) {
			s.app.say("the backfill is noted; it begins when Temporal is back")
		}
		return err
	}
	lines := []string{s.name() + " reads again in bulk, beside live sync: " + strings.Join(done.Objects, ", ")}
	for _, name := range done.UnderWay {
		lines = append(lines, name+": a backfill is under way already and goes on")
	}
	lines = append(lines, "it costs no AI units where no text has changed")
	for _, e := range done.Estimates {
		lines = append(lines, "  "+estimateWords(e, !from.IsZero() || !until.IsZero()))
	}
	next := "starter status " + s.name() + " --watch"
	switch {
	case s.i.Desired == store.DesiredPaused:
		lines, next = append(lines, s.name()+" is paused: it begins when the integration is resumed"), "starter resume "+s.name()
	case !s.connected():
		lines, next = append(lines, s.name()+" is not connected to Salesforce: it begins after the grant"), "starter connect "+s.name()
	}
	return s.showBackfill("asked", done, append(lines, "next: "+next))
}

// steer pauses, resumes or cancels backfills that are under way.
func (o backfillOptions) steer(ctx context.Context, s *steering, signal string) error {
	done, err := s.hand.SteerBackfills(ctx, s.i, o.objects, signal)
	if err != nil {
		if done.Written {
			s.app.say("it is noted, and acts within seconds; the workflow could not be told")
		}
		return err
	}
	objects := strings.Join(done.Objects, ", ")
	var text string
	switch signal {
	case flow.SignalPause:
		text = "the backfill of " + objects + " is paused; live sync goes on\nnext: starter backfill " + s.name() + " --resume"
	case flow.SignalResume:
		text = "the backfill of " + objects + " goes on where it was\nnext: starter status " + s.name() + " --watch"
		if s.i.Desired != store.DesiredRunning {
			text = "the backfill of " + objects + " is not paused, but " + s.name() + " is " + s.i.Desired + "\nnext: starter resume " + s.name()
		}
	default:
		text = "the backfill of " + objects + " is being cancelled: what is loaded stays, its jobs at Salesforce are ended\nnext: starter status " + s.name()
	}
	return s.showBackfill(signal, done, []string{text})
}

func (s *steering) showBackfill(action string, done operate.Backfilled, lines []string) error {
	if s.app.json {
		return s.app.printJSON(backfillResult{Project: s.i.Project, Integration: s.i.Name, Action: action,
			Objects: done.Objects, UnderWay: done.UnderWay, Estimates: done.Estimates, Workflow: done.Workflow})
	}
	s.app.say("%s", strings.Join(lines, "\n"))
	return nil
}
