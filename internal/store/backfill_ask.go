package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// RequestBackfill asks for all rows of an object with a stamp in [from, until], each zero
// for unbounded, to be read again in bulk beside the live lane. It costs nothing where nothing
// changed. fault.NotFound when the integration has no such object, fault.Conflict when
// a backfill of it is under way.
func (s *Store) RequestBackfill(ctx context.Context, integrationID, object string, from, until time.Time, reason string) error {
	return s.inTx(ctx, "ask for a backfill", func(tx pgx.Tx) error {
		made, err := requestBackfill(ctx, tx, integrationID, object, false, from, until, reason)
		if err != nil {
			return err
		}
		if !made {
			return fault.New(fault.Conflict, "a backfill of %s is under way", object).
				WithHint("`starter status` shows it; end it with `starter backfill … --cancel --object %s`", object)
		}
		_, err = tx.Exec(ctx, `update integrations set sync_requests = sync_requests + 1 where id = $1`, integrationID)
		if err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventBackfillRequested, integrationID, spanDetails(object, from, until)); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
}

// requestBackfill opens a backfill; made is false when one is open.
func requestBackfill(ctx context.Context, tx pgx.Tx, integrationID, object string, first bool, from, until time.Time, reason string) (made bool, err error) {
	tag, err := tx.Exec(ctx, `
		insert into backfills (integration_id, object, first, known, reason, from_stamp, until_stamp)
		select o.integration_id, o.name, $3, exists (select 1 from records r where r.source_id = i.source_id and r.object = o.name), $4, $5, $6
		from objects o join integrations i on i.id = o.integration_id
		where o.integration_id = $1 and o.name = $2
		on conflict (integration_id, object) where state = 'open' do nothing`,
		integrationID, object, first, reason, nullTime(from), nullTime(until))
	if err != nil || tag.RowsAffected() > 0 {
		return err == nil, err
	}
	var there bool
	if err := tx.QueryRow(ctx, `select exists (select 1 from objects where integration_id = $1 and name = $2)`, integrationID, object).Scan(&there); err != nil {
		return false, err
	}
	if !there {
		return false, fault.New(fault.NotFound, "the integration has no object %s", object).WithHint("`starter status` lists its objects")
	}
	return false, nil
}

// SteerBackfill pauses, resumes or cancels (a flow.Signal…) the open backfill of an object
// and wakes whoever waits. fault.NotFound when none is open.
func (s *Store) SteerBackfill(ctx context.Context, project, integration, object, signal string) error {
	desired, ok := map[string]string{flow.SignalPause: BackfillPaused, flow.SignalResume: BackfillRunning, flow.SignalCancel: BackfillCancelled}[signal]
	if !ok {
		return fault.New(fault.Internal, "the signal %q means nothing to a backfill", signal)
	}
	return s.inTx(ctx, signal+" the backfill", func(tx pgx.Tx) error {
		var id string
		err := tx.QueryRow(ctx, `
			update backfills f set desired = case when f.desired = 'cancelled' then f.desired else $4 end, retry_at = null
			from integrations i join projects p on p.id = i.project_id
			where f.integration_id = i.id and p.name = $1 and i.name = $2 and f.object = $3 and f.state = 'open'
			returning i.id`, project, integration, object, desired).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "no backfill of %s is under way in %s/%s", object, project, integration).
				WithHint("`starter status` shows what is")
		}
		if err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventBackfillSteered, id, map[string]any{"object": object, "signal": signal}); err != nil {
			return err
		}
		return wake(ctx, tx, id)
	})
}
