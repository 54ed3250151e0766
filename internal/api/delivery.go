package api

import (
	"context"

	"salesforcesync/internal/store"
)

// wireDelivery is how an integration's comments are delivered to a tenant. The vendor's API has no
// such thing.
type wireDelivery struct {
	Endpoint       string             `json:"endpoint"`
	Project        string             `json:"project"`
	Source         string             `json:"source"`
	State          string             `json:"state"`
	Reason         string             `json:"reason"`
	Hint           string             `json:"hint"`
	Since          timestamp          `json:"since"`
	RetryAt        *timestamp         `json:"retry_at"`
	SentAt         *timestamp         `json:"sent_at"`
	Behind         int64              `json:"behind"` // comments that changed and are not delivered yet
	BehindMore     bool               `json:"behind_more"`
	BehindSince    *timestamp         `json:"behind_since"`
	Counts         wireDeliveryCounts `json:"counts"`
	Undeliverable  int64              `json:"undeliverable"`
	TenantComments *int64             `json:"tenant_comments"`
	OwnComments    *int64             `json:"own_comments"`
	ComparedAt     *timestamp         `json:"compared_at"`
}

// wireDeliveryCounts are by the tenant's answers, since it is the destination.
type wireDeliveryCounts struct {
	Sent              int64 `json:"sent"`
	New               int64 `json:"new"`
	Updated           int64 `json:"updated"`
	TextChanged       int64 `json:"updated_text_changed"`
	PropertiesChanged int64 `json:"updated_properties_only"`
	Unchanged         int64 `json:"unchanged"`
	Uncounted         int64 `json:"uncounted"`
	Deleted           int64 `json:"deleted"`
}

// delivery reads how an integration's comments are delivered; nil without a destination.
func (a *API) delivery(ctx context.Context, project, integration string) (*wireDelivery, error) {
	d, err := a.store.Delivery(ctx, project, integration)
	if d == nil || err != nil {
		return nil, err
	}
	behind, err := a.store.Behind(ctx, d)
	if err != nil {
		return nil, err
	}
	return toWireDelivery(d, behind), nil
}

func toWireDelivery(d *store.Delivery, behind store.Backlog) *wireDelivery {
	w := &wireDelivery{
		Endpoint: d.Endpoint, Project: d.Project, Source: d.Source, Since: timestamp(d.Since), RetryAt: maybe(d.RetryAt), SentAt: maybe(d.SentAt),
		Behind: behind.Changes, BehindMore: behind.More, BehindSince: maybe(behind.Since), Undeliverable: d.Undeliverable,
		Counts: wireDeliveryCounts{
			Sent: d.Counts.Sent, New: d.Counts.New, Updated: d.Counts.Updated, TextChanged: d.Counts.TextChanged,
			PropertiesChanged: d.Counts.PropertiesChanged, Unchanged: d.Counts.Unchanged, Uncounted: d.Counts.Uncounted, Deleted: d.Counts.Deleted,
		},
		TenantComments: d.TenantComments, OwnComments: d.OwnComments, ComparedAt: maybe(d.ComparedAt),
	}
	w.State, w.Reason, w.Hint = d.Shown()
	return w
}
