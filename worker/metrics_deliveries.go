package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// deliveries is how comments go out to tenants, read when somebody asks: of all integrations together.
type deliveries struct {
	read func(context.Context) (store.DeliveryTotals, error)
}

var delivery = struct{ states, behind, undeliverable, comments *prometheus.Desc }{
	prometheus.NewDesc("salesforcesync_deliveries", "Integrations that deliver to a tenant, by the state of it.", []string{"state"}, nil),
	prometheus.NewDesc("salesforcesync_delivery_lag_seconds",
		"How long ago the oldest change to a comment was made that is not delivered, of all deliveries; 0 when everything is.", nil, nil),
	prometheus.NewDesc("salesforcesync_delivery_undeliverable", "Comments that tenants refuse for what they are.", nil, nil),
	prometheus.NewDesc("salesforcesync_delivery_comments",
		"Comments that tenants took, by what they say became of them, since each delivery has its destination.", []string{"result"}, nil),
}

// deliveryStates are those that are always told, so that one which nobody is in reads 0.
var deliveryStates = []string{flow.StateSyncing, flow.StateIdle, flow.StateBackingOff, flow.StateConfigInvalid, flow.StatePaused, flow.StateDisconnected}

// Describe names the metrics.
func (d deliveries) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{delivery.states, delivery.behind, delivery.undeliverable, delivery.comments} {
		out <- desc
	}
}

// Collect reads them. A database that is away leaves them out: zero would be a lie.
func (d deliveries) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	t, err := d.read(ctx)
	if err != nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, state := range deliveryStates {
		gauge(delivery.states, float64(t.States[state]), state)
	}
	gauge(delivery.behind, t.Behind.Seconds())
	gauge(delivery.undeliverable, float64(t.Undeliverable))
	for result, n := range map[string]int64{"new": t.Counts.New, "updated": t.Counts.Updated, "unchanged": t.Counts.Unchanged,
		"uncounted": t.Counts.Uncounted, "deleted": t.Counts.Deleted} {
		gauge(delivery.comments, float64(n), result)
	}
}
