package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/store"
)

// waiting is what the relay has still to deliver, of all authsvc together, read when somebody asks. It is told
// here and not by the workers: whoever delivers it should be seen not to.
type waiting struct {
	read func(context.Context) (store.SignalTotals, error)
}

// scrapeWait bounds how long a scrape waits for the database.
const scrapeWait = 2 * time.Second

var outbox = struct{ signals, oldest *prometheus.Desc }{
	prometheus.NewDesc("salesforcesync_signals_waiting", "Signals that Temporal does not have yet.", nil, nil),
	prometheus.NewDesc("salesforcesync_signal_oldest_seconds", "How long ago the oldest of these was written; 0 when none waits.", nil, nil),
}

// Describe names the metrics.
func (waiting) Describe(out chan<- *prometheus.Desc) {
	out <- outbox.signals
	out <- outbox.oldest
}

// Collect reads them. A database that is away leaves them out: zero would be a lie.
func (w waiting) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	t, err := w.read(ctx)
	if err != nil {
		return
	}
	out <- prometheus.MustNewConstMetric(outbox.signals, prometheus.GaugeValue, float64(t.Waiting))
	out <- prometheus.MustNewConstMetric(outbox.oldest, prometheus.GaugeValue, t.Oldest.Seconds())
}
