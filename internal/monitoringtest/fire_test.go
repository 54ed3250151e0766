package monitoringtest_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

// value is that of a series at a minute; NaN is a scrape without it.
type value func(minute int) float64

func is(v float64) value     { return func(int) float64 { return v } }
func rising(v float64) value { return func(minute int) float64 { return v * float64(minute) } }
func after(m int, v value) value {
	return func(minute int) float64 {
		if minute < m {
			return 0
		}
		return v(minute)
	}
}

var gone = is(math.NaN())

const minutes = 240

// healthy is a day on which all is well: two workers, one authsvc, integrations that look and find.
func healthy() map[string]value {
	s := map[string]value{
		`up{job="salesforcesync-worker",instance="w1"}`: is(1), `up{job="salesforcesync-worker",instance="w2"}`: is(1), `up{job="salesforcesync-authsvc",instance="a1"}`: is(1),
		`salesforcesync_http_request_seconds_count{job="salesforcesync-authsvc",instance="a1",route="GET /",status="200"}`: rising(600),
		`salesforcesync_http_request_seconds_count{job="salesforcesync-authsvc",instance="a1",route="GET /",status="503"}`: rising(1),
		`salesforcesync_signal_oldest_seconds{job="salesforcesync-authsvc",instance="a1"}`:                                 is(1),
		`salesforcesync_sign_ins_total{job="salesforcesync-authsvc",instance="a1",by="password",outcome="refused"}`:        rising(1),
		`salesforcesync_database_wait_seconds_total{job="salesforcesync-authsvc",instance="a1"}`:                           rising(0.1),
	}
	// Temporal's server tells of its own inner workers under the names of the SDK: what ails them is no alert of ours.
	for name, v := range map[string]value{
		`temporal_workflow_task_execution_failed{%s,workflow_type="temporal_sys_scheduler_workflow",failure_reason="WorkflowError"}`: rising(1),
		`temporal_worker_task_slots_available{%s,task_queue="temporal_sys_per_ns_tq",worker_type="ActivityWorker"}`:                  is(0),
		`temporal_request_failure{%s,operation="DescribeNamespace",status_code="UNAVAILABLE"}`:                                       rising(600),
		`temporal_activity_schedule_to_start_latency_bucket{%s,task_queue="temporal_sys_per_ns_tq",activity_type="x",le="60"}`:       is(0),
		`temporal_activity_schedule_to_start_latency_bucket{%s,task_queue="temporal_sys_per_ns_tq",activity_type="x",le="900"}`:      rising(10),
		`temporal_activity_schedule_to_start_latency_bucket{%s,task_queue="temporal_sys_per_ns_tq",activity_type="x",le="+Inf"}`:     rising(10),
	} {
		s[fmt.Sprintf(name, `job="temporal",instance="t1"`)] = v
	}
	for _, worker := range []string{"w1", "w2"} {
		at := func(name, more string) string {
			return name + `{job="salesforcesync-worker",instance="` + worker + `"` + more + `}`
		}
		for name, v := range map[string]value{
			"totals_age_seconds": is(10), "look_overdue_seconds": is(4), "complete_age_seconds": is(1200), "rows_missing": is(0), "records_set_aside": rising(0.1),
			"backfills_open": is(1), "backfills_waiting": is(0), "backfill_rows_loaded": rising(5000), "batch_oldest_seconds": is(20),
			"delivery_lag_seconds": is(30), "delivery_undeliverable": is(3), "search_lag_seconds": is(2), "unit_cap_used_ratio": is(0.5),
			"quota_own_requests_used": is(300), "quota_own_requests_max": is(1000), "quota_org_requests_used": is(4000), "quota_org_requests_max": is(10000),
			"database_wait_seconds_total": rising(0.5),
		} {
			s[at("salesforcesync_"+name, "")] = v
		}
		for _, state := range []string{"awaiting_authorization", "config_invalid", "backing_off", "quota_wait", "paused"} {
			s[at("salesforcesync_integrations", `,state="`+state+`"`)] = is(0)
		}
		s[at("salesforcesync_integrations", `,state="idle"`)] = is(12)
		s[at("salesforcesync_deliveries", `,state="config_invalid"`)] = is(0)
		s[at("salesforcesync_schema_alerts", `,kind="field_hidden"`)] = is(0)
		for _, kind := range []string{"Config", "Permission", "Transient", "Internal", "Quota"} {
			s[at("salesforcesync_objects_waiting", `,fault="`+kind+`"`)] = is(0)
		}
		s[at("salesforcesync_salesforce_calls_total", `,kind="query",status="200",fault=""`)] = rising(100)
		s[at("salesforcesync_salesforce_calls_total", `,kind="query",status="503",fault="Transient"`)] = rising(2)
		s[at("salesforcesync_activity_faults_total", `,activity="Poll",fault="Internal"`)] = is(0)
		s[at("salesforcesync_activity_faults_total", `,activity="Poll",fault="Transient"`)] = rising(1)
		s[at("temporal_worker_task_slots_available", `,task_queue="integrations-poll",worker_type="ActivityWorker"`)] = is(1900)
		s[at("temporal_worker_task_slots_available", `,task_queue="integrations-load",worker_type="ActivityWorker"`)] = is(0)
		s[at("temporal_request_failure", `,operation="PollActivityTaskQueue",status_code="UNAVAILABLE"`)] = rising(0.5)
		s[at("temporal_request_failure", `,operation="GetSystemInfo",status_code="NOT_FOUND"`)] = rising(100)
		s[at("temporal_long_request", `,operation="PollActivityTaskQueue"`)] = rising(5)
		s[at("temporal_long_request_failure", `,operation="PollActivityTaskQueue",status_code="UNAVAILABLE"`)] = rising(0.5)
		for bucket, n := range map[string]float64{"10": 90, "60": 100, "900": 100, "1800": 100, "+Inf": 100} {
			s[at("salesforcesync_change_to_readable_seconds_bucket", `,le="`+bucket+`"`)] = rising(n)
			s[at("temporal_activity_schedule_to_start_latency_bucket", `,task_queue="integrations-poll",activity_type="Poll",le="`+bucket+`"`)] = rising(min(n*1.2, 100))
			s[at("temporal_activity_schedule_to_start_latency_bucket", `,task_queue="integrations-backfill",activity_type="Poll",le="`+bucket+`"`)] = rising(n / 10)
			s[at("temporal_workflow_task_schedule_to_start_latency_bucket", `,task_queue="integrations",le="`+bucket+`"`)] = rising(min(n*1.2, 100))
		}
	}
	return s
}

