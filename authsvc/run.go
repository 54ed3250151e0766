package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"salesforcesync/internal/access"
	"salesforcesync/internal/api"
	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/openid"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/web"
)

// What one authsvc asks of PostgreSQL at most. Large pages and counts take no more than
// 12 of the connections together, so that short questions find one; and an answer is of
// no use to a browser or a program after half a minute.
const (
	maxConns         = 16
	statementTimeout = 30 * time.Second
)

// run builds the door in the order in which its parts depend on each other, and
// keeps it open until ctx ends.
func run(ctx context.Context) error {
	cfg, err := config.Load(config.Authsvc)
	if err != nil {
		return err
	}
	temporalOptions, err := cfg.TemporalOptions()
	if err != nil {
		return err
	}
	hosts, err := salesforce.NewHostPolicy(cfg.ExtraHosts)
	if err != nil {
		return err
	}
	log, err := app.NewLogger("authsvc", cfg.LogLevel)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // standard error cannot always be synced
	app.SayBuild(log)

	process := app.New(log)
	tracer, err := process.Traces(ctx, "authsvc", cfg.Traces)
	if err != nil {
		return err
	}
	db, err := app.OpenDatabase(ctx, log, cfg.DatabaseURL, store.Options{
		Keys: cfg.Keys, ApplicationName: "authsvc", MaxConns: maxConns, StatementTimeout: statementTimeout, Applied: process.AppliedMetrics(store.LaneAPI),
	})
	if err != nil {
		return err
	}
	defer db.Close()
	// It does not wait for Temporal: reading needs none.
	temporalOptions.Logger = app.TemporalLogger(log)
	temporalOptions.MetricsHandler = process.TemporalMetrics()
	temporal, err := client.NewLazyClient(temporalOptions)
	if err != nil {
		return fmt.Errorf("make the Temporal client: %w", err)
	}
	defer temporal.Close()

	users := access.New(db)
	if cfg.AdminEmail != "" {
		created, err := users.EnsureAdministrator(ctx, cfg.AdminEmail, cfg.AdminPassword)
		if err != nil {
			return fmt.Errorf("create the first administrator from ADMIN_EMAIL and ADMIN_PASSWORD: %w", err)
		}
		if created {
			log.Info("created the first administrator", zap.String(flow.LogEmail, cfg.AdminEmail))
		}
	}

	process.DatabaseMetrics(db)
	process.Metrics.MustRegister(waiting{db.SignalTotals})
	process.Health.Add("database", db.Ping)
	process.Health.Add("schema", db.CheckSchema)
	process.Health.Add("temporal", app.TemporalReady(temporal, temporalOptions.Namespace))
	connections := &oauth.Service{Store: db, Hosts: hosts, PublicURL: cfg.PublicURL, Roles: access.RolesWith(access.IntegrationsWrite)}
	governor := &quota.Governor{Store: db}
	governor.Limits = func(ctx context.Context, integrationID string) (map[string]salesforce.Limit, error) {
		return connections.Org(integrationID).Limits(ctx)
	}
	connections.Quota = governor
	listener := store.NewListener()
	hand := &operate.Hand{
		Store: db, Dial: operate.Share(temporal, temporalOptions, cfg.PublicURL), Access: connections,
		Org: drafts{auth: connections, poll: &poll.Service{Store: db, Orgs: orgs{connections}, Listener: listener}},
	}
	buttons := operate.Buttons{Hand: hand}
	checks, err := operate.Checks(cfg.ExtraHosts, cfg.DeliveryHosts)
	if err != nil {
		return err
	}
	options := web.Options{PublicURL: cfg.PublicURL, TemporalUI: cfg.TemporalUI, TemporalNamespace: temporalOptions.Namespace, Operator: buttons, Setup: buttons, Checks: checks}
	if cfg.OIDC.Issuer != "" {
		options.OpenID = openid.New(db, openid.Options{
			Issuer: cfg.OIDC.Issuer, ClientID: cfg.OIDC.ClientID, ClientSecret: cfg.OIDC.ClientSecret, Domains: cfg.OIDC.Domains, PublicURL: cfg.PublicURL,
		})
	}
	pages, err := web.New(db, users, connections, options)
	if err != nil {
		return err
	}
	comments := api.New(db, users, api.Options{Session: pages.SessionOf, Listener: listener})
	process.Go("notifications", func(ctx context.Context) error { listener.Run(ctx, db); return nil })
	signals := &relay{store: db, temporal: temporal, listener: listener, log: log.Named("relay"), every: relayEvery}
	process.Go("relay", signals.run)
	process.Go("unconfirmed grants", func(ctx context.Context) error { return sweepGrants(ctx, connections, log) })
	process.Go("what has run out", func(ctx context.Context) error { return removeExpired(ctx, db, log) })
	process.Go("deleted sources", func(ctx context.Context) error { return eraseDeleted(ctx, db, log) })
	seen := newObserver(log, process.Metrics)
	process.Monitor(cfg.MetricsAddr)
	process.Serve("door", "LISTEN_ADDR", cfg.ListenAddr, newDoor(comments, pages, process.Health, seen.observe, cfg.Proxies, tracer))
	process.Add(app.Step{Name: "checks of drafts", Stop: func(context.Context) error { hand.Stop(); return nil }})
	process.Add(app.Step{Name: "pages that move", Stop: func(context.Context) error { pages.Stop(); return nil }}) // before the door waits for them
	return process.Run(ctx)
}
