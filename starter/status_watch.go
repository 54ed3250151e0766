package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// How often a watched status is read.
const (
	watchScreen = time.Second     // on a terminal
	watchLines  = 5 * time.Second // elsewhere
	// A whole status counts records, which takes the longer the more there are, and a load
	// should not suffer from being looked at: such a reading is followed by a rest of this many
	// times as long as it took, but not longer than the longest. Loads are read every time.
	watchRest    = 20
	watchLongest = time.Minute
)

// What a terminal is told: another screen without a cursor and back, to the top, and to
// clear what is left of a line and of the screen.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l"
	screenLeave = "\x1b[?25h\x1b[?1049l"
	screenTop   = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// isTerminal reports whether somebody looks at what is written to f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// watching is a status that is looked at again and again.
type watching struct {
	app                  *app
	cfg                  *config.Config
	db                   *store.Store
	project, integration string

	temporal *workflows
	id       string // the integration's
	view     statusView
	due      time.Time       // when all of it is read again
	open     map[string]bool // objects whose backfill was open at the last look
	ended    map[string]bool // objects whose backfill was cancelled while we looked
	trouble  error           // why the last look failed
	lines    map[string]string
}

// watch shows a status until ctx ends, or until everything is loaded.
func (a *app) watch(ctx context.Context, name string, untilDone bool) error {
	project, integration, err := splitName(name)
	if err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	w := &watching{app: a, cfg: cfg, db: db, project: project, integration: integration, open: map[string]bool{}, ended: map[string]bool{}, lines: map[string]string{}}
	defer w.close()
	if err := w.look(ctx); err != nil { // a mistake in the name must not take the screen
		return err
	}
	every := a.watchEvery
	show := w.showLines
	switch {
	case a.json:
		show = w.showJSON
	case a.terminal:
		show = w.showScreen
		if every == 0 {
			every = watchScreen
		}
		fmt.Fprint(a.screen(), screenEnter)
		defer func() { // what was seen last stays where the reader's own screen is
			fmt.Fprint(a.screen(), screenLeave)
			w.write(a.out)
		}()
	}
	if every == 0 {
		every = watchLines
	}
	for {
		if err := show(); err != nil {
			return err
		}
		if untilDone && w.trouble == nil {
			if done, err := w.done(); done || err != nil {
				return err
			}
		}
		if operate.Rest(ctx, every) != nil {
			if untilDone {
				return fault.New(fault.Stopped, "stopped before everything was loaded; the sync goes on")
			}
			return nil
		}
		err := w.look(ctx)
		switch {
		case ctx.Err() != nil: // rest ends it
		case fault.Is(err, fault.Unreachable, fault.Transient): // PostgreSQL may come back
			w.trouble = err
		case err != nil:
			return err
		default:
			w.trouble = nil
		}
	}
}

func (w *watching) close() {
	if w.temporal != nil {
		w.temporal.Close()
	}
}

// look reads the loads, and the rest when it is due or a load has begun or ended.
func (w *watching) look(ctx context.Context) error {
	now := time.Now()
	if now.Before(w.due) {
		loads, err := w.db.Backfills(ctx, w.id)
		if err != nil {
			return err
		}
		w.view.setBackfills(loads)
		anew, err := w.db.Retransforms(ctx, w.id)
		if err != nil {
			return err
		}
		w.view.setRetransforms(anew)
		if !w.turned() {
			return nil
		}
	}
	view, id, err := readStatus(ctx, w.db, w.project, w.integration)
	if err != nil {
		return err
	}
	if w.temporal == nil {
		call, cancel := context.WithTimeout(ctx, askWait)
		w.temporal, err = w.app.dial(call, w.cfg)
		cancel()
	}
	if err != nil {
		view.WorkflowNote = err.Error()
	} else {
		call, cancel := context.WithTimeout(ctx, askWait)
		view.Workflow, view.WorkflowNote = w.temporal.ask(call, flow.WorkflowID(w.project, w.integration))
		cancel()
	}
	w.view, w.id = view, id
	w.due = time.Now().Add(min(watchRest*time.Since(now), watchLongest))
	if w.turned() {
		w.note()
	}
	return nil
}

// turned reports whether a load has begun or ended since it was noted which are open.
func (w *watching) turned() bool {
	for _, o := range w.view.Objects {
		if w.open[o.Object] != isOpen(o.Backfill) {
			return true
		}
	}
	return false
}

