package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// shownLoads is for how long status still tells of a backfill that has ended.
const shownLoads = 24 * time.Hour

// barCells is how wide a progress bar is.
const barCells = 30

// backfillView is an object's last backfill in JSON: a contract with scripts.
type backfillView struct {
	State       string     `json:"state"`   // open, done or cancelled
	Desired     string     `json:"desired"` // running, paused or cancelled
	First       bool       `json:"first"`
	Reason      string     `json:"reason"`
	From        *time.Time `json:"from"`
	Until       *time.Time `json:"until"`
	Rows        int64      `json:"rows"`
	Expected    *int64     `json:"expected"`        // null before Salesforce counted
	Rate        float64    `json:"rate_per_second"` // over the last minute; of one that has ended, over all of it
	ETA         *float64   `json:"eta_seconds"`     // null when nobody can tell
	Planned     bool       `json:"planned"`         // all parts are known
	Parts       int64      `json:"parts"`
	PartsDone   int64      `json:"parts_done"`
	Jobs        int64      `json:"jobs"`      // that Salesforce is at work on
	OverREST    int64      `json:"over_rest"` // parts that go over REST
	WhyREST     string     `json:"why_rest"`
	Created     int64      `json:"created"`
	TextChanged int64      `json:"text_changed"`
	Units       int64      `json:"units"`
	RequestedAt time.Time  `json:"requested_at"`
	StartedAt   *time.Time `json:"started_at"`
	FinishedAt  *time.Time `json:"finished_at"`
	WaitsFor    *waitView  `json:"waits_for"`

	share   float64 // of its rows that are loaded; < 0 = not known
	took    time.Duration
	lately  bool // it is open, or has not ended long ago
	stopped bool // an operator cancelled it
}

type waitView struct {
	Kind    string     `json:"kind"`
	Message string     `json:"message"`
	Hint    string     `json:"hint"`
	RetryAt *time.Time `json:"retry_at"`
}

func viewBackfill(b store.Backfill, name, desired string, connected bool) *backfillView {
	v := &backfillView{
		State: b.State, Desired: b.Desired, First: b.First, Reason: b.Reason, From: optionalTime(b.From), Until: optionalTime(b.Until),
		Rows: b.Rows, Rate: math.Round(b.Speed()*10) / 10, Planned: b.Planned, Parts: b.Parts, PartsDone: b.Done, Jobs: b.Jobs,
		OverREST: b.OverREST, WhyREST: b.WhyREST, Created: b.Created, TextChanged: b.Changed, Units: b.Units,
		RequestedAt: b.RequestedAt.UTC(), StartedAt: b.StartedAt, FinishedAt: b.FinishedAt,
		share: -1, stopped: b.Stopped(), took: b.Took(), lately: b.FinishedAt == nil || b.ReadAt.Sub(*b.FinishedAt) < shownLoads,
	}
	if b.Expected > 0 {
		v.Expected = &b.Expected
	}
	if share, known := b.Share(); known {
		v.share = share
	}
	if w := b.WaitsFor(name, desired, connected); w != nil {
		v.WaitsFor = &waitView{Kind: string(w.Kind), Message: w.Message, Hint: w.Hint, RetryAt: w.RetryAt}
	}
	if left, known := b.Left(); known && v.WaitsFor == nil {
		eta := operate.Tenths(left)
		v.ETA = &eta
	}
	return v
}

// setBackfills gives each object of a status its last backfill.
func (v *statusView) setBackfills(list []store.Backfill) {
	for i := range v.Objects {
		v.Objects[i].Backfill = nil
		for _, b := range list {
			if b.Object == v.Objects[i].Object {
				v.Objects[i].Backfill = viewBackfill(b, v.Project+"/"+v.Integration, v.Desired, v.Connected)
			}
		}
	}
}

// what names a backfill for people.
func (v *backfillView) what() string {
	kind := "backfill"
	if v.First {
		kind = "first load"
	}
	switch {
	case v.From != nil && v.Until != nil:
		kind += " of " + when(v.From) + " to " + when(v.Until)
	case v.From != nil:
		kind += " from " + when(v.From)
	case v.Until != nil:
		kind += " until " + when(v.Until)
	}
	return kind
}

