package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// totals is how everything is, of all integrations together, read when somebody asks. An integration is no
// label: there may be ten thousand. All workers say the same, because one counts for all.
type totals struct {
	read func(ctx context.Context, fresh time.Duration) (store.Totals, error)

	asking singleflight.Group
	known  atomic.Pointer[knownTotals]
}

type knownTotals struct {
	store.Totals
	at time.Time // by this machine, when they were got
}

const (
	totalsFresh = 15 * time.Second // as long as they are good for everybody
	totalsAfter = 30 * time.Second // counting may take this long; whoever scrapes does not wait for it
	totalsKept  = 5 * time.Minute  // so long the last ones are shown while counting takes longer
	scrapeWait  = 2 * time.Second  // that a scrape waits for the database
)

func newTotals(read func(ctx context.Context, fresh time.Duration) (store.Totals, error)) *totals {
	return &totals{read: read}
}

// latest gives the totals; ok is false when the database is away, or has been too slow for too long.
func (t *totals) latest() (store.Totals, bool) {
	asked := t.asking.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), totalsAfter)
		defer cancel()
		got, err := t.read(ctx, totalsFresh)
		if err == nil {
			t.known.Store(&knownTotals{got, time.Now()})
		}
		return nil, err
	})
	wait := time.NewTimer(scrapeWait)
	defer wait.Stop()
	select {
	case answer := <-asked:
		if answer.Err != nil {
			return store.Totals{}, false
		}
	case <-wait.C:
	}
	k := t.known.Load()
	if k == nil || time.Since(k.at) > totalsKept {
		return store.Totals{}, false
	}
	now := k.Totals
	now.Age += time.Since(k.at)
	return now, true
}

var of = struct {
	integrations, lookAge, overdue, waiting            *prometheus.Desc
	completeAge, missing, repaired, rechecks, setAside *prometheus.Desc
	batches, batchOldest, stagedRows, stagedBytes      *prometheus.Desc
	loads, loadsWaiting, loaded, expected, jobs        *prometheus.Desc
	deliveries, behind, undeliverable, delivered       *prometheus.Desc
	words, alerts, month, capShare                     *prometheus.Desc
	age                                                *prometheus.Desc
}{
	integrations: totalsOf("integrations", "Integrations by their state.", "state"),
	lookAge:      totalsOf("look_age_seconds", "How long ago Salesforce was last asked for news, of the integration in a state that was asked longest ago.", "state"),
	overdue:      totalsOf("look_overdue_seconds", "How long the look that is waited for longest is overdue, of running integrations that wait for nothing; 0 when none is."),
	waiting:      totalsOf("objects_waiting", "Objects that wait after a fault, by its kind.", "fault"),

	completeAge: totalsOf("complete_age_seconds", "How long ago the moment is up to which the least complete object of a running, connected integration is complete."),
	missing:     totalsOf("rows_missing", "Rows that Salesforce counted and the store had not, at the last count."),
	repaired:    totalsOf("differences_repaired_total", "Records that a comparison with Salesforce found different and had read again."),
	rechecks:    totalsOf("rechecks_waiting", "Records that are to be read again."),
	setAside:    totalsOf("records_set_aside", "Records that cannot become comments."),

	batches:     totalsOf("batches_open", "Batches that are not applied yet, by what was done last.", "stage"),
	batchOldest: totalsOf("batch_oldest_seconds", "How long ago the oldest batch was begun that has been read and is not applied, of running integrations."),
	stagedRows:  totalsOf("staged_rows", "Rows of the batches that are not applied yet."),
	stagedBytes: totalsOf("staged_bytes", "Bytes of these rows, as Salesforce sent them."),

	loads:        totalsOf("backfills_open", "Large loads that are under way."),
	loadsWaiting: totalsOf("backfills_waiting", "Of these, the ones that are paused or held up by a fault."),
	loaded:       totalsOf("backfill_rows_loaded", "Rows that the large loads under way have loaded."),
	expected:     totalsOf("backfill_rows_expected", "Rows that the large loads under way have to load, by Salesforce's counts."),
	jobs:         totalsOf("bulk_jobs", "Bulk API jobs that Salesforce keeps for us."),

	deliveries:    totalsOf("deliveries", "Integrations that deliver to a tenant, by the state of it.", "state"),
	behind:        totalsOf("delivery_lag_seconds", "How long ago the oldest change to a comment was made that is not delivered, of all deliveries; 0 when everything is."),
	undeliverable: totalsOf("delivery_undeliverable", "Comments that tenants refuse for what they are."),
	delivered:     totalsOf("delivery_comments", "Comments that tenants took, by what they say became of them, since each delivery has its destination.", "result"),

	words:    totalsOf("search_lag_seconds", "How long ago the oldest change to a comment was made that searches do not find yet, of all sources; 0 when they find everything."),
	alerts:   totalsOf("schema_alerts", "Fields and objects that were read before and are hidden now, of all integrations.", "kind"),
	month:    totalsOf("units_month", "AI units of this month (UTC), by reason.", "reason"),
	capShare: totalsOf("unit_cap_used_ratio", "The largest part of its monthly_unit_cap that an integration has used; 0 without caps."),

	age: totalsOf("totals_age_seconds", "How old the numbers are that are of all integrations."),
}

