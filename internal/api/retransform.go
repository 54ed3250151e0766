package api

import (
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// wireRetransform is how far an object's texts are made anew of stored raw copies. The vendor's
// API has no such thing.
type wireRetransform struct {
	State   string  `json:"state"` // open, done or cancelled
	Reason  string  `json:"reason"`
	Version int     `json:"cleaning_version"`
	Total   int64   `json:"total"` // records when it was asked for
	Rate    number  `json:"rate_per_second"`
	ETA     *number `json:"eta_seconds"` // null when nobody can tell
	flow.RetransformCounts
	RequestedAt timestamp  `json:"requested_at"`
	StartedAt   *timestamp `json:"started_at"`
	FinishedAt  *timestamp `json:"finished_at"`
}

func toWireRetransform(r store.Retransform) *wireRetransform {
	w := &wireRetransform{State: r.State, Reason: r.Reason, Version: r.Version, Total: r.Total, Rate: tenths(r.Rate()), RetransformCounts: r.Counts,
		RequestedAt: timestamp(r.RequestedAt), StartedAt: maybe(r.StartedAt), FinishedAt: maybe(r.FinishedAt)}
	if left, known := r.Left(); known {
		eta := tenths(left.Seconds())
		w.ETA = &eta
	}
	return w
}
