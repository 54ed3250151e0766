package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"salesforcesync/internal/app"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tracing"
)

// attempts sees every attempt of an activity: it counts and logs those that fail, and begins
// their traces. Workflows are left alone: what they do is in their histories, and nothing of this may change them.
type attempts struct {
	interceptor.InterceptorBase
	log    *zap.Logger
	faults *prometheus.CounterVec
	traces *batchTraces // nil: there are none
}

func newAttempts(registry *prometheus.Registry, log *zap.Logger, traces *batchTraces) *attempts {
	a := &attempts{log: log, traces: traces, faults: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "salesforcesync_activity_faults_total",
		Help: "Attempts of activities that failed, by the kind of fault.",
	}, []string{"activity", "fault"})}
	for _, name := range []string{flow.Check.Name, flow.Watch.Name, flow.Poll.Name, flow.Transform.Name, flow.Upsert.Name, flow.Report.Name, flow.Steer.Name,
		flow.BackfillStep.Name, flow.RetransformStep.Name, flow.Deliver.Name} {
		a.faults.WithLabelValues(name, string(fault.Internal)) // the first one is to be seen as one more than none
	}
	registry.MustRegister(a.faults)
	return a
}

// InterceptActivity is called for each attempt.
func (a *attempts) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &attempt{interceptor.ActivityInboundInterceptorBase{Next: next}, a}
}

type attempt struct {
	interceptor.ActivityInboundInterceptorBase
	*attempts
}

// ExecuteActivity runs the attempt.
func (a *attempt) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	about := subjectOf(info, in.Args)
	ctx, traced := a.traces.begin(ctx, info, about)
	began := time.Now()
	out, err := a.Next.ExecuteActivity(ctx, in)
	kind := kindOf(err)
	if kind != "" {
		a.faults.WithLabelValues(info.ActivityType.Name, kind).Inc()
	}
	a.tell(ctx, info, about, kind, time.Since(began), err)
	if traced != nil {
		if kind != "" {
			tracing.Fail(traced, fault.New(fault.Kind(kind), ""))
		}
		traced.End()
	}
	return out, err
}

// kindOf is the kind of fault that an activity failed with; "" when it did not, or was only told to end.
func kindOf(err error) string {
	var said *temporal.ApplicationError
	switch {
	case err == nil || temporal.IsCanceledError(err):
		return ""
	case errors.As(err, &said):
		return said.Type()
	}
	return string(fault.KindOf(err))
}

// tell logs a failed attempt, as loudly as its kind deserves: what belongs to a normal day hardly. One that went
// well is for who asks for everything.
func (a *attempts) tell(ctx context.Context, info activity.Info, about subject, kind string, took time.Duration, err error) {
	level, what := zap.WarnLevel, "an activity failed"
	switch fault.Kind(kind) {
	case "":
		level, what = zap.DebugLevel, "an activity ended"
	case fault.Fenced, fault.Stopped, fault.Quota:
		level = zap.DebugLevel
	case fault.Internal:
		level = zap.ErrorLevel
	}
	line := a.log.Check(level, what)
	if line == nil {
		return
	}
	fields := append(about.fields(), zap.String(flow.LogActivity, info.ActivityType.Name), zap.String(flow.LogWorkflowID, info.WorkflowExecution.ID),
		zap.String(flow.LogTaskQueue, info.TaskQueue), zap.Int32(flow.LogAttempt, info.Attempt), zap.Duration(flow.LogDuration, took))
	if kind != "" {
		fields = append(fields, zap.String(flow.LogFault, kind), zap.Error(err))
	}
	var said *temporal.ApplicationError
	var failure flow.Failure
	if errors.As(err, &said) && said.HasDetails() && said.Details(&failure) == nil && failure.Hint != "" {
		fields = append(fields, zap.String(flow.LogHint, failure.Hint))
	}
	line.Write(append(fields, tracing.Fields(ctx)...)...)
}

// subject is what an activity is about, for logs and traces.
type subject struct {
	project, integration, object string
	batch                        flow.BatchRef // zero when it is about no batch
}

