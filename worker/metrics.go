package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// metrics are the worker's own; labels are few and bounded, never an id.
type metrics struct {
	calls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	truncated prometheus.Counter
	readable  prometheus.Histogram
	batches   *prometheus.HistogramVec
}

// lanes that batches come through.
var lanes = []string{"live", "backfill", "resync", "retransform"}

func newMetrics(registry *prometheus.Registry, governor *quota.Governor) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "salesforcesync_salesforce_calls_total",
			Help: "HTTP exchanges with Salesforce by kind, status and fault.",
		}, []string{"kind", "status", "fault"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "salesforcesync_salesforce_call_seconds",
			Help:    "Duration of HTTP exchanges with Salesforce.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 9),
		}, []string{"kind"}),
		truncated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "salesforcesync_comments_truncated_total",
			Help: "Comments that were made with a text cut to what the Comments API takes.",
		}),
		readable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "salesforcesync_change_to_readable_seconds",
			Help:    "From the stamp of the newest record of a live batch, which has whole seconds and is Salesforce's, to the commit of its comment.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600, 86400},
		}),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "salesforcesync_batch_seconds",
			Help:    "From the beginning of a batch to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.05, 3, 10),
		}, []string{"lane"}),
	}
	registry.MustRegister(m.calls, m.seconds, m.truncated, m.readable, m.batches, quotaMetrics{governor})
	return m
}

func (m *metrics) observe(c salesforce.Call) {
	m.calls.WithLabelValues(c.Kind, strconv.Itoa(c.Status), string(c.Fault)).Inc()
	m.seconds.WithLabelValues(c.Kind).Observe(c.Duration.Seconds())
}

// applied measures how long a batch took.
func (m *metrics) applied(done store.Applied) {
	if !done.Newest.IsZero() {
		m.readable.Observe(max(0, time.Since(done.Newest)).Seconds())
	}
	if !done.Began.IsZero() {
		m.batches.WithLabelValues(done.Lane).Observe(time.Since(done.Began).Seconds())
	}
}

// quotaMetrics reads the governor when it is asked. The gauges are of one org, the one
// nearest to where it must wait: an org is no label.
type quotaMetrics struct{ governor *quota.Governor }

var (
	admissions = prometheus.NewDesc("salesforcesync_quota_admissions_total",
		"Calls to Salesforce that were admitted, or refused and why.", []string{"outcome"}, nil)
	fullest = struct{ orgUsed, orgMax, ownUsed, ownMost *prometheus.Desc }{
		prometheus.NewDesc("salesforcesync_quota_org_requests_used", "API requests used of the fullest org's day, by whomever, as Salesforce says.", nil, nil),
		prometheus.NewDesc("salesforcesync_quota_org_requests_max", "API requests that the fullest org has per day.", nil, nil),
		prometheus.NewDesc("salesforcesync_quota_own_requests_used", "Our own calls to the fullest org of the last 24 hours.", nil, nil),
		prometheus.NewDesc("salesforcesync_quota_own_requests_max", "The most calls of our own that 24 hours may hold for the fullest org.", nil, nil),
	}
)

// Describe names the metrics.
func (q quotaMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{admissions, fullest.orgUsed, fullest.orgMax, fullest.ownUsed, fullest.ownMost} {
		out <- d
	}
}

// Collect gives their values.
func (q quotaMetrics) Collect(out chan<- prometheus.Metric) {
	s := q.governor.Stats()
	for outcome, n := range map[string]int64{"admitted": s.Admitted.Load(), "share": s.ByShare.Load(), "reserve": s.ByReserve.Load(), "app": s.ByApp.Load()} {
		out <- prometheus.MustNewConstMetric(admissions, prometheus.CounterValue, float64(n), outcome)
	}
	b, ok := q.governor.Fullest()
	if !ok {
		return
	}
	out <- prometheus.MustNewConstMetric(fullest.orgUsed, prometheus.GaugeValue, float64(b.Told.Used))
	out <- prometheus.MustNewConstMetric(fullest.orgMax, prometheus.GaugeValue, float64(b.Max()))
	out <- prometheus.MustNewConstMetric(fullest.ownUsed, prometheus.GaugeValue, float64(b.Spent()))
	out <- prometheus.MustNewConstMetric(fullest.ownMost, prometheus.GaugeValue, float64(b.Most()))
}
