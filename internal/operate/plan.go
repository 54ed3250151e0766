package operate

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

// Plan is what applying a file would change and what follows.
type Plan struct {
	store.ApplyResult
	Quota  QuotaView
	Month  store.Cap    // with the cap of the file
	Report *poll.Report // of the last check of what is in force; nil when there is none
}

// Plan says what Apply with the same options would do, and changes nothing.
func (h *Hand) Plan(ctx context.Context, spec config.Integration, o ApplyOptions) (Plan, error) {
	var p Plan
	var err error
	if o.Veiled {
		if err = h.keepVeiled(ctx, spec); err != nil {
			return p, err
		}
	}
	if p.ApplyResult, err = h.Store.PlanIntegration(ctx, spec); err != nil {
		return p, err
	}
	existing := p.IntegrationID
	if p.Created {
		existing = "" // made up for the plan
	}
	if p.Quota, err = Forecast(ctx, h.Store, spec, existing); err != nil {
		return p, err
	}
	p.Month = store.Cap{Project: spec.Project, Integration: spec.Integration, Month: time.Now().UTC()}
	if !p.Created {
		if p.Month, err = h.Store.UnitCap(ctx, p.IntegrationID); err != nil {
			return p, err
		}
		if p.Report, _, err = h.LastReport(ctx, p.IntegrationID); err != nil {
			return p, err
		}
	}
	p.Month.Limit = spec.MonthlyUnitCap
	return p, nil
}

// FirstLoads names the objects that are new or read from their start.
func (p Plan) FirstLoads(spec config.Integration) []string {
	if !p.Created {
		return slices.Concat(p.Added, p.Reread)
	}
	var objects []string
	for _, o := range spec.Objects {
		objects = append(objects, o.Object)
	}
	return objects
}

// LastReport reads what the last check found; nil before the first.
func (h *Hand) LastReport(ctx context.Context, integrationID string) (*poll.Report, store.StoredReport, error) {
	stored, err := h.Store.CheckReport(ctx, integrationID)
	if err != nil || stored.At == nil {
		return nil, stored, err
	}
	var r poll.Report
	if err := json.Unmarshal(stored.Report, &r); err != nil {
		return nil, stored, fault.Wrap(fault.Internal, err, "read the stored report")
	}
	return &r, stored, nil
}
