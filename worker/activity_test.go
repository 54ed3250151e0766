package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/app"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Of batches that are traced in part, each is kept whole or not at all, by every worker alike.
func TestABatchIsKeptWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	worker := func() (*batchTraces, *tracetest.SpanRecorder) {
		kept := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(kept), sdktrace.WithIDGenerator(app.TraceIDGenerator()),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))))
		return &batchTraces{provider.Tracer("test"), "7.1"}, kept
	}
	one, keptOne := worker()
	other, keptOther := worker()
	const batches = 40
	for n := range int64(batches) {
		ref := flow.BatchRef{Stream: 3, Epoch: 1, Seq: n + 1, Object: "Case"}
		about := subjectOf(activity.Info{WorkflowExecution: workflow.Execution{ID: "integration/support/prod"}}, []any{ref})
		require.Equal(t, subject{"support", "prod", "Case", ref}, about)
		_, poll := one.begin(t.Context(), activity.Info{ActivityType: activity.Type{Name: "Poll"}}, about)
		poll.End()
		ctx, upsert := other.begin(t.Context(), activity.Info{ActivityType: activity.Type{Name: "Upsert"}}, about)
		other.applied(ctx, store.Applied{Lane: "live", Began: time.Now().Add(-time.Minute)})
		upsert.End()
		require.Equal(t, poll.SpanContext().TraceID(), upsert.SpanContext().TraceID())
		require.Equal(t, poll.SpanContext().IsSampled(), upsert.SpanContext().IsSampled())
	}
	roots := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, s := range keptOther.Ended() {
		if s.Name() == "batch of Case" {
			roots[s.SpanContext().SpanID()] = s
			require.False(t, s.Parent().IsValid())
			require.GreaterOrEqual(t, s.EndTime().Sub(s.StartTime()), time.Minute)
			require.Contains(t, s.Attributes(), attribute.String(flow.LogIntegration, "prod"))
		}
	}
	require.Greater(t, len(roots), batches/5)
	require.Less(t, len(roots), batches*4/5)
	require.Len(t, keptOne.Ended(), len(roots))
	for _, poll := range keptOne.Ended() {
		require.Contains(t, roots, poll.Parent().SpanID())
	}
	// Another database has another batch 1 of stream 3.
	elsewhere := &batchTraces{one.tracer, "7.2"}
	_, here := one.root(t.Context(), subject{batch: flow.BatchRef{Stream: 3, Epoch: 1, Seq: 1}}, time.Time{})
	_, there := elsewhere.root(t.Context(), subject{batch: flow.BatchRef{Stream: 3, Epoch: 1, Seq: 1}}, time.Time{})
	require.NotEqual(t, here.SpanContext().TraceID(), there.SpanContext().TraceID())
}

func TestKindsOfFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{temporal.NewCanceledError(), ""},
		{temporal.NewApplicationError("said", "Quota"), "Quota"},
		{fault.New(fault.Unreachable, "away"), "Unreachable"},
		{fmt.Errorf("something else"), "Internal"},
	} {
		require.Equal(t, tt.want, kindOf(tt.err))
	}
}
