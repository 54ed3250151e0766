package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"salesforcesync/internal/meter"
)

// place is how far away Salesforce is.
type place struct {
	name    string
	latency int     // ms of every request
	queue   float64 // seconds that a job waits for its turn
	run     float64 // seconds that it takes at least
}

var places = []place{
	{name: "on this machine"},
	{name: "150 ms away, jobs take 4 s", latency: 150, queue: 2, run: 2},
}

// Where the product says from how many rows on a load goes in bulk. Loads on this side of
// it are done on the other side, too, by workers with another number.
const switchFile = "internal/poll/backfill.go"

var switchPoint = regexp.MustCompile(`(?m)^(\s*defaultBulkFrom\s*=\s*)[0-9_]+`)

// crossing does first loads of several sizes over REST and in bulk and says what each took.
func (g *ground) crossing(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(g.tools.Root, switchFile))
	if err != nil {
		return err
	}
	if !switchPoint.Match(text) {
		return errors.New("find the switch point: there is no defaultBulkFrom in " + switchFile)
	}
	ways := map[string]string{"REST": "1 << 60", "Bulk": "1"}
	for way, from := range ways {
		args, err := meter.Overlay(g.tools.Root, g.folder, way, map[string]string{switchFile: switchPoint.ReplaceAllString(string(text), "${1}"+from)})
		if err != nil {
			return err
		}
		bin := g.bin
		g.bin = filepath.Join(g.folder, way)
		if err := g.build(ctx, args, "./worker"); err != nil {
			return err
		}
		g.bin = bin
	}
	head := []string{"mails", "Salesforce is", "by", "s", "requests", "of these"}
	var lines [][]string
	for _, n := range g.options.crossing {
		for _, at := range places {
			if err := g.startSimulator(ctx, n); err != nil {
				return err
			}
			knobs := map[string]any{"latency_ms": at.latency, "bulk": map[string]any{"queue_seconds": at.queue, "run_seconds": at.run}}
			if err := callJSON(ctx, http.MethodPatch, g.simURL+"/_sim/knobs", "", knobs, nil); err != nil {
				return err
			}
			for _, way := range slices.Backward(slices.Sorted(maps.Keys(ways))) {
				r, err := g.crossed(ctx, way)
				if err != nil {
					return fmt.Errorf("%d mails by %s: %w", n, way, err)
				}
				calls, kinds, _ := strings.Cut(r.notes[0], ": ")
				lines = append(lines, []string{grouped(int64(n)), at.name, way, fmt.Sprintf("%.1f", r.seconds()), calls, kinds})
				g.say("%s", strings.Join(lines[len(lines)-1], ", "))
			}
			if err := g.stopSimulator(); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(g.out, "\nFirst loads; %d processors, everything on this machine; requests from the consent on.\n\n", runtime.NumCPU())
	printTable(g.out, head, lines)
	return nil
}

// crossed does one load; its first note is the requests it took.
func (g *ground) crossed(ctx context.Context, way string) (r result, err error) {
	g.workers = filepath.Join("..", way)
	i, err := g.install(ctx)
	defer func() { err = errors.Join(err, i.remove()) }()
	if err != nil {
		return r, err
	}
	i.listed = false
	if _, err := i.calls(ctx); err != nil { // those before the load do not count
		return r, err
	}
	if r, err = i.load(ctx); err != nil {
		return r, i.explain(ctx, err)
	}
	for _, note := range r.notes {
		if calls, ok := strings.CutPrefix(note, callsNote); ok {
			r.notes = []string{calls}
		}
	}
	return r, nil
}

// kinds writes how often each kind of request came, and all in all before it.
func kinds(list map[string]int) string {
	var parts []string
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(list)) {
		if strings.HasPrefix(kind, "_sim") || kind == "control" {
			continue
		}
		total += list[kind]
		parts = append(parts, fmt.Sprintf("%s %d", kind, list[kind]))
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(parts, ", "))
}
