package main

import (
	"net/http"
	"net/netip"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"salesforcesync/internal/api"
	"salesforcesync/internal/app"
	"salesforcesync/internal/request"
	"salesforcesync/internal/tracing"
)

// newDoor sends each request to the door it knocks at: health, API, or pages. It
// is no ServeMux, which would answer unclean API paths with redirects.
func newDoor(comments, pages http.Handler, health *app.Health, observe func(request.Record), proxies []netip.Prefix, tracer trace.Tracer) http.Handler {
	inside := request.Handler(traced(tracer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Serves(r.URL.Path) {
			comments.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})), observe, proxies...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			switch r.URL.Path { // asked every few seconds by machines: neither counted nor logged
			case "/healthz":
				health.Alive(w, r)
				return
			case "/readyz":
				health.Ready(w, r)
				return
			}
		}
		inside.ServeHTTP(w, r)
	})
}

// traced gives each request a trace of its own, named by its route; a nil tracer traces nothing. A trace that the
// caller says it belongs to is not believed: anybody may ask, and could make us keep what nobody wants to see.
// Like logs and metrics it holds no path, no query and nothing of a body.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	if tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, s := tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindServer))
		record := request.Of(ctx)
		record.Trace = tracing.Fields(ctx)
		defer func() {
			if record.Route != "" {
				s.SetName(record.Route)
			}
			s.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", record.Route),
				attribute.Int("http.response.status_code", record.Status), attribute.String("request_id", record.ID))
			if record.Status >= http.StatusInternalServerError {
				s.SetStatus(codes.Error, "")
			}
			s.End()
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
