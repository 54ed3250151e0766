package app

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// sdkMetric is a metric of Temporal's SDK: what it is called there and in Temporal's documentation, and those
// of its tags that are worth a label. Each is bounded: names of ours, of Temporal's calls, or of its errors.
type sdkMetric struct {
	kind   metricKind
	help   string
	labels []string
}

type metricKind int

const (
	counter metricKind = iota
	gauge
	timer
)

// Tags of the SDK that are labels here. What else it tells is the same for the whole process.
const (
	tagQueue     = "task_queue"
	tagWorkflow  = "workflow_type"
	tagActivity  = "activity_type"
	tagWorker    = "worker_type"
	tagPoller    = "poller_type"
	tagOperation = "operation"
	tagCode      = "status_code"
	tagCause     = "cause"
	tagReason    = "failure_reason"
)

// sdkMetrics are those that are exported. Nexus, local activities and sessions are not used here.
var sdkMetrics = map[string]sdkMetric{
	"temporal_workflow_completed":       {counter, "Workflows that ended well.", []string{tagWorkflow}},
	"temporal_workflow_canceled":        {counter, "Workflows that were cancelled.", []string{tagWorkflow}},
	"temporal_workflow_failed":          {counter, "Workflows that failed.", []string{tagWorkflow}},
	"temporal_workflow_continue_as_new": {counter, "Workflows that began a new history.", []string{tagWorkflow}},

	"temporal_workflow_task_schedule_to_start_latency": {timer, "How long workflow tasks waited for a worker.", []string{tagQueue}},
	"temporal_workflow_task_execution_latency":         {timer, "How long workflow tasks took.", []string{tagWorkflow}},
	"temporal_workflow_task_replay_latency":            {timer, "How long it took to replay a history.", []string{tagWorkflow}},
	"temporal_workflow_task_execution_failed":          {counter, "Workflow tasks that failed; NonDeterminismError stops workflows.", []string{tagWorkflow, tagReason}},
	"temporal_workflow_task_no_completion":             {counter, "Workflow tasks that ended without an answer.", []string{tagWorkflow}},
	"temporal_workflow_task_queue_poll_empty":          {counter, "Polls for workflow tasks that got none.", []string{tagQueue}},
	"temporal_workflow_task_queue_poll_succeed":        {counter, "Polls for workflow tasks that got one.", []string{tagQueue}},

	"temporal_activity_schedule_to_start_latency": {timer, "How long activities waited for a worker.", []string{tagQueue, tagActivity}},
	"temporal_activity_execution_latency":         {timer, "How long an attempt of an activity took.", []string{tagQueue, tagActivity}},
	"temporal_activity_succeed_endtoend_latency":  {timer, "How long an activity took with its waiting and its retries.", []string{tagQueue, tagActivity}},
	"temporal_activity_execution_failed":          {counter, "Attempts of activities that failed.", []string{tagQueue, tagActivity, tagReason}},
	"temporal_activity_task_error":                {counter, "Activities that panicked.", []string{tagQueue, tagActivity}},
	"temporal_activity_poll_no_task":              {counter, "Polls for activities that got none.", []string{tagQueue}},
	"temporal_unregistered_activity_invocation":   {counter, "Activities asked for that this worker does not know.", []string{tagQueue}},
	"temporal_corrupted_signals":                  {counter, "Signals that could not be read.", []string{tagWorkflow}},
	"temporal_worker_start":                       {counter, "Workers that were started.", []string{tagQueue, tagWorker}},
	"temporal_worker_task_slots_available":        {gauge, "Tasks that could be taken besides.", []string{tagQueue, tagWorker}},
	"temporal_worker_task_slots_used":             {gauge, "Tasks under way.", []string{tagQueue, tagWorker}},
	"temporal_poller_start":                       {counter, "Pollers that were started.", []string{tagQueue}},
	"temporal_num_pollers":                        {gauge, "Pollers that ask for tasks.", []string{tagQueue, tagPoller}},
	"temporal_request":                            {counter, "Calls to Temporal.", []string{tagOperation}},
	"temporal_request_failure":                    {counter, "Calls to Temporal that failed.", []string{tagOperation, tagCode}},
	"temporal_request_latency":                    {timer, "How long calls to Temporal took.", []string{tagOperation}},
	"temporal_request_resource_exhausted":         {counter, "Calls that Temporal refused because there were too many.", []string{tagOperation, tagCause}},
	"temporal_long_request":                       {counter, "Calls to Temporal that wait for something.", []string{tagOperation}},
	"temporal_long_request_failure":               {counter, "Of these, those that failed.", []string{tagOperation, tagCode}},
	"temporal_long_request_latency":               {timer, "How long calls to Temporal that wait took.", []string{tagOperation}},
	"temporal_long_request_resource_exhausted":    {counter, "Calls that wait and that Temporal refused because there were too many.", []string{tagOperation, tagCause}},
	"temporal_sticky_cache_hit":                   {counter, "Workflow tasks whose workflow was in memory.", nil},
	"temporal_sticky_cache_miss":                  {counter, "Workflow tasks whose workflow had to be replayed.", nil},
	"temporal_sticky_cache_size":                  {gauge, "Workflows in memory.", nil},
	"temporal_sticky_cache_total_forced_eviction": {counter, "Workflows dropped from memory for others.", nil},
	"temporal_workflow_active_thread_count":       {gauge, "Coroutines of workflows in memory.", nil},
	"temporal_workflow_endtoend_latency":          {timer, "How long workflows took from start to end.", []string{tagWorkflow}},
}

