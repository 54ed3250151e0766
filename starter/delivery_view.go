package main

import (
	"context"
	"fmt"
	"time"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// deliveryView is how comments are delivered to a tenant, in JSON.
type deliveryView struct {
	Endpoint string     `json:"endpoint"`
	Project  string     `json:"project"`
	Source   string     `json:"source"`
	State    string     `json:"state"`
	Reason   string     `json:"reason"`
	Hint     string     `json:"hint"`
	Said     string     `json:"said"` // the tenant's own words
	Since    time.Time  `json:"since"`
	RetryAt  *time.Time `json:"retry_at"`
	SentAt   *time.Time `json:"sent_at"`

	Behind      int64      `json:"behind"` // comments that changed and are not delivered yet
	BehindMore  bool       `json:"behind_more"`
	BehindSince *time.Time `json:"behind_since"`

	Counts         flow.DeliveryCounts `json:"counts"` // by the tenant's answers
	Undeliverable  int64               `json:"undeliverable"`
	Refused        []store.Refusal     `json:"refused"`         // the first few of them
	TenantComments *int64              `json:"tenant_comments"` // by its statistics
	OwnComments    *int64              `json:"own_comments"`    // at the same time
	ComparedAt     *time.Time          `json:"compared_at"`
}

// fewRefused is how many refused comments a status shows.
const fewRefused = 5

func viewDelivery(ctx context.Context, db *store.Store, project, integration string) (*deliveryView, error) {
	d, err := db.Delivery(ctx, project, integration)
	if d == nil || err != nil {
		return nil, err
	}
	behind, err := db.Behind(ctx, d)
	if err != nil {
		return nil, err
	}
	refused, err := db.ListUndeliverable(ctx, d.IntegrationID, fewRefused)
	if err != nil {
		return nil, err
	}
	state, reason, hint := d.Shown()
	if refused == nil {
		refused = []store.Refusal{}
	}
	return &deliveryView{
		Endpoint: d.Endpoint, Project: d.Project, Source: d.Source, State: state, Reason: reason, Hint: hint, Said: d.Said, Since: d.Since.UTC(),
		RetryAt: d.RetryAt, SentAt: d.SentAt, Behind: behind.Changes, BehindMore: behind.More, BehindSince: behind.Since, Counts: d.Counts,
		Undeliverable: d.Undeliverable, Refused: refused, TenantComments: d.TenantComments, OwnComments: d.OwnComments, ComparedAt: d.ComparedAt,
	}, nil
}

func (a *app) printDelivery(name string, v *deliveryView) {
	if v == nil {
		return
	}
	a.print("  delivery to %s, %s/%s: %s since %s", v.Endpoint, v.Project, v.Source, v.State, when(&v.Since))
	if v.Reason != "" {
		line := v.Reason
		if v.RetryAt != nil {
			line += "; tried again at " + when(v.RetryAt)
		}
		a.print("    why: %s", line)
	}
	if v.Said != "" {
		a.print("    it says: %s", v.Said)
	}
	if v.Hint != "" {
		a.print("    next: %s", v.Hint)
	}
	switch {
	case v.BehindMore:
		a.print("    behind by more than %d comments, since %s", v.Behind, when(v.BehindSince))
	case v.Behind > 0:
		a.print("    behind by %d comments, since %s", v.Behind, when(v.BehindSince))
	}
	c := v.Counts
	line := fmt.Sprintf("sent %d: %d new, %d updated, %d unchanged", c.Sent, c.New, c.Updated, c.Unchanged)
	if c.Uncounted > 0 {
		line += fmt.Sprintf(", %d in answers without counts that add up", c.Uncounted)
	}
	a.print("    %s; %d deleted", line, c.Deleted)
	if v.TenantComments != nil && v.OwnComments != nil {
		line := fmt.Sprintf("the tenant had %d comments, and should have had %d, at %s", *v.TenantComments, *v.OwnComments, when(v.ComparedAt))
		switch more := *v.TenantComments - *v.OwnComments; {
		case more < 0:
			line += fmt.Sprintf(": %d are missing there; starter deliver %s --again sends all once more", -more, name)
		case more > 0:
			line += fmt.Sprintf(": %d are not of this integration", more)
		}
		a.print("    %s", line)
	}
	if v.Undeliverable > 0 {
		a.print("    %d comments are refused by the tenant for what they are; they are sent again when they change, and after an apply that changes something", v.Undeliverable)
		for _, r := range v.Refused {
			a.print("      %s: %s", r.ID, r.Message)
		}
	}
}
