package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"salesforcesync/internal/salesforce"
)

// metrics are the worker's own; labels are few and bounded, never an id.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
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
	}
	registry.MustRegister(m.calls, m.seconds)
	return m
}

func (m *metrics) observe(c salesforce.Call) {
	m.calls.WithLabelValues(c.Kind, strconv.Itoa(c.Status), string(c.Fault)).Inc()
	m.seconds.WithLabelValues(c.Kind).Observe(c.Duration.Seconds())
}
