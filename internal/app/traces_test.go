package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"salesforcesync/internal/config"
)

func TestNoTracesWithoutAPlaceForThem(t *testing.T) {
	t.Parallel()
	a := New(zap.NewNop())
	tracer, err := a.Traces(t.Context(), "worker", config.Traces{})
	require.NoError(t, err)
	require.Nil(t, tracer)
	require.Empty(t, a.steps)
}

// A collector that never answers costs a stop three seconds and one line, and does not make it a failure.
func TestACollectorThatIsAwayDoesNotHoldTheStopUp(t *testing.T) {
	left := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-left:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(left) })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000") // it would wait for an hour
	core, lines := observer.New(zapcore.WarnLevel)
	a := New(zap.New(core))
	tracer, err := a.Traces(t.Context(), "worker", config.Traces{On: true})
	require.NoError(t, err)
	_, s := tracer.Start(t.Context(), "work")
	s.End()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	began := time.Now()
	require.NoError(t, a.stop(ctx, a.steps))
	require.Less(t, time.Since(began), 10*lastTraces)
	require.Equal(t, 1, lines.FilterMessage("traces are lost").Len())
}

func TestLostTracesAreToldOnce(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zapcore.WarnLevel)
	c := &complaints{log: zap.New(core)}
	for _, said := range []string{"refused", "refused", "timed out", "refused"} {
		c.Handle(errors.New(said))
	}
	require.Equal(t, 3, lines.Len())
}

func TestIDsThatFollowFromWhatIsTraced(t *testing.T) {
	t.Parallel()
	of, root := trace.TraceID{1}, trace.SpanID{2}
	gotTrace, gotRoot := ids{}.NewIDs(TraceIDs(t.Context(), of, root))
	require.Equal(t, of, gotTrace)
	require.Equal(t, root, gotRoot)
	first, _ := ids{}.NewIDs(t.Context())
	second, _ := ids{}.NewIDs(t.Context())
	require.NotEqual(t, first, second)
	require.True(t, first.IsValid())
}
