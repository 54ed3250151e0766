package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func TestMetricsOfDeliveries(t *testing.T) {
	t.Parallel()
	var totals store.DeliveryTotals
	var failing error
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(deliveries{func(context.Context) (store.DeliveryTotals, error) { return totals, failing }})
	read := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		out := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, label := range m.GetLabel() {
					name += " " + label.GetValue()
				}
				out[name] = m.GetGauge().GetValue()
			}
		}
		return out
	}
	for _, n := range read() {
		require.Zero(t, n, "without a delivery")
	}
	totals = store.DeliveryTotals{States: map[string]int64{flow.StateIdle: 2, flow.StateBackingOff: 1}, Behind: 90 * time.Second, Undeliverable: 4,
		Counts: flow.DeliveryCounts{Sent: 15, New: 5, Updated: 3, Unchanged: 6, Uncounted: 1, Deleted: 2}}
	require.Equal(t, map[string]float64{
		"salesforcesync_deliveries syncing": 0, "salesforcesync_deliveries idle": 2, "salesforcesync_deliveries backing_off": 1,
		"salesforcesync_deliveries config_invalid": 0, "salesforcesync_deliveries paused": 0, "salesforcesync_deliveries disconnected": 0,
		"salesforcesync_delivery_lag_seconds": 90, "salesforcesync_delivery_undeliverable": 4,
		"salesforcesync_delivery_comments new": 5, "salesforcesync_delivery_comments updated": 3, "salesforcesync_delivery_comments unchanged": 6,
		"salesforcesync_delivery_comments uncounted": 1, "salesforcesync_delivery_comments deleted": 2,
	}, read())
	failing = errors.New("the database is away")
	require.Empty(t, read(), "zero would be a lie")
}
