package monitoringtest

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// Metric is a line of a table of metrics.
type Metric struct {
	Labels    []string // sorted
	Programs  []string // that export it; nil for those of Temporal's SDK
	Histogram bool
}

// Read gives a file of the repository, by its path from the root. Tests run two folders below it, or one.
func Read(t testing.TB, path string) string {
	t.Helper()
	for _, up := range []string{".", "..", filepath.Join("..", "..")} {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(up, path))
		require.NoError(t, err)
		return string(data)
	}
	require.Fail(t, "the repository's root is not found")
	return ""
}

var quoted = regexp.MustCompile("`([^`]*)`")

func names(cell string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return out
}

func cells(line string) []string {
	var out []string
	for cell := range strings.SplitSeq(strings.Trim(line, "| \n"), "|") {
		out = append(out, strings.TrimSpace(cell))
	}
	return out
}

// Documented are the metrics of docs/monitoring.md, by name.
func Documented(t testing.TB) map[string]Metric {
	t.Helper()
	out := map[string]Metric{}
	for line := range strings.Lines(Read(t, "docs/monitoring.md")) {
		if !strings.HasPrefix(line, "| `salesforcesync_") && !strings.HasPrefix(line, "| `temporal_") {
			continue
		}
		row := cells(line)
		m := Metric{Labels: names(row[1]), Histogram: strings.HasPrefix(row[len(row)-1], "histogram")}
		if len(row) == 4 {
			m.Programs = names(row[2])
		}
		name := names(row[0])[0]
		require.NotContains(t, out, name, "it is told once")
		out[name] = m
	}
	require.Greater(t, len(out), 60)
	return out
}

// LogKeys are the keys of log lines that docs/monitoring.md tells of.
func LogKeys(t testing.TB) []string {
	t.Helper()
	_, section, found := strings.Cut(Read(t, "docs/monitoring.md"), "\n## Logs\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var keys []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			keys = append(keys, names(cells(line)[0])...)
		}
	}
	require.Greater(t, len(keys), 40)
	return keys
}

// Exported are the metrics of a program's /metrics that are ours or of Temporal's SDK, by name.
func Exported(t testing.TB, scraped io.Reader) map[string]Metric {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(scraped)
	require.NoError(t, err)
	out := map[string]Metric{}
	for name, family := range families {
		if !strings.HasPrefix(name, "salesforcesync_") && !strings.HasPrefix(name, "temporal_") {
			ours := strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
			require.True(t, ours, "%s is none of those that docs/monitoring.md tells of", name)
			continue
		}
		var m Metric
		for _, label := range family.GetMetric()[0].GetLabel() {
			m.Labels = append(m.Labels, label.GetName())
		}
		slices.Sort(m.Labels)
		m.Histogram = family.GetMetric()[0].GetHistogram() != nil
		out[name] = m
	}
	return out
}

// Holds reports what is wrong between what a program exports and what is documented of it: nothing, if all is
// well. What is documented of Temporal's SDK need not be there: much of it appears when it happens.
func Holds(t testing.TB, program string, exported map[string]Metric) (wrong []string) {
	t.Helper()
	documented := Documented(t)
	for name, m := range exported {
		d, known := documented[name]
		switch {
		case !known || d.Programs != nil && !slices.Contains(d.Programs, program):
			wrong = append(wrong, name+" is exported by "+program+" and not documented")
		case !slices.Equal(d.Labels, m.Labels) || d.Histogram != m.Histogram:
			wrong = append(wrong, name+" has other labels, or is another kind, than is documented: "+strings.Join(m.Labels, ", "))
		}
	}
	for name, d := range documented {
		if _, there := exported[name]; slices.Contains(d.Programs, program) && !there {
			wrong = append(wrong, name+" is documented and not exported by "+program)
		}
	}
	slices.Sort(wrong)
	return wrong
}
