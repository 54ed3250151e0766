package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zaptest "go.uber.org/zap/zaptest/observer"

	"salesforcesync/internal/app"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/monitoringtest"
	"salesforcesync/internal/request"
)

// A request is told by its route in metrics, log and trace, and by nothing that it brought.
func TestWhatTheDoorTells(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(kept))
	registry := prometheus.NewRegistry()
	core, lines := zaptest.New(zapcore.DebugLevel)
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := request.Of(r.Context())
		record.Route = "POST /sign-in/{who}"
		switch r.URL.Query().Get("planted") {
		case "limited":
			record.Tried(request.ByPassword, fault.New(fault.RateLimited, "too many"))
			w.WriteHeader(http.StatusTooManyRequests)
		case "granted":
			record.Grant = request.GrantConnected
			w.WriteHeader(http.StatusFound)
		default:
			record.Tried(request.ByProvider, errors.New("planted cause"))
			record.Err = errors.New("it broke")
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request.Of(r.Context()).Route = "GET /api/v1/sources"
		w.WriteHeader(http.StatusTooManyRequests)
	})
	door := newDoor(api, pages, app.New(zap.NewNop()).Health, newObserver(zap.New(core), registry).observe, nil, provider.Tracer("test"))
	for _, target := range []string{"/sign-in/planted?planted=limited", "/sign-in/planted?planted=granted", "/sign-in/planted?planted=x", "/api/v1/sources?planted=1"} {
		r := httptest.NewRequest(http.MethodPost, target, nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		door.ServeHTTP(httptest.NewRecorder(), r)
	}
	counts := map[string]float64{}
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			counts[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"salesforcesync_sign_ins_total password rate_limited": 1, "salesforcesync_sign_ins_total provider failed": 1, "salesforcesync_sign_ins_total password signed_in": 0,
		"salesforcesync_grants_total connected": 1, "salesforcesync_requests_limited_total pages": 1, "salesforcesync_requests_limited_total api": 1,
	} {
		require.Contains(t, counts, name)
		require.InDelta(t, want, counts[name], 1e-9, name)
	}

	spans := kept.Ended()
	require.Len(t, spans, 4)
	require.Equal(t, "POST /sign-in/{who}", spans[2].Name())
	require.Equal(t, "Error", spans[2].Status().Code.String())
	require.Equal(t, "GET /api/v1/sources", spans[3].Name())
	for i, s := range spans {
		require.False(t, s.Parent().IsValid(), "what a caller says of its trace is not believed")
		for _, a := range s.Attributes() {
			require.NotContains(t, a.Value.Emit(), "planted")
		}
		require.Contains(t, s.Attributes(), attribute.String("request_id", lines.All()[i].ContextMap()["request_id"].(string)))
		require.Equal(t, s.SpanContext().TraceID().String(), lines.All()[i].ContextMap()["trace_id"])
		for key := range lines.All()[i].ContextMap() {
			require.Contains(t, monitoringtest.LogKeys(t), key)
		}
	}
}
