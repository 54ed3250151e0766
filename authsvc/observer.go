package main

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"salesforcesync/internal/request"
)

// observer logs and counts requests when they have been answered. Neither log nor
// metrics ever hold a path, a query or a body: they may hold names and one-time links.
type observer struct {
	log     *zap.Logger
	seconds *prometheus.HistogramVec
}

func newObserver(log *zap.Logger, registry *prometheus.Registry) *observer {
	o := &observer{log: log.Named("http"), seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "salesforcesync_http_request_seconds",
		Help:    "Requests to authsvc by route and status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 3, 9),
	}, []string{"route", "status"})}
	registry.MustRegister(o.seconds)
	return o
}

func (o *observer) observe(r request.Record) {
	route := r.Route
	if route == "" {
		route = "unknown"
	}
	o.seconds.WithLabelValues(route, strconv.Itoa(r.Status)).Observe(r.Duration.Seconds())
	fields := []zap.Field{
		zap.String("request_id", r.ID), zap.String("method", r.Method), zap.String("route", route), zap.Int("status", r.Status),
		zap.Duration("duration", r.Duration), zap.Int64("bytes", r.Bytes), zap.String("who", r.Who),
	}
	if r.Err == nil {
		o.log.Debug("answered", fields...)
		return
	}
	fields = append(fields, zap.Error(r.Err))
	var panicked *request.PanicError
	if errors.As(r.Err, &panicked) {
		fields = append(fields, zap.ByteString("stack", panicked.Stack))
	}
	o.log.Error("request went wrong", fields...)
}
