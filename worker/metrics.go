package main

import (
	"context"
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
}

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
	}
	registry.MustRegister(m.calls, m.seconds, m.truncated, quotaMetrics{governor})
	return m
}

// alerts is the number of open schema alerts, counted when somebody asks.
type alerts struct {
	count func(context.Context) (map[string]int64, error)
	desc  *prometheus.Desc
}

// scrapeWait bounds how long a scrape waits for the database.
const scrapeWait = 2 * time.Second

func newAlerts(count func(context.Context) (map[string]int64, error)) *alerts {
	return &alerts{count, prometheus.NewDesc("salesforcesync_schema_alerts",
		"Fields and objects that were read before and are hidden now, of all integrations.", []string{"kind"}, nil)}
}

// Describe names the metric.
func (a *alerts) Describe(out chan<- *prometheus.Desc) { out <- a.desc }

// Collect counts. A database that is away leaves the metric out: zero would be a lie.
func (a *alerts) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	counts, err := a.count(ctx)
	if err != nil {
		return
	}
	for _, kind := range []string{store.FieldHidden, store.ObjectHidden} {
		out <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(counts[kind]), kind)
	}
}

func (m *metrics) observe(c salesforce.Call) {
	m.calls.WithLabelValues(c.Kind, strconv.Itoa(c.Status), string(c.Fault)).Inc()
	m.seconds.WithLabelValues(c.Kind).Observe(c.Duration.Seconds())
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
