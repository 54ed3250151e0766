package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/config"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

func (a *app) planCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Show what apply would change, and change nothing",
		Long: `Reads an integration file as apply does and says what applying it would change: keys,
objects that would be read again from their start, whether Salesforce would have to be
connected again, how a first load would go, and how often the org's API quota lets it look
for news. How much there is to load nobody knows before the grant. Of an
integration that was checked it also says how each object is followed and how many
records it has, as of the last check. Nothing is changed; Temporal is not needed. The exit
code is 0 with and without changes.`,
		Example: `  starter plan -f integration.yaml
  starter plan -f integration.yaml --json | jq .objects_read_again
  next: starter apply -f integration.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), file) },
	}
	fileFlag(cmd, &file)
	return cmd
}

type planResult struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	store.ApplyResult
	Quota  operate.QuotaView `json:"quota"`
	Month  capView           `json:"ai_units_month"` // with the cap of the file
	Report *poll.Report      `json:"report"`         // of the last check of what is in force; null when there is none
}

func (a *app) plan(ctx context.Context, file string) error {
	cfg, spec, err := a.readFile(file)
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	hand, err := a.hand(cfg, db)
	if err != nil {
		return err
	}
	result, err := hand.Plan(ctx, spec, operate.ApplyOptions{})
	if err != nil {
		return err
	}
	month := viewCap(result.Month)
	if a.json {
		return a.printJSON(planResult{spec.Project, spec.Integration, shownApply(result.ApplyResult), result.Quota, month, result.Report})
	}
	switch {
	case result.Created:
		a.print("would create %s, comments would go to source %s/%s", spec.Name(), spec.Project, spec.Source)
		if result.ProjectCreated {
			a.print("  + project %s", spec.Project)
		}
		if result.SourceCreated {
			a.print("  + source %s/%s", spec.Project, spec.Source)
		}
	case result.Changed:
		a.print("would change %s to version %d", spec.Name(), result.SpecVersion)
	default:
		a.print("no changes to %s, version %d", spec.Name(), result.SpecVersion)
		a.printQuota(result.Quota)
		a.printCap(month)
		a.printFindings(result.Report)
		return nil
	}
	a.printChanges(result.ApplyResult)
	a.printFirstLoad(spec, result.FirstLoads(spec))
	a.printQuota(result.Quota)
	a.printCap(month)
	a.printFindings(result.Report)
	if cfg.Keys == nil && spec.Connection.ConsumerSecret != "" && !result.Created {
		a.say("without ENCRYPTION_KEYS it cannot be told whether the consumer secret changes")
	}
	a.say("next: starter apply -f %s", file)
	return nil
}

// printFirstLoad says how the objects would be loaded that are new or read from their start.
func (a *app) printFirstLoad(spec config.Integration, objects []string) {
	if len(objects) == 0 {
		return
	}
	a.print("  first load: of %s; what is written meanwhile arrives as usual", strings.Join(objects, ", "))
	a.print("    many records are read in bulk beside that, 1 AI unit per new comment; how many there are is counted after the grant")
	a.print("    watch it: starter status %s --watch; a pause, or the end of it: starter backfill %s --pause, --cancel", spec.Name(), spec.Name())
}

// printCap says what the month has cost, and what follows from the cap of the file.
func (a *app) printCap(v capView) {
	a.print("  AI units: %s", v.line())
	if v.Cap > 0 && v.Left == 0 {
		a.print("    the cap is reached: what costs AI units waits until the month turns (UTC) or the cap is raised")
	}
}

// printFindings says what the last check found of what is in force now.
func (a *app) printFindings(r *poll.Report) {
	if r == nil {
		return
	}
	a.print("in Salesforce, as of the check of %s:", when(&r.At))
	for _, o := range r.Objects {
		if !o.OK {
			a.print("  %s: not synced: %s", o.Object, o.Problem)
			continue
		}
		line := o.CursorNote
		if o.Rows != nil {
			line += fmt.Sprintf("; %d records", *o.Rows)
		}
		if o.ViewAll == store.ViewAllNo {
			line += ", of those that are shared with the user"
		}
		a.print("  %s: %s", o.Object, line)
	}
	for _, sentence := range r.Must {
		a.print("  must be changed: %s", sentence)
	}
}
