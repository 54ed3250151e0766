package main

import (
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/build"
	"salesforcesync/internal/store"
)

const rootLong = `starter sets up, applies, connects and steers integrations that copy Salesforce
records into comments.

The way of an integration:

  1. starter setup                                   once per installation and release
  2. starter apply -f integration.yaml               write down what to sync
  3. starter connect support/salesforce-prod         send the printed link to the Salesforce administrator
  4. starter status support/salesforce-prod          watch it

It needs DATABASE_URL (clean and health need none) and, to start and signal workflows, Temporal (TEMPORAL_ADDRESS,
default localhost:7233). Every secret variable has a _FILE form.

Exit codes: 0 done, 1 it went wrong, 2 bad input, 3 PostgreSQL or Temporal cannot be reached.
What scripts read is on stdout, talk is on stderr; --json (or -json) makes stdout JSON.`

// command is the tree of commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "starter",
		Short:         "Set up, apply, connect and steer integrations",
		Long:          rootLong,
		Version:       build.Read().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.began = true
			// What a command changes is in the audit log under its name, unless the store has a better one.
			name := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.TrimPrefix(cmd.CommandPath(), "starter "))
			ctx, _ := store.WithPending(cmd.Context(), store.AuditEvent{Type: "starter." + name})
			cmd.SetContext(ctx)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("starter {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.PersistentFlags().BoolVar(&a.json, "json", false, "write JSON to stdout")
	root.AddGroup(
		&cobra.Group{ID: "make", Title: "Make an integration:"},
		&cobra.Group{ID: "steer", Title: "Steer it:"},
		&cobra.Group{ID: "see", Title: "See how it is:"},
		&cobra.Group{ID: "house", Title: "Keep house:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"make":  {a.setupCommand(), a.planCommand(), a.applyCommand(), a.connectCommand()},
		"steer": {a.startCommand(), a.pauseCommand(), a.resumeCommand(), a.syncNowCommand(), a.resyncCommand(), a.backfillCommand(), a.retransformCommand(), a.deliverCommand(), a.disconnectCommand()},
		"see":   {a.statusCommand(), a.checkCommand(), a.listCommand(), a.usageCommand(), a.auditCommand(), a.skippedCommand(), a.explainCommand(), a.faultCommand(), a.cleanCommand(), a.healthCommand()},
		"house": {a.userCommand(), a.roleCommand(), a.tokenCommand(), a.keysCommand(), a.eraseCommand(), a.deleteCommand()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}
