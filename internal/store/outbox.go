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

// claimLife is how long claimed signals are their claimer's alone: longer than sending one
// may take, so that another process does not send it too.
const claimLife = 15 * time.Second

// ClaimSignals takes up to limit due signals for this caller alone and counts the
// attempt. What is neither settled nor failed, because the caller died, is due again
// when claimLife is over. The signals of one call come in the order in which they were
// written, and none is given out while an earlier one of its workflow waits elsewhere.
func (s *Store) ClaimSignals(ctx context.Context, limit int) ([]Signal, error) {
	var out []Signal
	err := s.inTx(ctx, "read the outbox", func(tx pgx.Tx) error {
		// One claims at a time: of two at once, one would not see yet that the other has the
		// earlier signals of a workflow, and take the later ones.
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, claimLock); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			with due as (
				select o.id from outbox o
				where o.delivered_at is null and o.next_at <= now() and not exists (
					select from outbox earlier
					where earlier.workflow_id = o.workflow_id and earlier.id < o.id
					  and earlier.delivered_at is null and earlier.next_at > now())
				order by o.id limit $1 for update
			)
			update outbox o set attempts = attempts + 1, next_at = now() + $2::interval
			from due where o.id = due.id
			returning o.id, o.workflow_id, o.signal, o.attempts`, limit, claimLife)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Signal, error) {
			var sig Signal
			err := row.Scan(&sig.ID, &sig.WorkflowID, &sig.Name, &sig.Attempts)
			return sig, err
		})
		return err
	})
	// UPDATE … RETURNING gives rows in any order.
	slices.SortFunc(out, func(a, b Signal) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

// claimLock keeps two relays from claiming at once.
const claimLock = 7_305_846_117

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

// FailSignal notes why a signal was not delivered this time and gives it back: it is
// due again a little later, after each attempt later, up to a minute.
func (s *Store) FailSignal(ctx context.Context, id int64, cause string) error {
	_, err := s.pool.Exec(ctx, `
		update outbox set last_error = $2,
			next_at = now() + least(interval '1 second' * power(2, least(greatest(attempts, 1) - 1, 6)), interval '1 minute')
		where id = $1 and delivered_at is null`, id, cause)
	return translate("note a failed signal", err)
}

// SweepSignals forgets signals that were settled before t.
func (s *Store) SweepSignals(ctx context.Context, t time.Time) error {
	_, err := s.pool.Exec(ctx, `delete from outbox where delivered_at < $1`, t)
	return translate("sweep the outbox", err)
}
