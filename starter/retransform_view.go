package main

import (
	"fmt"
	"strings"
	"time"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// retransformView is how far an object's texts are made anew, in JSON: a contract with scripts.
type retransformView struct {
	State           string   `json:"state"` // open, done or cancelled
	Reason          string   `json:"reason"`
	CleaningVersion int      `json:"cleaning_version"`
	Total           int64    `json:"total"` // records when it was asked for
	Rate            float64  `json:"rate_per_second"`
	ETA             *float64 `json:"eta_seconds"`
	flow.RetransformCounts
	RequestedAt time.Time  `json:"requested_at"`
	StartedAt   *time.Time `json:"started_at"`
	FinishedAt  *time.Time `json:"finished_at"`

	lately bool // it is open or has ended lately
	idle   bool // it is open, and nobody has worked on it for a while
}

// idleAfter is when an open retransform counts as one that nobody works on: its steps follow one another.
const idleAfter = 2 * time.Minute

func viewRetransform(r store.Retransform) *retransformView {
	v := &retransformView{State: r.State, Reason: r.Reason, CleaningVersion: r.Version, Total: r.Total, Rate: float64(int64(r.Rate()*10)) / 10,
		RetransformCounts: r.Counts, RequestedAt: r.RequestedAt.UTC(), StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		lately: r.FinishedAt == nil || r.ReadAt.Sub(*r.FinishedAt) < shownLoads}
	seen := r.RequestedAt
	if r.BeatAt != nil {
		seen = *r.BeatAt
	}
	v.idle = r.State == store.RetransformOpen && r.ReadAt.Sub(seen) > idleAfter
	if left, known := r.Left(); known {
		eta := operate.Tenths(left)
		v.ETA = &eta
	}
	return v
}

// setRetransforms gives each object of a status its last retransform.
func (v *statusView) setRetransforms(list []store.Retransform) {
	for i := range v.Objects {
		v.Objects[i].Retransform = nil
		for _, r := range list {
			if r.Object == v.Objects[i].Object {
				v.Objects[i].Retransform = viewRetransform(r)
			}
		}
	}
}

func (v *retransformView) isOpen() bool { return v != nil && v.State == store.RetransformOpen }

// progress is a retransform in one line, without its object.
func (v *retransformView) progress() string {
	gained := fmt.Sprintf("%s changed texts, %s new comments, %s AI units", grouped(v.TextChanged), grouped(v.Created), grouped(v.Units))
	switch v.State {
	case store.RetransformDone:
		return fmt.Sprintf("texts are made anew by cleaning version %d: %s records; %s", v.CleaningVersion, grouped(v.Records), gained)
	case store.RetransformCancelled:
		return fmt.Sprintf("making texts anew ended at %s of %s records: %s; %s", grouped(v.Records), grouped(v.Total), v.Reason, gained)
	}
	share := float64(-1)
	if v.Total > 0 {
		share = min(1, float64(v.Records)/float64(v.Total))
	}
	parts := []string{"texts are made anew", bar(share), grouped(v.Records) + " of " + grouped(v.Total) + " records"}
	if v.Rate > 0 {
		parts = append(parts, rate(v.Rate))
	}
	if v.ETA != nil {
		parts = append(parts, lasting(time.Duration(*v.ETA*float64(time.Second)))+" left")
	}
	return strings.Join(append(parts, gained), "  ")
}

// printRetransforms shows what is made anew, or was lately.
func (a *app) printRetransforms(v statusView) {
	for _, o := range v.Objects {
		if o.Retransform == nil || !o.Retransform.lately {
			continue
		}
		a.print("  %s: %s", o.Object, o.Retransform.progress())
		if o.Retransform.idle {
			a.print("    nobody works on it: is a worker running?")
			a.print("    next: starter retransform %s/%s --apply --object %s", v.Project, v.Integration, o.Object)
		}
		if o.Retransform.WithoutRaw > 0 {
			a.print("    %s records have no raw copy any more and stay as they are", grouped(o.Retransform.WithoutRaw))
		}
	}
}
