package app

import (
	"context"
	"crypto/rand"
	"maps"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"salesforcesync/internal/build"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/tracing"
)

// Traces adds the export of traces to the process and gives what begins them; nil when cfg says
// that there are none. Where they go, which are kept and what else is said about the process, OpenTelemetry reads from
// its own variables.
func (a *App) Traces(ctx context.Context, program string, cfg config.Traces) (trace.Tracer, error) {
	if !cfg.On {
		return nil, nil
	}
	var options []otlptracehttp.Option
	var secrets []secret.Text
	if len(cfg.Headers) > 0 {
		headers := map[string]string{}
		for name, value := range cfg.Headers {
			headers[name] = value.Reveal()
			secrets = append(secrets, value)
			if _, token, ok := strings.Cut(value.Reveal(), " "); ok { // Bearer and the like before it are none
				secrets = append(secrets, secret.Text(token))
			}
		}
		options = append(options, otlptracehttp.WithHeaders(maps.Clone(headers)))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the export of traces cannot be set up").WithHint("check the OTEL_EXPORTER_OTLP_… variables")
	}
	// What the environment says of the process comes last: it outranks us.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.namespace", "salesforcesync"), attribute.String("service.name", "salesforcesync-"+program),
		attribute.String("service.version", build.Read().Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "OTEL_RESOURCE_ATTRIBUTES cannot be read").WithHint("write it as name=value,name=value")
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithIDGenerator(TraceIDGenerator()))
	lost := &complaints{log: a.Log.Named("traces"), secrets: secrets}
	otel.SetErrorHandler(lost)
	// What is left goes out, if it can: a collector that is away must not hold the stop up, nor spoil it.
	a.Add(Step{Name: "traces", Stop: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, lastTraces)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			lost.Handle(err)
		}
		return nil
	}})
	return provider.Tracer(tracing.Scope), nil
}

// lastTraces is how long a stop waits for traces to go out.
const lastTraces = 3 * time.Second

// TraceIDs are the ids that the next trace begun in ctx gets.
func TraceIDs(ctx context.Context, of trace.TraceID, root trace.SpanID) context.Context {
	return context.WithValue(ctx, idsKey{}, ids{of, root})
}

// TraceIDGenerator makes the ids of traces: those that TraceIDs says, else random ones.
func TraceIDGenerator() sdktrace.IDGenerator { return ids{} }

type idsKey struct{}

// ids are those of a trace that several processes know without telling each other; the zero ids are random ones.
type ids struct {
	trace trace.TraceID
	root  trace.SpanID
}

// NewIDs gives the ids of a new trace.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if known, ok := ctx.Value(idsKey{}).(ids); ok {
		return known.trace, known.root
	}
	var id trace.TraceID
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	return id, ids{}.NewSpanID(ctx, id)
}

// NewSpanID gives the id of a span in a trace.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	_, _ = rand.Read(id[:])
	return id
}

// complaints logs what OpenTelemetry cannot do, once until it is something else: it tries again every few
// seconds, and traces are not what anybody should be woken for.
type complaints struct {
	log     *zap.Logger
	secrets []secret.Text // that the collector was sent, and may repeat
	mu      sync.Mutex
	last    string
}

// Handle is called with each error.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = secret.HideIn(err, c.secrets...)
	if said := err.Error(); said != c.last {
		c.last = said
		c.log.Warn("traces are lost", zap.Error(err))
	}
}
