package deliver

import (
	"cmp"
	"context"
	"time"

	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
)

// compare asks the tenant how many comments it has, now and then, while there is nothing to
// deliver. It is kept only if there still is nothing when both have counted. That a tenant does not
// tell is no failure of the delivery.
func (r *run) compare(ctx context.Context, d *store.Delivery, to tenant.Target) error {
	s := r.service
	every := cmp.Or(s.CompareEvery, defaultCompare)
	moved := d.ComparedAt == nil || d.SentAt != nil && d.SentAt.After(*d.ComparedAt)
	if d.ComparedAt != nil && (!moved || time.Since(*d.ComparedAt) < every) || time.Now().Before(r.compareAt) {
		return nil
	}
	r.compareAt = time.Now().Add(every)
	theirs, err := s.Tenant.Count(ctx, to)
	if err != nil {
		return ctx.Err()
	}
	ours, err := s.Store.DeliverableComments(ctx, d)
	if err != nil {
		return err
	}
	behind, err := s.Store.Behind(ctx, d)
	if err != nil {
		return err
	}
	if behind.Changes > 0 {
		r.compareAt = time.Now().Add(lookEvery)
		return nil
	}
	return s.Store.SaveTenantCount(ctx, d, r.lease.holder, theirs, ours)
}
