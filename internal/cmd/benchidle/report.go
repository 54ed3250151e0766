package main

import (
	"fmt"
	"slices"
	"time"

	"salesforcesync/internal/meter"
)

// print says what was measured, as Markdown.
func (g *ground) print(m measured) {
	line := func(format string, args ...any) { fmt.Fprintf(g.out, format+"\n", args...) }
	wall := m.after.at.Sub(m.before.at)
	used := m.after.cpu.Since(m.before.cpu)
	n := float64(g.integrations)
	hours := wall.Hours()
	line("\n%d integrations of %d objects every %s, idle for %s\n", g.integrations, len(objects), g.interval, wall.Round(time.Second))
	line("| process | cores | CPU ms per integration and minute | peak MiB |\n| --- | ---: | ---: | ---: |")
	for _, who := range []string{ofWorker, ofTemporal, ofPostgres, ofSimulator} {
		line("| %s | %.3f | %.2f | %.0f |", who, used[who]/wall.Seconds(), 1000*used[who]/n/wall.Minutes(), float64(m.memory[who])/(1<<20))
	}
	line("\n| per integration | an hour | a day |\n| --- | ---: | ---: |")
	for _, row := range []struct {
		what string
		sum  int64
	}{
		{"events of history", m.after.events - m.before.events},
		{"bytes of history", m.after.bytes - m.before.bytes},
		{"calls to Salesforce", m.after.calls - m.before.calls},
		{"transactions of PostgreSQL", m.after.transactions - m.before.transactions},
		{"bytes of PostgreSQL's log", m.after.wal - m.before.wal},
	} {
		line("| %s | %.1f | %.0f |", row.what, float64(row.sum)/n/hours, 24*float64(row.sum)/n/hours)
	}
	line("\ninterval asked for %s, calls to Salesforce each %s; connections of the worker to PostgreSQL: %d",
		g.interval, time.Duration(wall.Seconds()*n/float64(max(m.after.calls-m.before.calls, 1))*float64(time.Second)).Round(10*time.Millisecond), m.connections)
	if cpu := used[ofWorker] / wall.Seconds(); cpu > 0 {
		line("integrations per core of the worker: %.0f; of everything but the simulator: %.0f", n/cpu,
			n*wall.Seconds()/(used[ofWorker]+used[ofTemporal]+used[ofPostgres]))
	}
	if g.integrations == 1 {
		line("from the signal `pause` to the last call: %s", m.stopped.Round(10*time.Millisecond))
	}
	if m.statements != "" {
		line("\n| calls | ms | statement |\n| ---: | ---: | --- |\n%s\n", m.statements)
	}
	if f := used.Foreign(); f > 0.1*wall.Seconds() {
		line("disturbed: programs that do not belong here used %.2f cores meanwhile", f/wall.Seconds())
	}
	var rest []string
	for _, who := range []string{meter.Self, meter.Clients} {
		rest = append(rest, fmt.Sprintf("%s %.3f", who, used[who]/wall.Seconds()))
	}
	slices.Sort(rest)
	line("besides, in cores: %v", rest)
}
