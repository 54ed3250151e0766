package main

import (
	"context"

	"github.com/spf13/cobra"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) setupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Migrate the database, create search attributes and the first administrator",
		Long: `Brings an installation to this release: migrates the database, creates the first
administrator from ADMIN_EMAIL and ADMIN_PASSWORD when there is no user yet, and
creates Temporal's search attributes SyncProject, SyncIntegration and SyncStatus. In a
database that was restored from a dump of another server it numbers changes anew, so that
those who follow them see them.

It may be repeated at any time and does what is left to do. worker and authsvc refuse
to run before it on a new or older database. A newer database is left as it is, and refused
when this release does not go on with it.`,
		Example: `  ADMIN_EMAIL=ann@acme.example ADMIN_PASSWORD_FILE=/run/secrets/admin starter setup
  next: starter apply -f integration.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.setup(cmd.Context()) },
	}
}

type setupResult struct {
	SchemaBefore         int      `json:"schema_before"`
	Schema               int      `json:"schema"`
	ChangesRenumbered    int64    `json:"changes_renumbered"` // after a restore into another server
	AdministratorCreated bool     `json:"administrator_created"`
	AttributesCreated    []string `json:"search_attributes_created"`
}

func (a *app) setup(ctx context.Context) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.openAny(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	var result setupResult
	if result.SchemaBefore, result.Schema, err = db.Migrate(ctx); err != nil {
		return err
	}
	own, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	switch {
	case result.Schema > own:
		a.say("database: schema version %d of a newer release; this one, of version %d, goes on with it", result.Schema, own)
	case result.SchemaBefore == result.Schema:
		a.say("database: schema version %d, nothing to migrate", result.Schema)
	default:
		a.say("database: migrated from schema version %d to %d", result.SchemaBefore, result.Schema)
	}
	if result.ChangesRenumbered, err = db.RenumberChanges(ctx); err != nil {
		return err
	}
	if result.ChangesRenumbered > 0 {
		a.say("database: it was restored from another server; the last changes of %d comments were numbered anew", result.ChangesRenumbered)
	}
	if result.AdministratorCreated, err = a.firstAdministrator(ctx, cfg, db); err != nil {
		return err
	}
	temporal, err := a.dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer temporal.Close()
	if result.AttributesCreated, err = temporal.createAttributes(ctx); err != nil {
		return err
	}
	if len(result.AttributesCreated) == 0 {
		a.say("temporal: search attributes are there")
	} else {
		a.say("temporal: created search attributes %v", result.AttributesCreated)
	}
	a.say("next: starter apply -f integration.yaml")
	if a.json {
		return a.printJSON(result)
	}
	return nil
}

func (a *app) firstAdministrator(ctx context.Context, cfg *config.Config, db *store.Store) (bool, error) {
	if cfg.AdminEmail == "" {
		exists, err := db.HasUsers(ctx)
		if err == nil && !exists {
			a.say("administrator: there is no user yet; set ADMIN_EMAIL and ADMIN_PASSWORD and run setup again to create one")
		}
		return false, err
	}
	created, err := access.New(db).EnsureAdministrator(ctx, cfg.AdminEmail, cfg.AdminPassword)
	switch {
	case fault.Is(err, fault.Invalid):
		return false, fault.Wrap(fault.Invalid, err, "ADMIN_EMAIL and ADMIN_PASSWORD")
	case err != nil:
		return false, err
	case created:
		a.say("administrator: created %s with every right on every project", cfg.AdminEmail)
	default:
		a.say("administrator: there are users already, none was created")
	}
	return created, nil
}
