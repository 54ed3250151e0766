package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/store"
)

// loads is how the open backfills are, read when somebody asks: of all of them together.
type loads struct {
	read func(context.Context) (store.LoadTotals, error)
}

var load = struct{ open, waiting, rows, expected, jobs *prometheus.Desc }{
	prometheus.NewDesc("salesforcesync_backfills_open", "Large loads that are under way.", nil, nil),
	prometheus.NewDesc("salesforcesync_backfills_waiting", "Of these, the ones that are paused or held up by a fault.", nil, nil),
	prometheus.NewDesc("salesforcesync_backfill_rows_loaded", "Rows that the large loads under way have loaded.", nil, nil),
	prometheus.NewDesc("salesforcesync_backfill_rows_expected", "Rows that the large loads under way have to load, by Salesforce's counts.", nil, nil),
	prometheus.NewDesc("salesforcesync_bulk_jobs", "Bulk API jobs that Salesforce keeps for us.", nil, nil),
}

// Describe names the metrics.
func (l loads) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{load.open, load.waiting, load.rows, load.expected, load.jobs} {
		out <- d
	}
}

// Collect reads them. A database that is away leaves them out: zero would be a lie.
func (l loads) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	t, err := l.read(ctx)
	if err != nil {
		return
	}
	for d, n := range map[*prometheus.Desc]int64{load.open: t.Open, load.waiting: t.Waiting, load.rows: t.Rows, load.expected: t.Expected, load.jobs: t.Jobs} {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
}
