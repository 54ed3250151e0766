package api

import (
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// listIntegrations lists the integrations of every project where the caller may read
// them. The vendor's API has no such route; shapes follow its conventions.
func (a *API) listIntegrations(c *call) (reply, error) {
	all, err := a.store.ListIntegrations(c.r.Context(), "")
	if err != nil {
		return nil, err
	}
	list := []wireIntegration{}
	for _, i := range all {
		if c.who.Can(i.Project, access.IntegrationsRead) {
			list = append(list, toWireIntegration(i))
		}
	}
	return reply{"integrations": list}, nil
}

// getIntegration answers with one integration and, per object, what Salesforce has, what
// is here, up to when it is complete, and how its last large load goes or went.
func (a *API) getIntegration(c *call) (reply, error) {
	name := c.r.PathValue("integration")
	if !validName(sourceName, name, maxSourceName) {
		return nil, fault.New(fault.NotFound, "there is no integration %.200q", c.project+"/"+name)
	}
	status, err := a.store.IntegrationStatus(c.r.Context(), c.project, name)
	if err != nil {
		return nil, err
	}
	loads, err := a.store.Backfills(c.r.Context(), status.ID)
	if err != nil {
		return nil, err
	}
	anew, err := a.store.Retransforms(c.r.Context(), status.ID)
	if err != nil {
		return nil, err
	}
	objects := make([]wireObject, len(status.ObjectList))
	for i, o := range status.ObjectList {
		objects[i] = toWireObject(o)
		for _, b := range loads {
			if b.Object == o.Name {
				objects[i].Backfill = toWireBackfill(b, status.Integration)
			}
		}
		for _, r := range anew {
			if r.Object == o.Name {
				objects[i].Retransform = toWireRetransform(r)
			}
		}
	}
	delivery, err := a.delivery(c.r.Context(), c.project, name)
	if err != nil {
		return nil, err
	}
	return reply{"integration": toWireIntegration(status.Integration), "objects": objects, "delivery": delivery}, nil
}

type wireIntegration struct {
	ID         string     `json:"id"`
	Project    string     `json:"project"`
	Name       string     `json:"name"`
	Source     string     `json:"source"`
	State      string     `json:"state"`
	Desired    string     `json:"desired"`
	Reason     string     `json:"reason"`
	Hint       string     `json:"hint"`
	Since      timestamp  `json:"since"`
	Until      *timestamp `json:"until"`
	WatchedAt  *timestamp `json:"watched_at"`
	CompleteTo *timestamp `json:"complete_to"` // of the object that is furthest behind
	Comments   int64      `json:"num_comments"`
	Units      int64      `json:"ai_units"`
}

func toWireIntegration(i store.Integration) wireIntegration {
	return wireIntegration{
		ID: i.ID, Project: i.Project, Name: i.Name, Source: i.Source, State: i.Status, Desired: i.Desired, Reason: i.Reason, Hint: i.Hint,
		Since: timestamp(i.Since), Until: maybe(i.Until), WatchedAt: maybe(i.WatchedAt), CompleteTo: maybe(i.CompleteTo),
		Comments: i.Comments, Units: i.Units,
	}
}

type wireObject struct {
	Object         string      `json:"object"`
	State          string      `json:"state"`
	Problem        string      `json:"problem"`
	Fault          string      `json:"fault"`
	Hint           string      `json:"hint"`
	Comments       int64       `json:"num_comments"`
	Units          int64       `json:"ai_units"`
	CompleteTo     *timestamp  `json:"complete_to"`
	SalesforceRows *int64      `json:"salesforce_rows"` // by COUNT(), of rows up to counted_to
	StoredRows     *int64      `json:"stored_rows"`
	Missing        int64       `json:"missing"`
	CountedTo      *timestamp  `json:"counted_to"`
	CountedAt      *timestamp  `json:"counted_at"`
	SweptAt        *timestamp  `json:"swept_at"`
	Repaired       int64       `json:"repaired"`
	SetAside       int64       `json:"set_aside"`
	Filtered       int64       `json:"filtered"`
	Invisible      int64       `json:"invisible"`
	Rechecks       int64       `json:"rechecks"`
	Completeness   []wireMonth `json:"completeness"`
	// Backfill is the last large load, open or ended; null when there was none.
	Backfill    *wireBackfill    `json:"backfill"`
	Retransform *wireRetransform `json:"retransform"` // the last one; null for none
}

// wireMonth is a line of the ledger of completeness: rows by the month of their stamp.
type wireMonth struct {
	Month          string    `json:"month"` // "2026-11"
	SalesforceRows int64     `json:"salesforce_rows"`
	StoredRows     int64     `json:"stored_rows"`
	CheckedAt      timestamp `json:"checked_at"`
}

func toWireObject(o store.ObjectStatus) wireObject {
	w := wireObject{
		Object: o.Name, State: o.State, Problem: o.Problem, Fault: o.FaultMessage, Hint: o.Hint, Comments: o.Comments, Units: o.Units,
		CompleteTo: maybe(o.VerifiedTo), SalesforceRows: o.SalesforceRows, StoredRows: o.StoredRows, Missing: o.Missing(),
		CountedTo: maybe(o.CountedTo), CountedAt: maybe(o.CountedAt), SweptAt: maybe(o.SweptAt), Repaired: o.Repaired,
		SetAside: o.SetAside, Filtered: o.Filtered, Invisible: o.Invisible, Rechecks: o.Rechecks, Completeness: []wireMonth{},
	}
	if w.Hint == "" {
		w.Hint = o.FaultHint
	}
	for _, m := range o.Months {
		w.Completeness = append(w.Completeness, wireMonth{m.Month.UTC().Format("2006-01"), m.Salesforce, m.Stored, timestamp(m.CheckedAt)})
	}
	return w
}

func maybe(t *time.Time) *timestamp {
	if t == nil {
		return nil
	}
	w := timestamp(*t)
	return &w
}
