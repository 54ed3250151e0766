package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// DeliverAgain has all comments of an integration's source delivered once more, from the first on. What the tenant
// still has does not change there. It may be asked for at any time: a page that is on its way is
// delivered, and does not count as the place that was reached. fault.NotFound when the integration has
// no destination.
func (s *Store) DeliverAgain(ctx context.Context, integrationID string) error {
	return s.inTx(ctx, "have everything delivered again", func(tx pgx.Tx) error {
		// The time tells requests apart: a transaction's own could be that of the one before.
		tag, err := tx.Exec(ctx, `
			update deliveries set requested_at = greatest(clock_timestamp(), requested_at + interval '1 microsecond'),
				at_changed = '0', at_id = '', caught_up_at = null, tenant_comments = null, own_comments = null, compared_at = null
			where integration_id = $1`, integrationID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.NotFound, "the integration has no destination").
				WithHint("write destination into the integration file and apply it")
		}
		if err := retryDelivery(ctx, tx, integrationID); err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventDeliveryRequested, integrationID, nil); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
}
