package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/store"
)

// completeness is how complete the integrations are, read when somebody asks. It is of
// all of them together: an integration is no label.
type completeness struct {
	read func(context.Context) (store.CompletenessTotals, error)
}

var complete = struct{ age, missing, repaired, waiting *prometheus.Desc }{
	prometheus.NewDesc("salesforcesync_complete_age_seconds",
		"How long ago the moment is up to which the least complete object of a running, connected integration is complete.", nil, nil),
	prometheus.NewDesc("salesforcesync_rows_missing", "Rows that Salesforce counted and the store had not, at the last count.", nil, nil),
	prometheus.NewDesc("salesforcesync_differences_repaired_total", "Records that a comparison with Salesforce found different and had read again.", nil, nil),
	prometheus.NewDesc("salesforcesync_rechecks_waiting", "Records that are to be read again.", nil, nil),
}

// Describe names the metrics.
func (c completeness) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{complete.age, complete.missing, complete.repaired, complete.waiting} {
		out <- d
	}
}

// Collect reads them. A database that is away leaves them out: zero would be a lie.
func (c completeness) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	t, err := c.read(ctx)
	if err != nil {
		return
	}
	if t.Objects > 0 {
		out <- prometheus.MustNewConstMetric(complete.age, prometheus.GaugeValue, t.Age.Seconds())
	}
	out <- prometheus.MustNewConstMetric(complete.missing, prometheus.GaugeValue, float64(t.Missing))
	out <- prometheus.MustNewConstMetric(complete.repaired, prometheus.CounterValue, float64(t.Repaired))
	out <- prometheus.MustNewConstMetric(complete.waiting, prometheus.GaugeValue, float64(t.Waiting))
}
