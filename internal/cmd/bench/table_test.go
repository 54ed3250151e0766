package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"salesforcesync/internal/meter"

	"github.com/stretchr/testify/require"
)

func TestMiddle(t *testing.T) {
	t.Parallel()
	runs := []result{{wall: 3 * time.Second}, {wall: 1 * time.Second}, {wall: 2 * time.Second}}
	require.Equal(t, 2*time.Second, middle(runs).wall)
	require.Equal(t, 3*time.Second, runs[0].wall, "the runs stay in their order")
	require.Equal(t, 3*time.Second, middle(runs[:2]).wall, "of two the slower")
	require.Equal(t, "1.0–3.0", spread(runs))
	require.Empty(t, spread(runs[:1]))
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	require.Zero(t, percentile(nil, 50))
	var list []time.Duration
	for n := range 100 {
		list = append(list, time.Duration(99-n))
	}
	require.Equal(t, time.Duration(50), percentile(list, 50))
	require.Equal(t, time.Duration(95), percentile(list, 95))
	require.Equal(t, time.Duration(99), percentile(list, 100))
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 300_000: "300,000", 1_234_567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, grouped(n))
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printTable(&out, []string{"row", "wall s"}, [][]string{{"naïve", "1.0"}, {"b", "100.25"}})
	require.Equal(t, ""+
		"| row   | wall s |\n"+
		"| ----- | -----: |\n"+
		"| naïve |    1.0 |\n"+
		"| b     | 100.25 |\n", out.String())
}

func TestLineAddsUp(t *testing.T) {
	t.Parallel()
	cells := line("x", []result{{wall: 2 * time.Second, rows: 3000, bytes: 5e6, memory: 100 << 20,
		used: meter.CPU{ofWorker: 1, ofPostgres: 2, ofTemporal: 0.25, meter.Clients: 0.5, meter.Machine: 9}}})
	require.Len(t, cells, len(resultHead))
	require.Equal(t, "x|2.0||1,500|2.5|3.8|1.0|2.0||0.8|100", strings.Join(cells, "|"))
}
