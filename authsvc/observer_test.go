package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"salesforcesync/internal/app"
	"salesforcesync/internal/request"
)

// One request is one line, whatever it holds, and the line holds nothing that was asked for.
func TestWhatCallersSendIsOneLineOfTheLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zapcore.DebugLevel))
	const forged = "x\n{\"level\":\"error\",\"msg\":\"all is lost\"}\r\n\x1b[2J\u2028"
	door := newDoor(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request.Of(r.Context()).Err = errors.New("it says " + forged)
		w.WriteHeader(http.StatusTeapot)
	}), &app.Health{}, newObserver(log, prometheus.NewRegistry()).observe, nil, noop.NewTracerProvider().Tracer(""))
	for i, change := range []func(*http.Request){
		func(r *http.Request) { r.URL.Path = "/" + forged },
		func(r *http.Request) { r.URL.RawQuery = forged },
		func(r *http.Request) { r.Header.Set(request.HeaderID, forged) },
		func(r *http.Request) { r.Header.Set("User-Agent", forged) },
		func(r *http.Request) { r.Header.Set("X-Forwarded-For", forged) },
		func(r *http.Request) { r.Method = "GET" + forged },
		func(r *http.Request) { r.Host = forged },
	} {
		out.Reset()
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(forged))
		change(r)
		door.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, 1, strings.Count(out.String(), "\n"), "%d: %s", i, out.String())
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line), "%d: %s", i, out.String())
		require.Equal(t, "request went wrong", line["msg"])
		require.NotContains(t, out.String(), "\x1b")
		require.Regexp(t, `^[0-9a-f-]{36}$`, line["request_id"], "%d", i)
		require.Equal(t, "unknown", line["route"])
	}
}
