package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Signal is a signal that waits in the outbox.
type Signal struct {
	ID         int64
	WorkflowID string
	Name       string
	Attempts   int
}

// ClaimSignals takes up to limit due signals for this caller alone and counts the
// attempt; what is not settled is due again a little later, each time later, up to a
// minute. The signals of one call come in the order in which they were written.
func (s *Store) ClaimSignals(ctx context.Context, limit int) ([]Signal, error) {
	rows, err := s.pool.Query(ctx, `
		with due as (
			select id from outbox where delivered_at is null and next_at <= now()
			order by id limit $1 for update skip locked
		)
		update outbox o set attempts = attempts + 1, next_at = now() + least(interval '1 second' * power(2, least(o.attempts, 6)), interval '1 minute')
		from due where o.id = due.id
		returning o.id, o.workflow_id, o.signal, o.attempts`, limit)
	if err != nil {
		return nil, translate("read the outbox", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Signal, error) {
		var sig Signal
		err := row.Scan(&sig.ID, &sig.WorkflowID, &sig.Name, &sig.Attempts)
		return sig, err
	})
	// UPDATE … RETURNING gives rows in any order.
	slices.SortFunc(out, func(a, b Signal) int { return cmp.Compare(a.ID, b.ID) })
	return out, translate("read the outbox", err)
}

// Outcomes of a signal.
const (
	SignalDelivered = "delivered"
	SignalDropped   = "dropped" // its workflow does not run, and must not be started by this
)

// SettleSignal notes that a signal has come to its end.
func (s *Store) SettleSignal(ctx context.Context, id int64, outcome string) error {
	_, err := s.pool.Exec(ctx, `update outbox set delivered_at = now(), outcome = $2, last_error = '' where id = $1`, id, outcome)
	return translate("settle a signal", err)
}

// FailSignal notes why a signal was not delivered this time.
func (s *Store) FailSignal(ctx context.Context, id int64, cause string) error {
	_, err := s.pool.Exec(ctx, `update outbox set last_error = $2 where id = $1`, id, cause)
	return translate("note a failed signal", err)
}

// SweepSignals forgets signals that were settled before t.
func (s *Store) SweepSignals(ctx context.Context, t time.Time) error {
	_, err := s.pool.Exec(ctx, `delete from outbox where delivered_at < $1`, t)
	return translate("sweep the outbox", err)
}