func totalsOf(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("salesforcesync_"+name, help, labels, nil)
}

// What is always told, so that what is not there reads 0.
var (
	allStates = []string{flow.StateAwaitingAuthorization, flow.StateSyncing, flow.StateIdle, flow.StateBackingOff, flow.StateQuotaWait, flow.StatePaused,
		flow.StateConfigInvalid, flow.StateDisconnected}
	deliveryStates = []string{flow.StateSyncing, flow.StateIdle, flow.StateBackingOff, flow.StateConfigInvalid, flow.StatePaused, flow.StateDisconnected}
	waitingFaults  = []fault.Kind{fault.Transient, fault.RateLimited, fault.Stale, fault.Quota, fault.Permission, fault.Config, fault.Unreachable, fault.Internal}
)

// Describe names the metrics.
func (t *totals) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{of.integrations, of.lookAge, of.overdue, of.waiting, of.completeAge, of.missing, of.repaired, of.rechecks, of.setAside,
		of.batches, of.batchOldest, of.stagedRows, of.stagedBytes, of.loads, of.loadsWaiting, of.loaded, of.expected, of.jobs,
		of.deliveries, of.behind, of.undeliverable, of.delivered, of.words, of.alerts, of.month, of.capShare, of.age} {
		out <- d
	}
}

// Collect gives their values. A database that is away leaves them out: zero would be a lie.
func (t *totals) Collect(out chan<- prometheus.Metric) {
	n, ok := t.latest()
	if !ok {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, state := range allStates {
		gauge(of.integrations, float64(n.States[state].Integrations), state)
		gauge(of.lookAge, n.States[state].LookAge.Seconds(), state)
	}
	gauge(of.overdue, n.Overdue.Seconds())
	for _, kind := range waitingFaults {
		gauge(of.waiting, float64(n.Waiting[string(kind)]), string(kind))
	}
	for kind, objects := range n.Waiting {
		if !slices.Contains(waitingFaults, fault.Kind(kind)) {
			gauge(of.waiting, float64(objects), kind)
		}
	}
	if c := n.Completeness; c.Objects > 0 {
		gauge(of.completeAge, c.Age.Seconds())
	}
	gauge(of.missing, float64(n.Completeness.Missing))
	out <- prometheus.MustNewConstMetric(of.repaired, prometheus.CounterValue, float64(n.Completeness.Repaired))
	gauge(of.rechecks, float64(n.Completeness.Waiting))
	gauge(of.setAside, float64(n.SetAside))
	for _, stage := range []string{store.BatchReading, store.BatchSealed, store.BatchTransformed} {
		gauge(of.batches, float64(n.Batches[stage]), stage)
	}
	gauge(of.batchOldest, n.BatchOldest.Seconds())
	gauge(of.stagedRows, float64(n.StagedRows))
	gauge(of.stagedBytes, float64(n.StagedBytes))
	gauge(of.loads, float64(n.Loads.Open))
	gauge(of.loadsWaiting, float64(n.Loads.Waiting))
	gauge(of.loaded, float64(n.Loads.Rows))
	gauge(of.expected, float64(n.Loads.Expected))
	gauge(of.jobs, float64(n.Loads.Jobs))
	for _, state := range deliveryStates {
		gauge(of.deliveries, float64(n.Deliveries.States[state]), state)
	}
	gauge(of.behind, n.Deliveries.Behind.Seconds())
	gauge(of.undeliverable, float64(n.Deliveries.Undeliverable))
	c := n.Deliveries.Counts
	for result, comments := range map[string]int64{"new": c.New, "updated": c.Updated, "unchanged": c.Unchanged, "uncounted": c.Uncounted, "deleted": c.Deleted} {
		gauge(of.delivered, float64(comments), result)
	}
	gauge(of.words, n.WordsBehind.Seconds())
	for _, kind := range []string{store.FieldHidden, store.ObjectHidden} {
		gauge(of.alerts, float64(n.Alerts[kind]), kind)
	}
	for _, reason := range []string{store.ReasonCreated, store.ReasonTextChanged} {
		gauge(of.month, float64(n.MonthUnits[reason]), reason)
	}
	gauge(of.capShare, n.CapShare)
	gauge(of.age, n.Age.Seconds())
}
