package poll

import (
	"context"
	"slices"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// tidy removes raw copies that are older than the file wants, the receipts that they leave when these are old, and comments
// that are older than they are kept, and tries records again that could not become comments with another mapping or cleaning. It does a little of it
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
	if before, ends := specOf(t).CommentRetention.Before(t.ReadAt); ends && slices.ContainsFunc(objects, func(o *store.TargetObject) bool { return o.VerifyDue }) {
		for range agePages {
			if _, more, err := s.Store.Age(ctx, t.IntegrationID, before); err != nil {
				return err
			} else if !more {
				break
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
