package config

import (
	"net/url"
	"strings"

	"salesforcesync/internal/secret"
)

// Traces says whether traces are exported. Where to and how is read from OpenTelemetry's own variables by its
// library; only what decides, and what is secret, is read here.
type Traces struct {
	On      bool
	Headers map[string]secret.Text // sent with each export
}

func (r *envReader) readTraces() Traces {
	endpoint, exporter, headers := r.read("OTEL_EXPORTER_OTLP_ENDPOINT"), r.read("OTEL_TRACES_EXPORTER"), r.read("OTEL_EXPORTER_OTLP_HEADERS")
	if !r.uses("OTEL_*") || strings.EqualFold(r.lookup("OTEL_SDK_DISABLED"), "true") {
		return Traces{}
	}
	own := r.lookup("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	for _, v := range []struct{ name, value string }{{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own}} {
		if u, err := url.Parse(v.value); v.value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
			r.problem(v.name, "%q is not an address, such as http://otel-collector:4318", withoutUser(u))
		}
	}
	switch exporter {
	case "", "otlp":
	case "none":
		return Traces{}
	default:
		r.problem("OTEL_TRACES_EXPORTER", "%q is not otlp or none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := r.lookup(name); p != "" && p != "http/protobuf" {
			r.problem(name, "%q is not http/protobuf, the only one there is here; collectors take it on port 4318", p)
		}
	}
	t := Traces{On: endpoint != "" || own != "" || exporter == "otlp"}
	for pair := range strings.SplitSeq(headers, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		text, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			r.problem("OTEL_EXPORTER_OTLP_HEADERS", "write it as name=value,name=value, with values as in a URL")
			break
		}
		if t.Headers == nil {
			t.Headers = map[string]secret.Text{}
		}
		t.Headers[name] = secret.Text(text)
	}
	return t
}

// withoutUser is an address as it may be shown.
func withoutUser(u *url.URL) string {
	if u == nil {
		return "…"
	}
	shown := *u
	shown.User = nil
	return shown.String()
}
