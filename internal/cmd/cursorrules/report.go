package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report writes the day as Markdown, for docs/cursor-rules.md.
func (r *result) report(out io.Writer) {
	w, o := r.work, r.org
	late, longest := 0, time.Duration(0)
	for _, c := range o.changes {
		if d := c.commit.Sub(c.stamp); d > 10*time.Second {
			late++
			longest = max(longest, d)
		}
	}
	fmt.Fprintf(out, "Seed %d: %s from %s, %s changes of %s records, %s of them visible more than 10 s after their stamp, the latest after %s; one look in %s.\n\n",
		w.seed, w.length, w.begin.Format("2006-01-02 15:04"), count(len(o.changes)), count(len(o.history)), count(late), longest.Round(time.Second), interval)
	fmt.Fprintln(out, "| rule | records missing | of these outdated | from mass loads | changes lost | rows read | read again | calls | MB | p50 | p95 | p99 |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, x := range append(slices.Clone(r.others), r.ours) {
		m, note := x.missing(), ""
		if !x.idle.IsZero() {
			note = " (stands still from " + x.idle.Format("15:04") + ")"
		}
		fmt.Fprintf(out, "| %s%s | %s | %s | %s | %s | %s | %s | %s | %s |", x.name, note, count(m.all), count(m.outdated), count(m.loads), count(x.lost()),
			count(x.day.rows), count(x.day.again), count(x.day.calls), count(int(x.day.bytes/1_000_000)))
		for _, d := range x.staleness(50, 95, 99) {
			fmt.Fprintf(out, " %s |", wait(d))
		}
		fmt.Fprintln(out)
	}
	day := r.ours.day
	ages := percentiles(r.claims.ages, 50, 95, 100)
	fmt.Fprintf(out, "\nOurs besides: %s rows of ids and stamps alone. Its calls: %s.\n", count(day.light), kinds(day.kinds))
	fmt.Fprintf(out, "\"Complete up to\" moved %s times and was true each time; its age was %s (p50), %s (p95), %s at most.\n",
		count(r.claims.moved), wait(ages[0]), wait(ages[1]), wait(ages[2]))
	fmt.Fprintf(out, "At the end the store has %s comments, each with the text of its last change.\n", count(r.comments))
}

func kinds(calls map[string]int) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(calls)) {
		list = append(list, count(calls[k])+" "+k)
	}
	return strings.Join(list, ", ")
}

// wait spells a time that something took.
func wait(d time.Duration) string {
	switch {
	case d == never:
		return "never"
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// count spells a number with separators.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
