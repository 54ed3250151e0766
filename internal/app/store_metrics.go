package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/store"
)

// AppliedMetrics counts what this process makes of comments, through lanes: give it to the store.
func (a *App) AppliedMetrics(lanes ...string) func(context.Context, store.Applied) {
	comments := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_comments_applied_total",
		Help: "Records and comments that this process applied, by what became of them.",
	}, []string{"lane", "outcome"})
	units := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_units_total",
		Help: "AI units that this process wrote to the bill.",
	}, []string{"lane", "reason"})
	a.Metrics.MustRegister(comments, units)
	for _, lane := range lanes { // the first one is to be seen as one more than none
		comments.WithLabelValues(lane, "created")
		units.WithLabelValues(lane, store.ReasonCreated)
		units.WithLabelValues(lane, store.ReasonTextChanged)
	}
	return func(_ context.Context, done store.Applied) {
		c := done.Counts
		for outcome, n := range map[string]int64{"created": c.Created, "text_changed": c.TextChanged, "metadata_changed": c.MetadataChanged, "unchanged": c.Unchanged,
			"stale": c.Stale, "set_aside": c.SetAside, "deleted": c.Deleted, "filtered": c.Filtered, "invisible": c.Invisible} {
			if n > 0 {
				comments.WithLabelValues(done.Lane, outcome).Add(float64(n))
			}
		}
		units.WithLabelValues(done.Lane, store.ReasonCreated).Add(float64(c.Created))
		units.WithLabelValues(done.Lane, store.ReasonTextChanged).Add(float64(c.TextChanged))
	}
}

// DatabaseMetrics shows how the process uses its connections to PostgreSQL.
func (a *App) DatabaseMetrics(db *store.Store) { a.Metrics.MustRegister(connections{db.PoolStats}) }

type connections struct{ stats func() store.PoolStats }

var pool = struct{ connections, most, waits, waited *prometheus.Desc }{
	prometheus.NewDesc("salesforcesync_database_connections", "Connections of this process to PostgreSQL.", []string{"state"}, nil),
	prometheus.NewDesc("salesforcesync_database_connections_max", "The most connections that this process opens.", nil, nil),
	prometheus.NewDesc("salesforcesync_database_waits_total", "How often one was waited for, because all were in use.", nil, nil),
	prometheus.NewDesc("salesforcesync_database_wait_seconds_total", "How long they were waited for.", nil, nil),
}

// Describe names the metrics.
func (connections) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pool.connections, pool.most, pool.waits, pool.waited} {
		out <- d
	}
}

// Collect gives their values.
func (c connections) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for state, n := range map[string]int64{"in_use": s.InUse, "idle": s.Idle, "opening": s.Opening} {
		out <- prometheus.MustNewConstMetric(pool.connections, prometheus.GaugeValue, float64(n), state)
	}
	out <- prometheus.MustNewConstMetric(pool.most, prometheus.GaugeValue, float64(s.Max))
	out <- prometheus.MustNewConstMetric(pool.waits, prometheus.CounterValue, float64(s.Waits))
	out <- prometheus.MustNewConstMetric(pool.waited, prometheus.CounterValue, s.Waited.Seconds())
}
