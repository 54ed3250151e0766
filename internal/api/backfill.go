package api

import (
	"math"
	"time"

	"salesforcesync/internal/store"
)

// wireBackfill is a large load of an object. The vendor's API has no such thing.
type wireBackfill struct {
	State       string     `json:"state"`   // open, done or cancelled
	Desired     string     `json:"desired"` // running, paused or cancelled
	First       bool       `json:"first"`   // until it is done, the object is not complete
	Reason      string     `json:"reason"`
	From        *timestamp `json:"from"`
	Until       *timestamp `json:"until"`
	Rows        int64      `json:"rows"`
	Expected    *int64     `json:"expected"`        // null before Salesforce counted
	Rate        number     `json:"rate_per_second"` // over the last minute; of one that has ended, over all of it
	ETA         *number    `json:"eta_seconds"`     // null when nobody can tell
	Parts       int64      `json:"parts"`           // known so far
	PartsDone   int64      `json:"parts_done"`
	Planned     bool       `json:"planned"`   // all parts are known
	Jobs        int64      `json:"jobs"`      // that Salesforce is at work on
	OverREST    int64      `json:"over_rest"` // parts that go over REST
	WhyREST     string     `json:"why_rest"`
	Created     int64      `json:"created"`
	TextChanged int64      `json:"text_changed"`
	Units       int64      `json:"units"`
	RequestedAt timestamp  `json:"requested_at"`
	StartedAt   *timestamp `json:"started_at"`
	FinishedAt  *timestamp `json:"finished_at"`
	WaitsFor    *wireWait  `json:"waits_for"`
}

type wireWait struct {
	Kind    string     `json:"kind"`
	Message string     `json:"message"`
	Hint    string     `json:"hint"`
	RetryAt *timestamp `json:"retry_at"`
}

func toWireBackfill(b store.Backfill, i store.Integration) *wireBackfill {
	w := &wireBackfill{
		State: b.State, Desired: b.Desired, First: b.First, Reason: b.Reason, From: given(b.From), Until: given(b.Until),
		Rows: b.Rows, Rate: tenths(b.Speed()), Parts: b.Parts, PartsDone: b.Done, Planned: b.Planned, Jobs: b.Jobs,
		OverREST: b.OverREST, WhyREST: b.WhyREST, Created: b.Created, TextChanged: b.Changed, Units: b.Units,
		RequestedAt: timestamp(b.RequestedAt), StartedAt: maybe(b.StartedAt), FinishedAt: maybe(b.FinishedAt),
	}
	if b.Expected > 0 {
		w.Expected = &b.Expected
	}
	if wait := b.WaitsFor(i.Project+"/"+i.Name, i.Desired, i.ConnectionState == store.ConnectionGranted); wait != nil {
		w.WaitsFor = &wireWait{Kind: string(wait.Kind), Message: wait.Message, Hint: wait.Hint, RetryAt: maybe(wait.RetryAt)}
	}
	if left, known := b.Left(); known && w.WaitsFor == nil {
		eta := tenths(left.Seconds())
		w.ETA = &eta
	}
	return w
}

func tenths(f float64) number { return number(math.Round(f*10) / 10) }

// given is a time that may be zero.
func given(t time.Time) *timestamp {
	if t.IsZero() {
		return nil
	}
	return maybe(&t)
}