// counted is how many of the rows are loaded.
func (v *backfillView) counted() string {
	if v.Expected == nil {
		return grouped(v.Rows) + " rows"
	}
	return grouped(v.Rows) + " of " + grouped(*v.Expected) + " rows"
}

// progress is a backfill in one line, without its object.
func (v *backfillView) progress() string {
	switch v.State {
	case store.BackfillDone:
		line := fmt.Sprintf("%s is done: %s rows", v.what(), grouped(v.Rows))
		if v.took > 0 {
			line += fmt.Sprintf(" in %s, %s", lasting(v.took), rate(v.Rate))
		}
		return line + "; " + v.gained()
	case store.BackfillCancelled:
		if !v.stopped {
			return v.what() + " ended: its object was changed in the file"
		}
		return fmt.Sprintf("%s was cancelled at %s; %s", v.what(), v.counted(), v.gained())
	}
	parts := []string{v.what(), bar(v.share), v.counted()}
	if v.WaitsFor == nil && v.Rate > 0 {
		parts = append(parts, rate(v.Rate))
	}
	if v.ETA != nil {
		parts = append(parts, lasting(time.Duration(*v.ETA*float64(time.Second)))+" left")
	}
	return strings.Join(parts, "  ")
}

// gained is what came of it, with its price.
func (v *backfillView) gained() string {
	return fmt.Sprintf("%s new comments, %s changed texts, %s AI units", grouped(v.Created), grouped(v.TextChanged), grouped(v.Units))
}

// details are what the line of progress does not tell, in lines.
func (v *backfillView) details(name, object string) []string {
	var lines []string
	if v.State == store.BackfillOpen {
		line := fmt.Sprintf("%s of %s parts are loaded", grouped(v.PartsDone), grouped(v.Parts))
		switch {
		case v.StartedAt == nil:
			line = "it has not begun"
		case !v.Planned && v.Parts == 0:
			line = "it is being laid out"
		case !v.Planned:
			line += ", more are being laid out"
		}
		if v.Jobs > 0 {
			line += fmt.Sprintf("; Salesforce is at work on %s", quantity(v.Jobs, "job"))
		}
		lines = append(lines, line+"; "+v.gained())
	}
	if v.OverREST > 0 {
		went := quantity(v.OverREST, "part goes", "parts go")
		if v.State != store.BackfillOpen {
			went = quantity(v.OverREST, "part") + " went"
		}
		lines = append(lines, went+" over REST: "+v.WhyREST)
	}
	if w := v.WaitsFor; w != nil {
		line := "waits: " + w.Message
		if w.RetryAt != nil {
			line += "; tried again at " + when(w.RetryAt)
		}
		lines = append(lines, line)
		if w.Hint != "" {
			lines = append(lines, "next: "+w.Hint)
		}
	}
	if v.stopped && v.First {
		lines = append(lines, fmt.Sprintf("next: run `starter backfill %s --object %s`, which loads the rest", name, object))
	}
	return lines
}

// printLoads shows the backfills that are open or have ended lately.
func (a *app) printLoads(v statusView) {
	for _, o := range v.Objects {
		if o.Backfill == nil || !o.Backfill.lately {
			continue
		}
		a.print("  %s: %s", o.Object, o.Backfill.progress())
		for _, line := range o.Backfill.details(v.Project+"/"+v.Integration, o.Object) {
			a.print("    %s", line)
		}
	}
}

// bar draws a share of 1; less than 0 is not known.
func bar(share float64) string {
	cells, percent := 0, "  ?%"
	if share >= 0 {
		cells, percent = int(share*barCells), fmt.Sprintf("%3d%%", int(share*100))
	}
	return "[" + strings.Repeat("█", cells) + strings.Repeat("░", barCells-cells) + "] " + percent
}

func rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f rows/s", perSecond)
	}
	return grouped(int64(math.Round(perSecond))) + " rows/s"
}

// lasting writes a duration as precisely as anybody cares.
func lasting(d time.Duration) string {
	unit := time.Second
	if d >= time.Hour {
		unit = time.Minute
	}
	return span(d.Round(unit).Seconds())
}

// quantity counts a thing, whose plural is its name with an s, or the second name.
func quantity(n int64, names ...string) string {
	switch {
	case n == 1:
		return "1 " + names[0]
	case len(names) > 1:
		return grouped(n) + " " + names[1]
	}
	return grouped(n) + " " + names[0] + "s"
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
