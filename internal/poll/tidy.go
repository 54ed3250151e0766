package poll

import (
	"context"
	"slices"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// tidy removes raw copies that are older than the file wants, and the receipts that they leave when these are old,
// and tries records again that could not become comments with another mapping or cleaning. It does a little of it
// between two looks, and all but the first only as often as the tail is scanned.
func (s *Service) tidy(ctx context.Context, t *store.Target, objects []*store.TargetObject) error {
	if before, ends := specOf(t).RawRetention.Before(t.ReadAt); ends {
		more, err := s.Store.RemoveRaw(ctx, t.IntegrationID, before, removeBatches)
		if err != nil {
			return err
		}
		if !more && slices.ContainsFunc(objects, func(o *store.TargetObject) bool { return o.VerifyDue }) {
			if _, err := s.Store.RemoveReceipts(ctx, t.IntegrationID, removeBatches); err != nil {
				return err
			}
		}
	}
	for _, o := range objects {
		if !o.VerifyDue || !o.SetAside {
			continue
		}
		err := (transform.Batches{Store: s.Store}).RetrySetAside(ctx, t.IntegrationID, t.SourceID, o.Name, o.Plan, retryRecords)
		if err != nil && !fault.Is(err, fault.Quota) { // the month's AI units are used up: they stay aside until there are more
			return err
		}
	}
	return nil
}
