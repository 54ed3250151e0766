package poll

import (
	"context"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// tidy removes raw copies that are older than the file wants, and tries records again that
// could not become comments with another mapping or cleaning. It does a little of it between two
// looks, and the second only as often as the tail is scanned.
func (s *Service) tidy(ctx context.Context, t *store.Target, objects []*store.TargetObject) error {
	if before, ends := specOf(t).RawRetention.Before(t.ReadAt); ends {
		if _, err := s.Store.RemoveRaw(ctx, t.IntegrationID, before, removeBatches); err != nil {
			return err
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
