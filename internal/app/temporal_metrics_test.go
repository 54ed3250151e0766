package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"salesforcesync/internal/monitoringtest"
)

func TestMetricsOfTemporalsSDKAreDocumented(t *testing.T) {
	t.Parallel()
	documented := monitoringtest.Documented(t)
	for name, m := range sdkMetrics {
		d, there := documented[name]
		require.True(t, there, name)
		require.ElementsMatch(t, m.labels, d.Labels, name)
		require.Equal(t, m.kind == timer, d.Histogram, name)
	}
	for name := range documented {
		if _, there := sdkMetrics[name]; strings.HasPrefix(name, "temporal_") {
			require.True(t, there, "%s is documented and not exported", name)
		}
	}
}

// constants are the values of the string constants of a file of the SDK, by name.
func constants(t *testing.T, path ...string) map[string]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/sdk").Output()
	require.NoError(t, err)
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(append([]string{strings.TrimSpace(string(dir))}, path...)...), nil, 0)
	require.NoError(t, err)
	values := map[string]string{}
	var text func(e ast.Expr) string
	text = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, _ := strconv.Unquote(e.Value)
			return s
		case *ast.Ident:
			return values[e.Name]
		case *ast.BinaryExpr:
			return text(e.X) + text(e.Y)
		}
		return ""
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			values[spec.Names[0].Name] = text(spec.Values[0])
		}
		return true
	})
	return values
}

// notNeeded are metrics of the SDK for what is not used here.
var notNeeded = []string{"temporal_local_activity_", "temporal_nexus_"}

// A release of the SDK that names a metric otherwise, or has a new one, is noticed.
func TestMetricsAreThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, name := range constants(t, "internal", "common", "metrics", "constants.go") {
		there[name] = true
	}
	for name := range sdkMetrics {
		require.True(t, there[name], "the SDK has no %s", name)
	}
	for name := range there {
		if _, known := sdkMetrics[name]; !strings.HasPrefix(name, "temporal_") || name == "temporal_" || name == "temporal_go" || known {
			continue
		}
		unused := false
		for _, prefix := range notNeeded {
			unused = unused || strings.HasPrefix(name, prefix)
		}
		require.True(t, unused, "the SDK has a new metric: %s", name)
	}
}

func TestTagsBecomeLabelsOnlyWhereWanted(t *testing.T) {
	t.Parallel()
	a := New(zap.NewNop())
	root := a.TemporalMetrics().WithTags(map[string]string{"namespace": "default", "task_queue": "none", "client_name": "temporal_go"})
	h := root.WithTags(map[string]string{"task_queue": "integrations-poll", "activity_type": "Poll", "workflow_type": "Integration"})
	h.Timer("temporal_activity_schedule_to_start_latency").Record(3 * time.Second)
	h.WithTags(map[string]string{"failure_reason": "ActivityError"}).Counter("temporal_activity_execution_failed").Inc(2)
	root.Gauge("temporal_sticky_cache_size").Update(7)
	root.Counter("temporal_of_a_later_release").Inc(1)
	root.Timer("temporal_of_a_later_release").Record(1)
	root.Gauge("temporal_of_a_later_release").Update(1)
	families, err := a.Metrics.Gather()
	require.NoError(t, err)
	got := map[string]string{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "temporal_") {
			require.Len(t, f.GetMetric(), 1)
			got[f.GetName()] = strings.ReplaceAll(f.GetMetric()[0].String(), "  ", " ")
		}
	}
	require.Len(t, got, 3)
	require.Contains(t, got["temporal_activity_schedule_to_start_latency"], "sample_sum:3")
	require.NotContains(t, got["temporal_activity_schedule_to_start_latency"], "Integration")
	require.Contains(t, got["temporal_activity_execution_failed"], "ActivityError")
	require.Contains(t, got["temporal_activity_execution_failed"], "value:2")
}

// What the SDK logs is told on the page, too, also what a later release adds.
func TestKeysOfTheSDKAreDocumented(t *testing.T) {
	t.Parallel()
	known := monitoringtest.LogKeys(t)
	tags := constants(t, "internal", "internal_logging_tags.go")
	require.Greater(t, len(tags), 30)
	for _, tag := range tags {
		require.Contains(t, known, snake(tag))
	}
}

func TestKeysOfTheSDKAreSpelledAsOurs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"WorkflowID": "workflow_id", "TaskFirstEventID": "task_first_event_id", "Stop timeout": "stop_timeout", "Error": "error",
		"error": "error", "workflow_id": "workflow_id", "LinkURL": "link_url", "Attempt": "attempt"} {
		require.Equal(t, want, snake(name), name)
	}
}
