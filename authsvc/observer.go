package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"salesforcesync/internal/api"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/request"
)

// observer logs and counts requests when they have been answered. Neither log nor
// metrics ever hold a path, a query or a body: they may hold names and one-time links.
type observer struct {
	log     *zap.Logger
	seconds *prometheus.HistogramVec
	signIns *prometheus.CounterVec
	grants  *prometheus.CounterVec
	limited *prometheus.CounterVec
}

func newObserver(log *zap.Logger, registry *prometheus.Registry) *observer {
	o := &observer{log: log.Named("http"), seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "salesforcesync_http_request_seconds",
		Help:    "Requests to authsvc by route and status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 3, 9),
	}, []string{"route", "status"}), signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_sign_ins_total",
		Help: "Attempts to sign in, by what by and how they ended.",
	}, []string{"by", "outcome"}), grants: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_grants_total",
		Help: "Answers of Salesforce to whether we may have access, and what became of them.",
	}, []string{"outcome"}), limited: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_requests_limited_total",
		Help: "Requests that were refused because there were too many.",
	}, []string{"door"})}
	registry.MustRegister(o.seconds, o.signIns, o.grants, o.limited)
	// The first one is to be seen as one more than none.
	for _, by := range []string{request.ByPassword, request.ByProvider} {
		for _, outcome := range []string{request.SignedIn, request.RefusedWrong, request.RefusedLimited, request.SignInUndecided} {
			o.signIns.WithLabelValues(by, outcome)
		}
	}
	for _, outcome := range []string{request.GrantConnected, request.GrantAsked, request.GrantDeclined, request.GrantRefused, request.GrantFailed} {
		o.grants.WithLabelValues(outcome)
	}
	for _, door := range []string{doorAPI, doorPages} {
		o.limited.WithLabelValues(door)
	}
	return o
}

// Doors of authsvc.
const (
	doorAPI   = "api"
	doorPages = "pages"
)

func (o *observer) count(r request.Record) {
	if r.SignIn.By != "" {
		o.signIns.WithLabelValues(r.SignIn.By, r.SignIn.Outcome).Inc()
	}
	if r.Grant != "" {
		o.grants.WithLabelValues(r.Grant).Inc()
	}
	if r.Status == http.StatusTooManyRequests {
		door := doorPages
		if _, path, _ := strings.Cut(r.Route, " "); api.Serves(path) {
			door = doorAPI
		}
		o.limited.WithLabelValues(door).Inc()
	}
}

func (o *observer) observe(r request.Record) {
	route := r.Route
	if route == "" {
		route = "unknown"
	}
	o.seconds.WithLabelValues(route, strconv.Itoa(r.Status)).Observe(r.Duration.Seconds())
	o.count(r)
	fields := []zap.Field{
		zap.String(flow.LogRequestID, r.ID), zap.String(flow.LogMethod, r.Method), zap.String(flow.LogRoute, route), zap.Int(flow.LogStatus, r.Status),
		zap.Duration(flow.LogDuration, r.Duration), zap.Int64(flow.LogBytes, r.Bytes), zap.String(flow.LogWho, r.Who),
	}
	fields = append(fields, r.Trace...)
	if r.Err == nil {
		o.log.Debug("answered", fields...)
		return
	}
	fields = append(fields, zap.Error(r.Err))
	var panicked *request.PanicError
	if errors.As(r.Err, &panicked) {
		fields = append(fields, zap.ByteString(flow.LogStack, panicked.Stack))
	}
	o.log.Error("request went wrong", fields...)
}
