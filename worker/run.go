package main

import (
	"context"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"salesforcesync/activities"
	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/deliver"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
	"salesforcesync/internal/transform"
)

// maxConns of the pool: the slots of the load queue and of backfills, the waiting watches
// that look at their row at the same moment, and the listener.
const maxConns = 32

// deliveriesAtOnce is how many pages are on their way to tenants at a time: each is some megabytes, for as
// long as a tenant takes for it.
const deliveriesAtOnce = 16

// run builds the worker in the order in which its parts depend on each other, and
// runs it until ctx ends.
func run(ctx context.Context) error {
	bound := boundMemory()
	cfg, err := config.Load(config.Worker)
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
	log, err := app.NewLogger("worker", cfg.LogLevel)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // standard error cannot always be synced
	app.SayBuild(log)

	process := app.New(log)
	tracer, err := process.Traces(ctx, "worker", cfg.Traces)
	if err != nil {
		return err
	}
	var traces *batchTraces
	var own *metrics
	count := process.AppliedMetrics(lanes...)
	db, err := app.OpenDatabase(ctx, log, cfg.DatabaseURL, store.Options{
		Keys: cfg.Keys, ApplicationName: "worker", MaxConns: maxConns,
		Applied: func(ctx context.Context, done store.Applied) {
			count(ctx, done)
			own.applied(done)
			traces.applied(ctx, done)
		},
	})
	if err != nil {
		return err
	}
	defer db.Close()
	if tracer != nil {
		instance, err := db.Instance(ctx)
		if err != nil {
			return err
		}
		traces = &batchTraces{tracer, instance}
	}
	temporalOptions.MetricsHandler = process.TemporalMetrics()
	temporalOptions.Interceptors = append(temporalOptions.Interceptors, newAttempts(process.Metrics, log.Named("activities"), traces))
	var temporal client.Client
	if err := app.WaitFor(ctx, log, "Temporal", app.WaitAtStart, func(ctx context.Context) (err error) {
		temporal, err = app.DialTemporal(ctx, log, temporalOptions)
		return err
	}); err != nil {
		return err
	}
	defer temporal.Close()
	if err := checkAttributes(ctx, temporal, temporalOptions.Namespace); err != nil {
		return err
	}

	process.Health.Add("database", db.Ping)
	process.Health.Add("schema", db.CheckSchema)
	process.Health.Add("temporal", app.TemporalReady(temporal, temporalOptions.Namespace))
	listener := store.NewListener()
	process.Go("notifications", func(ctx context.Context) error { listener.Run(ctx, db); return nil })
	process.Go("words", func(ctx context.Context) error { followWords(ctx, db, listener, log.Named("words")); return nil })
	process.Metrics.MustRegister(newTotals(db.Totals))
	process.DatabaseMetrics(db)
	governor := &quota.Governor{Store: db}
	own = newMetrics(process.Metrics, governor)
	auth := &oauth.Service{Store: db, Hosts: hosts, Observe: observe(own, log), Quota: governor}
	governor.Limits = func(ctx context.Context, integrationID string) (map[string]salesforce.Limit, error) {
		return auth.Org(integrationID).Limits(ctx)
	}
	addQueues(process, temporal, &activities.Activities{
		Store:      db,
		Poll:       &poll.Service{Store: db, Orgs: orgs{auth}, Listener: listener, Grants: grants{auth, log}, Quota: governor},
		Batches:    transform.Batches{Store: db},
		Deliveries: &deliver.Service{Store: db, Listener: listener, Tenant: tenant.New(cfg.DeliveryHosts), Pages: make(chan struct{}, deliveriesAtOnce)},
		Truncated:  func(comments int64) { own.truncated.Add(float64(comments)) },
		Watching:   bound.watching,
		Polls:      gate.NewTurns(livePolls()),
	}, cfg.TaskQueues)
	process.Monitor(cfg.MetricsAddr)
	return process.Run(ctx)
}

// grants logs what package poll does not fail for: a grant that could not be kept alive.
type grants struct {
	auth *oauth.Service
	log  *zap.Logger
}

// Renew gets a new session of a connection.
func (g grants) Renew(ctx context.Context, integrationID string, generation int64) error {
	err := g.auth.Renew(ctx, integrationID, generation)
	if err != nil {
		g.log.Warn("the grant of a connection could not be kept alive; it is tried again within hours",
			zap.String(flow.LogIntegrationID, integrationID), zap.Error(err), zap.String(flow.LogHint, fault.HintOf(err)))
	}
	return err
}

// observe counts every exchange with Salesforce, and logs those that failed and that the
// client makes again by itself: no error tells of them.
func observe(m *metrics, log *zap.Logger) func(salesforce.Call) {
	return func(c salesforce.Call) {
		m.observe(c)
		if c.Again {
			log.Warn("an answer of Salesforce was no use; the call is made again", zap.String(flow.LogCall, c.Kind), zap.Int(flow.LogStatus, c.Status),
				zap.String(flow.LogFault, string(c.Fault)), zap.String(flow.LogCode, c.Code), zap.String(flow.LogSalesforceRequestID, c.RequestID))
		}
	}
}

// orgs lets package poll see clients as the interface it declares.
type orgs struct{ auth *oauth.Service }

// Org gives the client of an integration's org.
func (o orgs) Org(integrationID string) poll.Salesforce { return o.auth.Org(integrationID) }