// trouble is what is otherwise than healthy when an alert must fire: series by a part of their name, or new ones.
var trouble = map[string]map[string]value{
	"WorkerMissing":         {`up{job="salesforcesync-worker"`: is(0)},
	"AuthsvcMissing":        {`up{job="salesforcesync-authsvc"`: gone},
	"NumbersMissing":        {`salesforcesync_totals_age_seconds`: gone},
	"IntegrationStale":      {`salesforcesync_look_overdue_seconds`: rising(60)},
	"CommentsLate":          {`salesforcesync_change_to_readable_seconds_bucket{job="salesforcesync-worker",instance="w1",le="900"`: is(0), `seconds_bucket{job="salesforcesync-worker",instance="w1",le="10"`: is(0), `seconds_bucket{job="salesforcesync-worker",instance="w1",le="60"`: is(0)},
	"NotComplete":           {`salesforcesync_complete_age_seconds`: rising(60)},
	"RowsMissing":           {`salesforcesync_rows_missing`: is(1)},
	"RecordsSetAside":       {`salesforcesync_records_set_aside`: rising(5)},
	"AwaitingAuthorization": {`state="awaiting_authorization"`: is(1)},
	"ConfigInvalid":         {`fault="Permission"`: is(1)},
	"BackingOff":            {`fault="Internal"`: is(1)},
	"FieldsHidden":          {`salesforcesync_schema_alerts`: is(2)},
	"BackfillStuck":         {`salesforcesync_backfill_rows_loaded`: is(70000)},
	"BatchStuck":            {`salesforcesync_batch_oldest_seconds`: rising(60)},
	"SignalsWait":           {`salesforcesync_signal_oldest_seconds`: rising(60)},
	"DeliveryLate":          {`salesforcesync_delivery_lag_seconds`: rising(60)},
	"DeliveryRefused":       {`salesforcesync_deliveries`: is(1)},
	"SearchLate":            {`salesforcesync_search_lag_seconds`: rising(60)},
	"QuotaWallNear":         {`salesforcesync_quota_org_requests_used`: is(9500)},
	"QuotaWait":             {`state="quota_wait"`: is(1)},
	"SalesforceFails":       {`fault="Transient",kind`: is(0), `status="503",fault="Transient"`: rising(60)},
	"UnitCapNear":           {`salesforcesync_unit_cap_used_ratio`: is(0.95)},
	"InternalFaults":        {`activity="Poll",fault="Internal"`: after(minutes-5, is(1))},
	"WorkflowTasksFail":     {`temporal_workflow_task_execution_failed{job="salesforcesync-worker",instance="w1",workflow_type="Integration",failure_reason="NonDeterminismError"}`: rising(1)},
	"NoSlots":               {`task_queue="integrations-poll",worker_type`: is(0)},
	"TasksWait":             {`temporal_workflow_task_schedule_to_start_latency_bucket{job="salesforcesync-worker",instance="w1",task_queue="integrations",le="10"`: is(0), `temporal_workflow_task_schedule_to_start_latency_bucket{job="salesforcesync-worker",instance="w1",task_queue="integrations",le="60"`: is(0)},
	"TemporalAway":          {`temporal_long_request_failure`: rising(5)},
	"TemporalFails":         {`temporal_request_failure`: rising(60)},
	"ConnectionsUsedUp":     {`salesforcesync_database_wait_seconds_total{job="salesforcesync-worker",instance="w1"`: rising(40)},
	"DoorFails":             {`status="503"}`: rising(60)},
	"SignInsRefused":        {`outcome="refused"`: rising(10)},
}