func subjectOf(info activity.Info, args []any) subject {
	var s subject
	s.project, s.integration = flow.OfWorkflow(info.WorkflowExecution.ID)
	if len(args) == 0 {
		return s
	}
	switch in := args[0].(type) {
	case flow.BatchRef:
		s.batch, s.object = in, in.Object
	case flow.ReportParams:
		s.object = in.Object
	case flow.BackfillStepParams:
		s.object = in.Object
	case flow.SteerParams:
		s.object = in.Object
	}
	return s
}

// tell says what is known of it, by the keys that logs and traces share.
func (s subject) tell(text func(key, value string), number func(key string, value int64)) {
	text(flow.LogProject, s.project)
	text(flow.LogIntegration, s.integration)
	if s.object != "" {
		text(flow.LogObject, s.object)
	}
	if s.batch.Stream != 0 {
		number(flow.LogStream, s.batch.Stream)
		number(flow.LogEpoch, s.batch.Epoch)
		number(flow.LogSeq, s.batch.Seq)
	}
}

func (s subject) fields() (all []zap.Field) {
	s.tell(func(key, value string) { all = append(all, zap.String(key, value)) }, func(key string, value int64) { all = append(all, zap.Int64(key, value)) })
	return all
}

func (s subject) attributes() (all []attribute.KeyValue) {
	s.tell(func(key, value string) { all = append(all, attribute.String(key, value)) }, func(key string, value int64) { all = append(all, attribute.Int64(key, value)) })
	return all
}

// batchTraces begins the spans of activities. A batch is one trace, whichever workers Poll, Transform and Upsert
// run on and however often: its ids follow from the batch's name, so that nobody has to hand them on. Its
// root, the batch itself, is written by the Upsert that applied it.
type batchTraces struct {
	tracer   trace.Tracer
	instance string // of the database: elsewhere, too, there is a batch 1 of stream 1
}

// begin begins the span of an attempt; nil when it is not traced.
func (t *batchTraces) begin(ctx context.Context, info activity.Info, about subject) (context.Context, trace.Span) {
	if t == nil {
		return ctx, nil
	}
	if about.batch.Stream != 0 {
		ctx = context.WithValue(ctx, tracedKey{}, about)
		// It is not ended here, so it goes nowhere; it says whether this trace is kept, by its id, as everywhere else.
		ctx, _ = t.root(ctx, about, time.Time{})
	}
	ctx, s := t.tracer.Start(ctx, info.ActivityType.Name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(about.attributes(),
		attribute.String("temporal.workflow_id", info.WorkflowExecution.ID), attribute.String("temporal.run_id", info.WorkflowExecution.RunID),
		attribute.String(flow.LogTaskQueue, info.TaskQueue), attribute.Int(flow.LogAttempt, int(info.Attempt)),
		attribute.Float64("waited_seconds", max(0, info.StartedTime.Sub(info.ScheduledTime).Seconds())))...))
	return ctx, s
}

// tracedKey is what the attempt that ctx belongs to is about.
type tracedKey struct{}

func (t *batchTraces) root(ctx context.Context, about subject, began time.Time) (context.Context, trace.Span) {
	sum := sha256.Sum256(fmt.Appendf(nil, "batch of %s: %d %d %d", t.instance, about.batch.Stream, about.batch.Epoch, about.batch.Seq))
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithAttributes(about.attributes()...)}
	if !began.IsZero() {
		options = append(options, trace.WithTimestamp(began))
	}
	return t.tracer.Start(app.TraceIDs(ctx, trace.TraceID(sum[:16]), trace.SpanID(sum[16:24])), "batch of "+about.object, options...)
}

// applied writes the root of a batch's trace: from its beginning until now.
func (t *batchTraces) applied(ctx context.Context, a store.Applied) {
	about, ok := ctx.Value(tracedKey{}).(subject)
	if t == nil || !ok || a.Began.IsZero() {
		return
	}
	_, root := t.root(ctx, about, a.Began)
	c := a.Counts
	root.SetAttributes(attribute.String("lane", a.Lane), attribute.Int64("rows", c.Rows), attribute.Int64("created", c.Created), attribute.Int64("text_changed", c.TextChanged),
		attribute.Int64("metadata_changed", c.MetadataChanged), attribute.Int64("unchanged", c.Unchanged), attribute.Int64("set_aside", c.SetAside),
		attribute.Int64("deleted", c.Deleted), attribute.Int64("units", c.Units))
	root.End()
}
