package monitoringtest_test

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/monitoringtest"
)

var promqlParser = parser.NewParser(parser.Options{})

func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, problems := rulefmt.Parse([]byte(monitoringtest.Read(t, "docs/monitoring/alerts.yml")), false, model.UTF8Validation, promqlParser, slog.New(slog.DiscardHandler))
	require.Empty(t, problems)
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	require.Greater(t, len(all), 20)
	return all
}

// ofRuntime are metrics that any Go program and Prometheus itself have.
var ofRuntime = map[string][]string{"up": nil, "process_resident_memory_bytes": nil, "process_cpu_seconds_total": nil}

// fromScrape are labels that Prometheus adds.
var fromScrape = []string{"job", "instance"}

// holds requires that every metric and every label that an expression names is documented, which tests of the
// programs hold against what they export.
func holds(t *testing.T, where, expression string) {
	t.Helper()
	documented := monitoringtest.Documented(t)
	expr, err := promqlParser.ParseExpr(expression)
	require.NoError(t, err, where)
	known := map[string]bool{}
	for _, label := range fromScrape {
		known[label] = true
	}
	selectors := 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		name := v.Name
		base := name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if trimmed := strings.TrimSuffix(name, suffix); documented[trimmed].Histogram {
				base = trimmed
			}
		}
		m, ours := documented[base]
		if _, runtime := ofRuntime[name]; !runtime {
			require.True(t, ours, "%s names %s, which nobody exports", where, name)
			require.Equal(t, m.Histogram, base != name, "%s: %s is a histogram or is none", where, name)
		}
		own := append(slices.Clone(m.Labels), fromScrape...)
		if m.Histogram {
			own = append(own, "le")
		}
		for _, label := range own {
			known[label] = true
		}
		for _, matcher := range v.LabelMatchers {
			if matcher.Name != labels.MetricName {
				require.Contains(t, own, matcher.Name, "%s: %s has no such label", where, name)
			}
		}
		return nil
	})
	require.Positive(t, selectors, where)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				require.True(t, known[label], "%s groups by %s, which none of its metrics has", where, label)
			}
		}
		return nil
	})
}

func TestRulesNameWhatIsExported(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rules(t) {
		require.False(t, seen[r.Alert], "%s is there twice", r.Alert)
		seen[r.Alert] = true
		holds(t, r.Alert, r.Expr)
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		for _, a := range []string{"summary", "description", "runbook_url"} {
			require.NotEmpty(t, r.Annotations[a], "%s: %s", r.Alert, a)
		}
	}
}

// Whoever is woken finds what to do: each alert has its heading in the page that its runbook_url names, and
// each heading an alert.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	page := monitoringtest.Read(t, "docs/operations.md")
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^### Alert: (\w+)$`).FindAllStringSubmatch(page, -1) {
		headings = append(headings, m[1])
	}
	for _, r := range rules(t) {
		require.Contains(t, headings, r.Alert)
		require.Equal(t, "docs/operations.md#alert-"+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
	}
	require.Len(t, headings, len(rules(t)), "a heading without an alert")
}

type panel struct {
	Title   string
	Type    string
	Targets []struct{ Expr string }
	GridPos struct{ H, W, X, Y int }
}

func TestTheDashboardShowsWhatIsExported(t *testing.T) {
	t.Parallel()
	var board struct{ Panels []panel }
	require.NoError(t, json.Unmarshal([]byte(monitoringtest.Read(t, "docs/monitoring/grafana/dashboard.json")), &board))
	rows, shown := 0, ""
	for i, p := range board.Panels {
		if p.Type == "row" {
			rows++
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			holds(t, "the panel "+p.Title, target.Expr)
			shown += target.Expr + "\n"
		}
		for _, other := range board.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			apart := a.X+a.W <= b.X || b.X+b.W <= a.X || a.Y+a.H <= b.Y || b.Y+b.H <= a.Y
			require.True(t, apart, "%s lies on %s", p.Title, other.Title)
		}
	}
	require.Equal(t, 6, rows)
	// Whatever can alert can be looked at.
	for _, r := range rules(t) {
		expr, err := promqlParser.ParseExpr(r.Expr)
		require.NoError(t, err)
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if v, ok := node.(*parser.VectorSelector); ok && v.Name != "salesforcesync_totals_age_seconds" {
				require.Contains(t, shown, v.Name, "%s alerts by what the dashboard does not show", r.Alert)
			}
			return nil
		})
	}
}
