package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"salesforcesync/internal/app"
	"salesforcesync/internal/monitoringtest"
	"salesforcesync/internal/simforce"
)

// receiver is a collector of traces.
type receiver struct {
	t *testing.T

	mu       sync.Mutex
	raw      [][]byte
	spans    []*tracepb.Span
	services []string
	headers  []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var in collector.ExportTraceServiceRequest
	if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw, r.headers = append(r.raw, body), append(r.headers, req.Header.Get("X-Tenant"))
	for _, of := range in.GetResourceSpans() {
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				r.services = append(r.services, a.GetValue().GetStringValue())
			}
		}
		for _, scope := range of.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (r *receiver) all() []*tracepb.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// named are the spans of a name, below a parent unless that is nil.
func named(spans []*tracepb.Span, name string, parent []byte) (out []*tracepb.Span) {
	for _, s := range spans {
		if s.GetName() == name && (parent == nil || bytes.Equal(s.GetParentSpanId(), parent)) {
			out = append(out, s)
		}
	}
	return out
}

func attributesOf(s *tracepb.Span) map[string]any {
	out := map[string]any{}
	for _, a := range s.GetAttributes() {
		switch v := a.GetValue(); {
		case v.GetStringValue() != "":
			out[a.GetKey()] = v.GetStringValue()
		default:
			out[a.GetKey()] = v.GetIntValue()
		}
	}
	return out
}