// with is a day on which something is otherwise.
func with(t *testing.T, otherwise map[string]value) map[string]value {
	t.Helper()
	s := healthy()
	for part, v := range otherwise {
		found := false
		for name := range s {
			if strings.Contains(name, part) {
				s[name], found = v, true
			}
		}
		if !found && strings.HasSuffix(part, "}") {
			s[part], found = v, true
		}
		if part != `fault="Transient",kind` {
			require.True(t, found, part)
		}
	}
	return s
}

var began = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// An alert fires when an expression has been true, for the same labels, for as long as the rule says. Every one
// fires on the day that it is for, and none on a day on which all is well.
func TestEveryAlertFiresAndIsSilent(t *testing.T) {
	t.Parallel()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{})})
	well := stored(t, healthy())
	fires := func(day storage.Queryable, expr string, lasting time.Duration) bool {
		t.Helper()
		from := began.Add(time.Hour)
		q, err := engine.NewRangeQuery(t.Context(), day, nil, expr, from, began.Add((minutes-1)*time.Minute), time.Minute)
		require.NoError(t, err)
		defer q.Close()
		result := q.Exec(t.Context())
		require.NoError(t, result.Err, expr)
		matrix, err := result.Matrix()
		require.NoError(t, err)
		for _, series := range matrix {
			run := time.Duration(0)
			for i, p := range series.Floats {
				if i > 0 && p.T-series.Floats[i-1].T > time.Minute.Milliseconds() {
					run = 0
				} else if i > 0 {
					run += time.Minute
				}
				if run >= lasting {
					return true
				}
			}
		}
		return false
	}
	all := rules(t)
	for _, r := range all {
		require.Contains(t, trouble, r.Alert, "there is no day on which it must fire")
		require.True(t, fires(stored(t, with(t, trouble[r.Alert])), r.Expr, time.Duration(r.For)), "%s does not fire", r.Alert)
		require.False(t, fires(well, r.Expr, time.Duration(r.For)), "%s fires although all is well", r.Alert)
	}
	require.Len(t, trouble, len(all))
}

// stored makes series as Prometheus would have them after it scraped every minute.
func stored(t *testing.T, series map[string]value) storage.Queryable {
	t.Helper()
	var all []storage.Series
	for _, name := range slices.Sorted(maps.Keys(series)) {
		matchers, err := promqlParser.ParseMetric(name)
		require.NoError(t, err, name)
		var samples []chunks.Sample
		for minute := range minutes {
			if v := series[name](minute); !math.IsNaN(v) {
				samples = append(samples, sample{began.Add(time.Duration(minute) * time.Minute).UnixMilli(), v})
			}
		}
		all = append(all, storage.NewListSeries(matchers, samples))
	}
	return day(all)
}

type day []storage.Series

func (d day) Querier(int64, int64) (storage.Querier, error) { return querier{d}, nil }

type querier struct{ series []storage.Series }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &set{}
	for _, s := range q.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) }) {
			set.series = append(set.series, s)
		}
	}
	return set
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}
func (querier) Close() error { return nil }

type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at <= len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
