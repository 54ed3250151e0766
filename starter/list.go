package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/store"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [PROJECT]",
		Short: "List integrations with their state",
		Long:  `Lists every integration, or those of one project, from PostgreSQL alone.`,
		Example: `  starter list
  starter list support --json
  next: starter status support/salesforce-prod`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			project := ""
			if len(args) == 1 {
				project = args[0]
			}
			return a.list(cmd.Context(), project)
		},
	}
}

func (a *app) list(ctx context.Context, project string) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	if project != "" {
		if err := knownProject(ctx, db, project); err != nil {
			return err
		}
	}
	all, err := db.ListIntegrations(ctx, project)
	if err != nil {
		return err
	}
	if a.json {
		list := make([]integrationView, len(all))
		for n, i := range all {
			list[n] = viewIntegration(i)
		}
		return a.printJSON(list)
	}
	return a.printTable(all)
}

func (a *app) printTable(all []store.Integration) error {
	if len(all) == 0 {
		a.say("there are no integrations yet\nnext: starter apply -f integration.yaml")
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INTEGRATION\tSTATE\tCONNECTION\tOBJECTS\tCOMMENTS\tAI UNITS\tCOMPLETE TO\tREASON")
	for _, i := range all {
		objects := fmt.Sprint(i.Objects)
		if i.Invalid > 0 {
			objects += fmt.Sprintf(" (%d invalid)", i.Invalid)
		}
		state, reason, _ := shown(i)
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", i.Project, i.Name, state, i.ConnectionState, objects, i.Comments, i.Units, when(i.CompleteTo), reason)
	}
	return w.Flush()
}

// when writes a time as people and scripts both read it.
func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