// sdkBuckets reach from a quick call to half an hour in a queue.
var sdkBuckets = prometheus.ExponentialBuckets(0.005, 4, 10)

// TemporalMetrics makes the metrics of Temporal's SDK part of the process's own, under the names
// that Temporal documents.
func (a *App) TemporalMetrics() client.MetricsHandler {
	s := &sdkVectors{counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{}, timers: map[string]*prometheus.HistogramVec{}}
	for name, m := range sdkMetrics {
		switch m.kind {
		case counter:
			v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: m.help}, m.labels)
			s.counters[name] = v
			a.Metrics.MustRegister(v)
		case gauge:
			v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: m.help}, m.labels)
			s.gauges[name] = v
			a.Metrics.MustRegister(v)
		case timer:
			v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: m.help + " In seconds.", Buckets: sdkBuckets}, m.labels)
			s.timers[name] = v
			a.Metrics.MustRegister(v)
		}
	}
	return sdkHandler{vectors: s}
}

type sdkVectors struct {
	counters map[string]*prometheus.CounterVec
	gauges   map[string]*prometheus.GaugeVec
	timers   map[string]*prometheus.HistogramVec
}

// sdkHandler is what the SDK writes to. It is immutable: one with more tags is another one.
type sdkHandler struct {
	vectors *sdkVectors
	tags    map[string]string
}

// WithTags gives a handler that adds the tags to each metric.
func (h sdkHandler) WithTags(tags map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(h.tags)+len(tags))
	maps.Copy(all, h.tags)
	maps.Copy(all, tags)
	return sdkHandler{h.vectors, all}
}

func (h sdkHandler) labels(name string) []string {
	labels := sdkMetrics[name].labels
	values := make([]string, len(labels))
	for i, label := range labels {
		values[i] = h.tags[label]
	}
	return values
}

// Counter gives a counter; one that nobody wants counts nothing.
func (h sdkHandler) Counter(name string) client.MetricsCounter {
	if v := h.vectors.counters[name]; v != nil {
		return sdkCounter{v.WithLabelValues(h.labels(name)...)}
	}
	return client.MetricsNopHandler.Counter(name)
}

// Gauge gives a gauge.
func (h sdkHandler) Gauge(name string) client.MetricsGauge {
	if v := h.vectors.gauges[name]; v != nil {
		return sdkGauge{v.WithLabelValues(h.labels(name)...)}
	}
	return client.MetricsNopHandler.Gauge(name)
}

// Timer gives a timer.
func (h sdkHandler) Timer(name string) client.MetricsTimer {
	if v := h.vectors.timers[name]; v != nil {
		return sdkTimer{v.WithLabelValues(h.labels(name)...)}
	}
	return client.MetricsNopHandler.Timer(name)
}

type (
	sdkCounter struct{ of prometheus.Counter }
	sdkGauge   struct{ of prometheus.Gauge }
	sdkTimer   struct{ of prometheus.Observer }
)

func (c sdkCounter) Inc(n int64)             { c.of.Add(float64(n)) }
func (g sdkGauge) Update(value float64)      { g.of.Set(value) }
func (t sdkTimer) Record(took time.Duration) { t.of.Observe(took.Seconds()) }
