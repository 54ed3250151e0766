package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// What an operator may want of an integration.
const (
	DesiredRunning      = "running"
	DesiredPaused       = "paused"
	DesiredDisconnected = "disconnected"
	DesiredDeleted      = "deleted" // final
)

// SetDesired writes what an operator wants of the integration with this id and wakes
// its Watch. Saying the same again changes nothing. fault.NotFound when there is no
// such integration, fault.Conflict when it is being deleted.
func (s *Store) SetDesired(ctx context.Context, integrationID, desired string) error {
	return s.inTx(ctx, "set the desired state", func(tx pgx.Tx) error {
		var now string
		if err := tx.QueryRow(ctx, `select desired from integrations where id = $1 for no key update`, integrationID).Scan(&now); err != nil {
			return err
		}
		if now == DesiredDeleted && desired != DesiredDeleted {
			return fault.New(fault.Conflict, "the integration is being deleted").WithHint("let `starter delete` finish, then apply the file again")
		}
		if _, err := tx.Exec(ctx, `update integrations set desired = $2, updated_at = now() where id = $1 and desired <> $2`, integrationID, desired); err != nil {
			return err
		}
		if desired == DesiredRunning {
			if err := retryNow(ctx, tx, integrationID); err != nil {
				return err
			}
		}
		if now != desired {
			if err := auditedIntegration(ctx, tx, EventIntegrationDesired, integrationID, map[string]any{"desired": desired, "before": now}); err != nil {
				return err
			}
		}
		return wake(ctx, tx, integrationID)
	})
}

// retryNow ends all waiting of an integration that is not the workflow's own, because somebody did
// something about what it waits for, or wants to know.
func retryNow(ctx context.Context, tx pgx.Tx, integrationID string) error {
	if err := checkAgain(ctx, tx, integrationID); err != nil {
		return err
	}
	return retryDelivery(ctx, tx, integrationID)
}

// RequestSync asks for a poll now, and for a check of what the last one refused, and wakes the
// integration's Watch. fault.NotFound when there is no such integration.
func (s *Store) RequestSync(ctx context.Context, integrationID string) error {
	return s.inTx(ctx, "ask for a poll", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update integrations set sync_requests = sync_requests + 1 where id = $1`, integrationID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return pgx.ErrNoRows
		}
		if err := retryNow(ctx, tx, integrationID); err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventSyncRequested, integrationID, nil); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
}