// note remembers which loads are open, and which were cancelled before our eyes.
func (w *watching) note() {
	for _, o := range w.view.Objects {
		open := isOpen(o.Backfill)
		w.ended[o.Object] = !open && (w.ended[o.Object] || w.open[o.Object] && o.Backfill != nil && o.Backfill.stopped)
		w.open[o.Object] = open
	}
}

func isOpen(b *backfillView) bool { return b != nil && b.State == store.BackfillOpen }

// done reports whether everything is loaded; an error says that it will not be.
func (w *watching) done() (bool, error) {
	complete, cancelled := true, ""
	for _, o := range w.view.Objects {
		switch b := o.Backfill; {
		case isOpen(b), o.Retransform.isOpen():
			return false, nil
		case w.ended[o.Object] || o.CompleteTo == nil && b != nil && b.First && b.stopped:
			cancelled = o.Object
		case o.State != flow.StateConfigInvalid && o.CompleteTo == nil:
			complete = false
		}
	}
	if cancelled != "" {
		return false, fault.New(fault.Stopped, "the load of %s was cancelled", cancelled).
			WithHint("load the rest: starter backfill %s/%s --object %s", w.project, w.integration, cancelled)
	}
	return complete, nil
}

// showScreen draws the status over what the terminal shows.
func (w *watching) showScreen() error {
	var text bytes.Buffer
	w.write(visible{&text})
	fmt.Fprintf(&text, "\n  %s  Ctrl-C ends the watching, not the sync\n", time.Now().UTC().Format(time.TimeOnly))
	if _, err := fmt.Fprint(w.app.screen(), screenTop+strings.ReplaceAll(text.String(), "\n", clearLine+"\n")+clearRest); err != nil {
		return fault.Wrap(fault.Internal, err, "write the status")
	}
	return nil
}

// write writes what changes while one looks: the state, the loads and what is wrong.
func (w *watching) write(out io.Writer) {
	a, v := *w.app, w.view
	a.out = out
	a.print("%s/%s  %s since %s", v.Project, v.Integration, v.State, when(&v.Since))
	for _, line := range []struct{ label, text string }{
		{"why", v.Reason},
		{"next", v.Hint},
		{"goes on", goesOnLine(v)},
		{"source", fmt.Sprintf("%s/%s: %s comments, %s AI units", v.Project, v.Source, grouped(v.Comments), grouped(v.Units))},
		{"AI units", v.Month.line()},
		{"complete to", completeLine(v)},
		{"workflow", workflowLine(v)},
	} {
		if line.text != "" {
			a.print("  %-12s %s", line.label, line.text)
		}
	}
	a.printLoads(v)
	a.printRetransforms(v)
	for _, o := range v.Objects {
		a.printTrouble(o.Object, o.Problem, o.Hint, nil)
		a.printTrouble(o.Object, o.Fault, o.FaultHint, o.RetryAt)
	}
	if w.trouble != nil {
		a.print("  this is what was known last: %v", w.trouble)
	}
}

// showLines writes what has changed since it was written last, for files and pipes.
func (w *watching) showLines() error {
	v := w.view
	state := v.State
	if v.Reason != "" {
		state += ": " + v.Reason
	}
	w.line("", state)
	for _, o := range v.Objects {
		if b := o.Backfill; b != nil && (isOpen(b) || w.lines[o.Object] != "") {
			text := b.progress()
			if b.WaitsFor != nil {
				text += "  waits: " + b.WaitsFor.Message
			}
			w.line(o.Object, text)
		}
		if r := o.Retransform; r.isOpen() || r != nil && w.lines[o.Object+" anew"] != "" {
			w.line(o.Object+" anew", r.progress())
		}
	}
	if w.trouble != nil {
		w.line("!", w.trouble.Error())
	} else {
		delete(w.lines, "!")
	}
	return nil
}

func (w *watching) line(about, text string) {
	if w.lines[about] == text {
		return
	}
	w.lines[about] = text
	if about != "" && about != "!" {
		text = about + ": " + text
	}
	w.app.print("%s  %s", time.Now().UTC().Format(time.RFC3339), text)
}

// showJSON writes the whole status as one line; none while it cannot be read.
func (w *watching) showJSON() error {
	if w.trouble != nil {
		return nil //nolint:nilerr // it is told on the side of talk; what scripts read stays whole
	}
	e := json.NewEncoder(w.app.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(w.view); err != nil {
		return fault.Wrap(fault.Internal, err, "write JSON")
	}
	return nil
}
