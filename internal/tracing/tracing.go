package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// Scope names what makes the spans.
const Scope = "salesforcesync"

// Span is a piece of work that is traced, or not. The zero Span is not.
type Span struct{ of trace.Span }

// Begin begins a span below the one that ctx is in, of something that whom is asked for. Outside of a recorded
// span it begins none, and gives ctx back as it is.
func Begin(ctx context.Context, whom, what string) (context.Context, Span) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, Span{}
	}
	ctx, s := above.TracerProvider().Tracer(Scope).Start(ctx, whom+": "+what, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, Span{s}
}

// Recorded reports whether anybody will see the span: what is only for it need not be worked out otherwise.
func (s Span) Recorded() bool { return s.of != nil }

// Set adds attributes. They must be few kinds of small values, and no secret.
func (s Span) Set(attributes ...attribute.KeyValue) {
	if s.of != nil {
		s.of.SetAttributes(attributes...)
	}
}

// End ends the span. Of an error only its kind is kept: its text may tell more than should leave the process.
func (s Span) End(err error) {
	if s.of == nil {
		return
	}
	Fail(s.of, err)
	s.of.End()
}

// Fail notes on a span that it ended with an error, if it did.
func Fail(of trace.Span, err error) {
	if err == nil {
		return
	}
	kind := string(fault.KindOf(err))
	of.SetAttributes(attribute.String("error.type", kind))
	of.SetStatus(codes.Error, kind)
}

// Fields are the keys of a log line that say in which trace it was written; none outside of one.
func Fields(ctx context.Context) []zap.Field {
	at := trace.SpanContextFromContext(ctx)
	if !at.IsValid() {
		return nil
	}
	return []zap.Field{zap.String(flow.LogTraceID, at.TraceID().String()), zap.String(flow.LogSpanID, at.SpanID().String())}
}
