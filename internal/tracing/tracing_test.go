package tracing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/tracing"
)

func TestNothingIsSpentWhileTracingIsOff(t *testing.T) {
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		inside, s := tracing.Begin(ctx, "PostgreSQL", "apply the batch")
		if s.Recorded() || inside != ctx {
			t.Fatal("there is a span")
		}
		s.End(nil)
	}))
	require.Empty(t, tracing.Fields(ctx))
}

func TestOfAnErrorOnlyTheKindIsKept(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(kept))
	ctx, above := provider.Tracer(tracing.Scope).Start(t.Context(), "above")
	_, s := tracing.Begin(ctx, "Salesforce", "query")
	require.True(t, s.Recorded())
	s.End(fault.Wrap(fault.Permission, errors.New("a planted cause"), "a planted message"))
	above.End()
	ended := kept.Ended()
	require.Len(t, ended, 2)
	require.Equal(t, "Salesforce: query", ended[0].Name())
	require.Equal(t, above.SpanContext().SpanID(), ended[0].Parent().SpanID())
	require.Equal(t, sdktrace.Status{Code: codes.Error, Description: "Permission"}, ended[0].Status())
	require.Empty(t, ended[0].Events())
	require.Len(t, ended[0].Attributes(), 1)
	fields := tracing.Fields(ctx)
	require.Equal(t, above.SpanContext().TraceID().String(), fields[0].String)
}
