package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// gathered are the values of a registry by name and label values.
func gathered(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "salesforcesync_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			out[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func TestMetricsOfAllIntegrations(t *testing.T) {
	t.Parallel()
	var now store.Totals
	var failing error
	reads := 0
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newTotals(func(_ context.Context, fresh time.Duration) (store.Totals, error) {
		reads++
		require.Equal(t, totalsFresh, fresh)
		return now, failing
	}))
	for name, n := range gathered(t, registry) {
		if name == "totals_age_seconds" {
			continue
		}
		require.Zero(t, n, "%s without an integration", name)
	}
	require.Equal(t, 1, reads, "all are read at once")

	now = store.Totals{
		Age:     time.Second,
		States:  map[string]store.StateTotals{flow.StateIdle: {Integrations: 7, LookAge: 11 * time.Second}, flow.StateQuotaWait: {Integrations: 2, LookAge: time.Hour}},
		Overdue: 3 * time.Second, Waiting: map[string]int64{"Permission": 4, "Conflict": 1},
		Completeness: store.CompletenessTotals{Objects: 1, Age: 90 * time.Second, Missing: 3, Repaired: 4, Waiting: 5},
		Loads:        store.LoadTotals{Open: 3, Waiting: 1, Rows: 10, Expected: 20, Jobs: 2},
		Deliveries: store.DeliveryTotals{States: map[string]int64{flow.StateIdle: 2, flow.StateBackingOff: 1}, Behind: 90 * time.Second, Undeliverable: 4,
			Counts: flow.DeliveryCounts{Sent: 15, New: 5, Updated: 3, Unchanged: 6, Uncounted: 1, Deleted: 2}},
		Alerts: map[string]int64{store.FieldHidden: 2}, WordsBehind: 6 * time.Second,
		Batches: map[string]int64{store.BatchSealed: 9}, BatchOldest: 8 * time.Second, StagedRows: 100, StagedBytes: 1000, SetAside: 12,
		MonthUnits: map[string]int64{store.ReasonCreated: 50}, CapShare: 0.25,
	}
	read := time.Now()
	got := gathered(t, registry)
	for name, want := range map[string]float64{
		"integrations idle": 7, "integrations quota_wait": 2, "integrations paused": 0, "look_age_seconds idle": 11, "look_age_seconds quota_wait": 3600,
		"look_overdue_seconds": 3, "objects_waiting Permission": 4, "objects_waiting Conflict": 1, "objects_waiting Internal": 0,
		"complete_age_seconds": 90, "rows_missing": 3, "differences_repaired_total": 4, "rechecks_waiting": 5,
		"backfills_open": 3, "backfills_waiting": 1, "backfill_rows_loaded": 10, "backfill_rows_expected": 20, "bulk_jobs": 2,
		"deliveries syncing": 0, "deliveries idle": 2, "deliveries backing_off": 1, "delivery_lag_seconds": 90, "delivery_undeliverable": 4,
		"delivery_comments new": 5, "delivery_comments updated": 3, "delivery_comments unchanged": 6, "delivery_comments uncounted": 1, "delivery_comments deleted": 2,
		"schema_alerts field_hidden": 2, "schema_alerts object_hidden": 0, "search_lag_seconds": 6,
		"batches_open reading": 0, "batches_open sealed": 9, "batch_oldest_seconds": 8, "staged_rows": 100, "staged_bytes": 1000, "records_set_aside": 12,
		"units_month created": 50, "units_month text_changed": 0, "unit_cap_used_ratio": 0.25,
	} {
		require.Contains(t, got, name)
		require.InDelta(t, want, got[name], 1e-9, name)
	}
	require.GreaterOrEqual(t, got["totals_age_seconds"], 1.0)
	require.LessOrEqual(t, got["totals_age_seconds"], 1+time.Since(read).Seconds())
	failing = errors.New("the database is away")
	require.Empty(t, gathered(t, registry), "zero would be a lie")
}

// Whoever scrapes does not wait for a count that takes long, and sees the last one until then.
func TestASlowCountKeepsTheLastOne(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	reads := make(chan struct{}, 10)
	slow := newTotals(func(context.Context, time.Duration) (store.Totals, error) {
		reads <- struct{}{}
		<-block
		return store.Totals{SetAside: 2}, nil
	})
	_, ok := slow.latest()
	require.False(t, ok, "nothing is known yet")
	slow.known.Store(&knownTotals{store.Totals{SetAside: 1}, time.Now()})
	got, ok := slow.latest()
	require.True(t, ok)
	require.EqualValues(t, 1, got.SetAside)
	require.Len(t, reads, 1, "it is asked once")
	slow.known.Store(&knownTotals{store.Totals{SetAside: 1}, time.Now().Add(-totalsKept - time.Second)})
	_, ok = slow.latest()
	require.False(t, ok, "too old to be believed")
	close(block)
	require.Eventually(t, func() bool { got, ok = slow.latest(); return ok && got.SetAside == 2 }, time.Minute, 10*time.Millisecond)
}
