package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/flow"
)

// Steer makes a signal to an integration's workflow true: pause and resume set the
// desired state, both resume and sync-now ask for a poll and for a check of what the last one
// refused, and every signal wakes a running Watch. A
// disconnected integration is not resumed by it, a deleted one not touched.
// Repeating pause and resume changes nothing more; each sync-now and resume is one poll.
// Unknown integrations are ignored.
func (s *Store) Steer(ctx context.Context, project, integration, signal string) error {
	return s.inTx(ctx, "steer the integration", func(tx pgx.Tx) error {
		var id string
		err := tx.QueryRow(ctx, `
			update integrations i set
				desired = case when $3 = $4 and i.desired = 'running' then 'paused'
				               when $3 = $5 and i.desired = 'paused' then 'running'
				               else i.desired end,
				sync_requests = i.sync_requests + case when $3 in ($5, $6) then 1 else 0 end
			from projects p
			where p.id = i.project_id and p.name = $1 and i.name = $2 and i.desired <> 'deleted'
			returning i.id`,
			project, integration, signal, flow.SignalPause, flow.SignalResume, flow.SignalSyncNow).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if signal == flow.SignalResume || signal == flow.SignalSyncNow {
			if err := retryNow(ctx, tx, id); err != nil {
				return err
			}
		}
		// Starter writes what it wants and signals afterwards: this was sent by hand, in Temporal.
		switch signal {
		case flow.SignalPause, flow.SignalResume, flow.SignalSyncNow:
			if err := auditedIntegration(ctx, tx, EventIntegrationSignalled, id, map[string]any{"signal": signal}); err != nil {
				return err
			}
		}
		return wake(ctx, tx, id)
	})
}
