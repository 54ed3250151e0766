package main

import (
	"time"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// integrationView is an integration in JSON: a contract with scripts.
type integrationView struct {
	Project         string     `json:"project"`
	Integration     string     `json:"integration"`
	Source          string     `json:"source"`
	Desired         string     `json:"desired"`
	State           string     `json:"state"`
	Reason          string     `json:"reason"`
	Hint            string     `json:"hint"`
	Since           time.Time  `json:"since"`
	Until           *time.Time `json:"until"`
	WatchedAt       *time.Time `json:"watched_at"`
	Connected       bool       `json:"connected"`
	ConnectionState string     `json:"connection_state"`
	OrgID           string     `json:"org_id"`
	Username        string     `json:"username"`
	SpecVersion     int64      `json:"spec_version"`
	Comments        int64      `json:"comments"`
	Units           int64      `json:"units"`
	CompleteTo      *time.Time `json:"complete_to"`
	ObjectCount     int64      `json:"object_count"`
	InvalidObjects  int64      `json:"invalid_objects"`
}

// statusView is the whole answer of status.
type statusView struct {
	integrationView
	LostReason string             `json:"lost_reason"`
	LostHint   string             `json:"lost_hint"`
	CheckedAt  *time.Time         `json:"checked_at"`
	Quota      *operate.QuotaView `json:"quota"` // null before the first grant
	Month      capView            `json:"ai_units_month"`
	Objects    []objectView       `json:"objects"`
	// SearchLag is how long ago the oldest change was made that searches do not find yet; 0 when they find everything.
	SearchLag float64 `json:"index_lag_seconds"`
	// Delivery is how comments are delivered to a tenant; null without a destination.
	Delivery *deliveryView `json:"delivery"`
	// Alerts are what is hidden now and was read before, Events the latest changes of schema and rights, newest first.
	Alerts       []store.SchemaEvent `json:"alerts"`
	Events       []store.SchemaEvent `json:"schema_events"`
	Workflow     *workflowView       `json:"workflow"` // null when Temporal did not answer
	WorkflowNote string              `json:"workflow_note,omitempty"`
}

type objectView struct {
	Object         string      `json:"object"`
	State          string      `json:"state"`
	Problem        string      `json:"problem"`
	Hint           string      `json:"hint"`
	Fault          string      `json:"fault"`
	FaultKind      string      `json:"fault_kind"`
	FaultHint      string      `json:"fault_hint"`
	FaultSince     *time.Time  `json:"fault_since"`
	RetryAt        *time.Time  `json:"retry_at"`
	Comments       int64       `json:"comments"`
	Units          int64       `json:"units"`
	RowsApplied    int64       `json:"rows_applied"`
	SalesforceRows *int64      `json:"salesforce_rows"`
	StoredRows     *int64      `json:"stored_rows"`
	Missing        int64       `json:"missing"`
	CountedTo      *time.Time  `json:"counted_to"`
	CountedAt      *time.Time  `json:"counted_at"`
	SweptAt        *time.Time  `json:"swept_at"`
	Repaired       int64       `json:"repaired"`
	CompleteTo     *time.Time  `json:"complete_to"`
	NewestApplied  *time.Time  `json:"newest_applied"`
	NewestID       string      `json:"newest_id"`
	SetAside       int64       `json:"set_aside"`
	Filtered       int64       `json:"filtered"`
	Invisible      int64       `json:"invisible"`
	Rechecks       int64       `json:"rechecks"`
	LastBatch      *batchView  `json:"last_batch"`
	Resync         *resyncView `json:"resync"` // one that has not ended
	Completeness   []monthView `json:"completeness"`
	Cursor         string      `json:"cursor"`   // how its changes are followed
	Notes          []string    `json:"notes"`    // what the plan cannot do
	Erasing        int64       `json:"to_erase"` // deleted records of which copies are still to be removed
	// Backfill is the last large load, open or ended; null when there was none.
	Backfill *backfillView `json:"backfill"`
	// Retransform is how far texts are made anew, or were the last time; null when they never were.
	Retransform *retransformView `json:"retransform"`
}

type resyncView struct {
	Reason      string     `json:"reason"`
	RequestedAt time.Time  `json:"requested_at"`
	From        *time.Time `json:"from"`
	Until       *time.Time `json:"until"`
	At          *time.Time `json:"at"`
	Rows        int64      `json:"rows"`
}

// monthView is a line of the ledger of completeness.
type monthView struct {
	Month          string    `json:"month"` // 2026-11
	SalesforceRows int64     `json:"salesforce_rows"`
	StoredRows     int64     `json:"stored_rows"`
	CheckedAt      time.Time `json:"checked_at"`
}

type batchView struct {
	Seq       int64     `json:"seq"`
	AppliedAt time.Time `json:"applied_at"`
	flow.Counts
}

type workflowView struct {
	ID      string       `json:"id"`
	Running bool         `json:"running"`
	Status  *flow.Status `json:"status,omitempty"` // the workflow's own answer
}

func viewIntegration(i store.Integration) integrationView {
	state, reason, hint := shown(i)
	return integrationView{
		Project: i.Project, Integration: i.Name, Source: i.Source, Desired: i.Desired, State: state,
		Reason: reason, Hint: hint, Since: i.Since.UTC(), Until: i.Until, WatchedAt: i.WatchedAt,
		Connected: i.ConnectionState == store.ConnectionGranted, ConnectionState: i.ConnectionState, OrgID: i.OrgID, Username: i.Username,
		SpecVersion: i.SpecVersion, Comments: i.Comments, Units: i.Units, CompleteTo: i.CompleteTo,
		ObjectCount: i.Objects, InvalidObjects: i.Invalid,
	}
}

// shown is the state that the workflow reported, unless an operator stopped the
// integration: that holds at once, whether a worker has reported it or not.
func shown(i store.Integration) (state, reason, hint string) {
	state, reason, hint = i.Status, i.Reason, i.Hint
	name := i.Project + "/" + i.Name
	switch {
	case i.Desired == store.DesiredPaused && state != flow.StatePaused:
		return flow.StatePaused, "paused by an operator", "run `starter resume " + name + "`"
	case i.Desired == store.DesiredDisconnected && state != flow.StateDisconnected:
		return flow.StateDisconnected, "disconnected by an operator", "run `starter connect " + name + "`"
	case i.Desired == store.DesiredDeleted:
		return state, "it is being deleted", "run `starter delete " + name + "` again if that was interrupted"
	}
	return state, reason, hint
}

func viewStatus(s store.IntegrationStatus) statusView {
	v := statusView{
		integrationView: viewIntegration(s.Integration), LostReason: s.LostReason, LostHint: s.LostHint, CheckedAt: s.CheckedAt,
		Objects: []objectView{}, Alerts: []store.SchemaEvent{}, Events: []store.SchemaEvent{},
	}
	for _, e := range s.Events {
		if e.ResolvedAt == nil {
			v.Alerts = append(v.Alerts, e)
		} else {
			v.Events = append(v.Events, e)
		}
	}
	for _, o := range s.ObjectList {
		w := objectView{
			Object: o.Name, State: o.State, Problem: o.Problem, Hint: o.Hint,
			Fault: o.FaultMessage, FaultKind: o.FaultKind, FaultHint: o.FaultHint, FaultSince: o.FaultSince, RetryAt: o.RetryAt,
			Comments: o.Comments, Units: o.Units, RowsApplied: o.RowsApplied, SalesforceRows: o.SalesforceRows, StoredRows: o.StoredRows, Missing: o.Missing(),
			CountedTo: o.CountedTo, CountedAt: o.CountedAt, SweptAt: o.SweptAt, Repaired: o.Repaired,
			Filtered: o.Filtered, Invisible: o.Invisible, Completeness: []monthView{},
			CompleteTo: o.VerifiedTo, NewestApplied: o.HiStamp, NewestID: o.HiID, SetAside: o.SetAside, Rechecks: o.Rechecks,
			Cursor: o.Cursor, Notes: o.Notes, Erasing: o.Erasing,
		}
		if b := o.LastBatch; b != nil {
			w.LastBatch = &batchView{Seq: b.Seq, AppliedAt: b.AppliedAt, Counts: b.Counts}
		}
		if r := o.Resync; r != nil {
			w.Resync = &resyncView{Reason: r.Reason, RequestedAt: r.RequestedAt, From: r.From, Until: r.Until, At: r.At, Rows: r.Rows}
		}
		for _, m := range o.Months {
			w.Completeness = append(w.Completeness, monthView{Month: m.Month.UTC().Format("2006-01"), SalesforceRows: m.Salesforce, StoredRows: m.Stored, CheckedAt: m.CheckedAt})
		}
		v.Objects = append(v.Objects, w)
	}
	return v
}