// One sync, told in metrics, traces and logs: the metrics are those that are documented, and no others; the batch
// is one trace; every key of every line is known; and nothing of what was read or is secret is in any of them.
func TestWhatAWorkerTells(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	traces := &receiver{t: t}
	server := httptest.NewServer(traces)
	t.Cleanup(server.Close)
	b.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = server.URL
	b.env["OTEL_EXPORTER_OTLP_HEADERS"] = "x-tenant=planted%20header"
	b.env["OTEL_BSP_SCHEDULE_DELAY"] = "100"
	sim, address := b.salesforce(4)
	const body, subject = "planted body of a mail", "planted subject of a mail"
	mail := func() {
		_, err := sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{
			"Subject": subject, "TextBody": body, "FromAddress": "planted.sender@example.com", "ToAddress": "support@acme.example",
			"Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
		require.NoError(t, err)
	}
	mail()

	w := b.start()
	id := b.integration(sim, address)
	b.eventually("everything is there and it watches", func() bool { return len(b.seed.Strings(`select id from comments`)) == 5 && b.watching(id) })

	b.seed.Exec(`update streams set verified_to = now() - interval '16 minutes'`) // as a scan would have by then
	var wrong []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(wrong, "\n"))
		}
	})
	b.eventually("what is exported is what is documented", func() bool {
		_, scraped := w.get("/metrics")
		wrong = monitoringtest.Holds(t, "worker", monitoringtest.Exported(t, strings.NewReader(scraped)))
		return len(wrong) == 0
	})
	var scraped string
	for _, line := range []string{
		`salesforcesync_integrations{state="idle"} 1`, `salesforcesync_units_total{lane="live",reason="created"} 5`, `salesforcesync_units_month{reason="created"} 5`,
		`salesforcesync_comments_applied_total{lane="live",outcome="created"} 5`, `salesforcesync_activity_faults_total{activity="Poll",fault="Internal"} 0`,
	} {
		b.eventually(line, func() bool { // they are counted every 15 seconds
			_, scraped = w.get("/metrics")
			return strings.Contains(scraped, "\n"+line+"\n")
		})
	}
	lines := strings.Count(scraped, "\n")
	t.Logf("a scrape has %d lines", lines)
	require.Less(t, lines, 1500, "and as many with ten thousand integrations: none of them is a label")
	require.NotContains(t, scraped, "salesforce-prod")
	mail() // what the first batch brings has not just changed
	b.eventually("how long it takes until a change can be read is measured", func() bool {
		_, scraped = w.get("/metrics")
		return !strings.Contains(scraped, `salesforcesync_change_to_readable_seconds_count 0`)
	})
	// It will be told to end in the middle of a watch, which has nothing to bring: what was read in the second of its stamp was read again.
	b.eventually("it watches, and nothing is new", func() bool {
		return b.watching(id) && b.seed.Strings(`select (select count(*) from rechecks)::text || ' ' || (select count(*) from batches where state <> 'applied')`)[0] == "0 0"
	})
	require.Contains(t, scraped, `temporal_activity_schedule_to_start_latency_bucket{activity_type="Poll",task_queue="integrations-poll",le="`)
	require.Equal(t, app.ExitOK, w.stop(), w.said()) // what is left of the traces goes out

	// One trace: its root, the stages below it, and what they did below them.
	spans := traces.all()
	roots := named(spans, "batch of EmailMessage", nil)
	require.NotEmpty(t, roots)
	root := roots[0]
	require.Empty(t, root.GetParentSpanId())
	about := attributesOf(root)
	require.Equal(t, "live", about["lane"])
	require.EqualValues(t, 5, about["units"])
	require.Less(t, root.GetStartTimeUnixNano(), root.GetEndTimeUnixNano())
	for stage, child := range map[string]string{"Poll": "Salesforce: ", "Transform": "PostgreSQL: ", "Upsert": "PostgreSQL: apply the batch"} {
		attempts := named(spans, stage, root.GetSpanId())
		require.NotEmpty(t, attempts, "%s is a part of the batch", stage)
		at := attributesOf(attempts[0])
		require.Equal(t, root.GetTraceId(), attempts[0].GetTraceId())
		require.Equal(t, []any{"support", "salesforce-prod", "EmailMessage", id}, []any{at["project"], at["integration"], at["object"], at["temporal.workflow_id"]})
		require.Equal(t, []any{about["stream"], about["epoch"], about["seq"]}, []any{at["stream"], at["epoch"], at["seq"]})
		require.True(t, slices.ContainsFunc(spans, func(s *tracepb.Span) bool {
			return strings.HasPrefix(s.GetName(), child) && bytes.Equal(s.GetParentSpanId(), attempts[0].GetSpanId()) && bytes.Equal(s.GetTraceId(), root.GetTraceId())
		}), "%s has a span %s…", stage, child)
	}
	watches := named(spans, "Watch", nil)
	require.NotEmpty(t, watches)
	require.Empty(t, watches[0].GetParentSpanId())
	require.NotEqual(t, root.GetTraceId(), watches[0].GetTraceId())
	calls, cut := 0, 0
	for _, s := range spans {
		switch status := attributesOf(s)["http.response.status_code"]; {
		case !strings.HasPrefix(s.GetName(), "Salesforce: "):
		case status == int64(0) && s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR:
			cut++
		default:
			calls++
			require.EqualValues(t, 200, status, s.GetName())
		}
	}
	require.Greater(t, calls, 2)
	require.LessOrEqual(t, cut, 1, "the one that was under way when the worker was stopped, if any")
	require.Contains(t, traces.services, "salesforcesync-worker")
	require.Contains(t, traces.headers, "planted header")

	// Lines: known keys, and the attempt that the stop ended with the ids of its trace.
	known := monitoringtest.LogKeys(t)
	failed := 0
	said := bufio.NewScanner(strings.NewReader(w.said()))
	said.Buffer(nil, 1<<20)
	for said.Scan() {
		var line map[string]any
		require.NoError(t, json.Unmarshal(said.Bytes(), &line), said.Text())
		for key := range line {
			require.Contains(t, known, key, said.Text())
		}
		if line["msg"] == "an activity failed" && line["activity"] == "Watch" {
			failed++
			trace, err := hex.DecodeString(line["trace_id"].(string))
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(watches, func(s *tracepb.Span) bool { return bytes.Equal(s.GetTraceId(), trace) }), said.Text())
			require.Equal(t, []any{"support", "salesforce-prod", "Transient"}, []any{line["project"], line["integration"], line["fault"]})
		}
	}
	require.Positive(t, failed)

	for _, secret := range []string{"hunter2hunter2", b.tokens.AccessToken, b.tokens.RefreshToken, b.env["ENCRYPTION_KEYS"], body, subject, "planted.sender", "SELECT ", "/services/data", address, "planted header"} {
		require.NotContains(t, scraped, secret)
		require.NotContains(t, w.said(), secret)
		for _, sent := range traces.raw {
			require.NotContains(t, string(sent), secret)
		}
	}

	// Told to keep them to itself, it does.
	traces.mu.Lock()
	before := len(traces.raw)
	traces.mu.Unlock()
	b.env["OTEL_TRACES_EXPORTER"] = "none"
	w = b.start()
	b.eventually("it watches again", func() bool { return b.watching(id) })
	require.Equal(t, app.ExitOK, w.stop(), w.said())
	traces.mu.Lock()
	defer traces.mu.Unlock()
	require.Len(t, traces.raw, before)
}
