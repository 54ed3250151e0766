package chaos

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load1 is the machine's load over the last minute; 0 where nobody knows.
func load1() float64 {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
	return n
}

// Report writes what was done and what was found, in Markdown.
func (r *Run) Report(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	row := func(name, format string, args ...any) { p("| %s | "+format+" |", append([]any{name}, args...)...) }
	kills, ways, kinds := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range r.deck.events {
		if e.kind == "" {
			kills[e.what+" "+e.target]++
			continue
		}
		ways[e.target]++
		kinds[string(e.kind)]++
	}
	secrets, _ := r.canary.total()
	p("| | |")
	p("|---|---|")
	row("seed, begun", "%d, %s", r.o.Seed, r.began.UTC().Format("2006-01-02 15:04"))
	row("length", "%s with faults, %s in all", r.broken.Round(time.Second), time.Since(r.began).Round(time.Second))
	row("machine", "%s; load of one minute at the end of a stretch: up to %.1f", machine(), r.heard)
	row("faults of processes", "%d: %s", sum(kills), list(kills))
	row("partitions by way", "%d: %s", sum(ways), list(ways))
	row("partitions by kind", "%s", list(kinds))
	row("faults of Salesforce", "%d answers: %s", sum(r.unrest.faults), list(r.unrest.faults))
	row("besides", "%s", list(r.unrest.acts))
	row("requests to Salesforce", "%d; refresh tokens rotated %d times", r.unrest.requests, r.unrest.rotations)
	row("programs that gave up and were started again", "%s", list(r.unasked()))
	row("longest graceful stop", "%.2f s", r.deck.stops.Seconds())
	row("integrations connected again by hand, because a rotated token was lost on its way", "%d", r.reconnects)
	row("loads and comparisons asked for", "%d", r.asked)
	row("records written", "%d: %s", sum(r.load.writes), list(r.load.writes))
	row("comments at the end", "%d", r.last.comments)
	row("units at the end", "%d, and %d texts that another one came over before they were read", r.last.unitCount, r.last.spared)
	row("**missing**", "**%d**", r.counts["missing"])
	row("**extra, twice**", "**%d**", r.counts["extra"]+r.counts["twice"])
	row("**wrong**", "**%d**", r.counts["wrong"])
	row("**units off**", "**%d**", r.counts["units"])
	row("**secrets found**", "**%d**", secrets)
	row("looked for secrets in", "%s; %d events of histories", bytesOf(r.canary.looked), r.events)
	row("\"complete up to\" held against a record", "%d times, not true %d times", r.claimed, r.counts["complete up to"])
	row("looks at what must always hold", "%d, of which %d had no answer", r.looks, r.unanswered)
	row("recoveries", "%d: %s (promised: %.0f s)", len(r.recoveries), r.percentiles(func(r recovery) time.Duration { return r.took }), promise.Seconds())
	row("with what transactions had committed late", "%s", r.percentiles(func(r recovery) time.Duration { return r.all }))
	row("said to be complete up to the newest write", "%.0f s after the last one", r.completeAfter.Seconds())
	if len(r.recoveries) > 0 {
		longest := slices.MaxFunc(r.recoveries, func(a, b recovery) int { return int(a.took - b.took) })
		p("\nThe longest recovery took %.1f s. In the twenty seconds before it were over:\n", longest.took.Seconds())
		for _, e := range longest.after {
			p("- %s", e)
		}
		if longest.last != "" {
			p("\nAmong the last differences was: %s", strings.ReplaceAll(longest.last, "\n", " "))
		}
	}
	if len(r.counts) == 0 {
		p("\nEvery promise was kept.")
		return
	}
	p("\nNot as it must be:\n")
	for _, kind := range slices.Sorted(maps.Keys(r.counts)) {
		p("- %s: %d", kind, r.counts[kind])
		for _, problem := range r.problems[kind] {
			p("  - %s", strings.ReplaceAll(problem, "\n", "\n    "))
		}
	}
	p("\nLogs: %s", r.o.Dir)
}

func (r *Run) unasked() map[string]int {
	out := map[string]int{}
	for _, m := range r.stack.members {
		if n := m.endedUnasked(); n > 0 {
			out[m.name] = n
		}
	}
	return out
}

func (r *Run) percentiles(of func(recovery) time.Duration) string {
	if len(r.recoveries) == 0 {
		return "none"
	}
	var took []time.Duration
	for _, rec := range r.recoveries {
		took = append(took, of(rec))
	}
	slices.Sort(took)
	at := func(percent int) float64 { return took[min(len(took)-1, len(took)*percent/100)].Seconds() }
	return fmt.Sprintf("p50 %.1f s, p95 %.1f s, longest %.1f s", at(50), at(95), took[len(took)-1].Seconds())
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// list is a map in words, the most first.
func list(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, m[name])
	}
	return strings.Join(names, ", ")
}

func bytesOf(m map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s (%.1f MB)", name, float64(m[name])/1e6))
	}
	return strings.Join(parts, ", ")
}
