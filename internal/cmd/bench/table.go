package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/meter"
)

// result is one run of one row.
type result struct {
	wall   time.Duration
	rows   int
	bytes  int64 // of CSV, the same for all rows
	used   meter.CPU
	memory int64 // peak of the worker; 0 = no worker
	notes  []string
}

func (r result) seconds() float64 { return r.wall.Seconds() }

// middle returns the run whose wall time is the median (of an even number the slower of the
// two), as a whole: numbers of one run belong together.
func middle(runs []result) result {
	sorted := slices.Clone(runs)
	slices.SortStableFunc(sorted, func(a, b result) int { return int(a.wall - b.wall) })
	return sorted[len(sorted)/2]
}

// spread says how far the runs lie apart.
func spread(runs []result) string {
	if len(runs) < 2 {
		return ""
	}
	fastest, slowest := runs[0].wall, runs[0].wall
	for _, r := range runs {
		fastest, slowest = min(fastest, r.wall), max(slowest, r.wall)
	}
	return fmt.Sprintf("%.1f–%.1f", fastest.Seconds(), slowest.Seconds())
}

// printTable prints cells below their heads as a table that is Markdown, too. All columns
// but the first are right-aligned.
func printTable(out io.Writer, head []string, lines [][]string) {
	width := make([]int, len(head))
	for _, line := range append([][]string{head}, lines...) {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	put := func(line []string) {
		cells := make([]string, len(line))
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if cells[i] = pad + cell; i == 0 {
				cells[i] = cell + pad
			}
		}
		fmt.Fprintln(out, "| "+strings.Join(cells, " | ")+" |")
	}
	put(head)
	rule := make([]string, len(head))
	for i := range head {
		if rule[i] = strings.Repeat("-", width[i]-1) + ":"; i == 0 {
			rule[i] = strings.Repeat("-", width[i])
		}
	}
	put(rule)
	for _, line := range lines {
		put(line)
	}
}

// resultHead is the head of the table of results.
var resultHead = []string{"row", "wall s", "all runs", "rows/s", "MB/s", "CPU s", "worker", "PostgreSQL", "simulator", "others", "peak MiB"}

// line is the cells of a row's runs.
func line(title string, runs []result) []string {
	r := middle(runs)
	named := []string{ofWorker, ofPostgres, ofSimulator}
	others := r.used.Sum()
	for _, who := range named {
		others -= r.used[who]
	}
	cells := []string{title, fmt.Sprintf("%.1f", r.seconds()), spread(runs),
		grouped(int64(float64(r.rows) / r.seconds())), fmt.Sprintf("%.1f", float64(r.bytes)/1e6/r.seconds()), fmt.Sprintf("%.1f", r.used.Sum())}
	for _, who := range named {
		cell := ""
		if seconds, ok := r.used[who]; ok && seconds >= 0.05 {
			cell = fmt.Sprintf("%.1f", seconds)
		}
		cells = append(cells, cell)
	}
	cells = append(cells, fmt.Sprintf("%.1f", others), "")
	if r.memory > 0 {
		cells[len(cells)-1] = fmt.Sprintf("%.0f", float64(r.memory)/(1<<20))
	}
	return cells
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percentile of durations; 0 when there is none.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
