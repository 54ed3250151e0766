package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// AgedReason is why a record is no comment that is older than comment_retention. There may be as many of them as there are
// comments, and nobody has to do anything about one: they are not on the list of what is set aside.
const AgedReason = "it is older than comment_retention"

// oldestKept is since when comments of an integration i are kept; null = from the beginning.
const oldestKept = ` now() - (i.spec->>'comment_retention')::interval `

// agedComments selects, oldest first, comments of a source that have something left and are older than @before. Two ranges of
// two indexes: those that are there, and those that were deleted.
const agedComments = `
	select id from (
		(select id, ts from comments where source_id = @source and ts < @before and deleted_at is null order by ts, id limit @limit)
		union all
		(select id, ts from comments where source_id = @source and ts < @before and deleted_at is not null and not erased order by ts, id limit @limit)) old
	order by ts, id limit @limit`

// ofAged is true of the records that aged comments were made of.
const ofAged = ` r.source_id = @source and r.object = any(@objects) and r.record_id = any(@named) `

// Age erases the oldest comments of an integration's source with a timestamp before a moment: texts and all else
// as Forget does, at most ForgetPage of them, and reports whether there may be more. Their records are there and no
// comments from then on; raw copies are removed by Erase. It may be repeated.
func (s *Store) Age(ctx context.Context, integrationID string, before time.Time) (aged int64, more bool, err error) {
	const op = "erase comments that are kept no longer"
	var sourceID string
	var objects []string
	if err := s.pool.QueryRow(ctx, `
		select source_id, array(select name from objects where integration_id = id) from integrations where id = $1`, integrationID).Scan(&sourceID, &objects); err != nil {
		return 0, false, translate(op, err)
	}
	args := pgx.NamedArgs{"source": sourceID, "objects": objects, "before": before, "limit": ForgetPage, "inputs": false}
	rows, err := s.pool.Query(ctx, agedComments, args) // nobody waits for a lock where there is nothing
	if err != nil {
		return 0, false, translate(op, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return 0, false, translate(op, err)
	}
	slices.Sort(ids) // the order of all who lock comments, see writeComments
	err = s.inTx(ctx, op, func(tx pgx.Tx) error {
		if err := lockObjects(ctx, tx, sourceID); err != nil {
			return err
		}
		if tag, err := tx.Exec(ctx, `select from sources where id = @source for key share`, args); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		args["ids"] = ids
		if _, err := tx.Exec(ctx, lockComments, args); err != nil {
			return err
		}
		// A record may have got another timestamp meanwhile.
		rows, err := tx.Query(ctx, `select id from comments where source_id = @source and id = any(@ids) and ts < @before`, args)
		if err != nil {
			return err
		}
		still, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		args["ids"], args["named"] = still, recordsOf(still)
		done, err := emptyOut(ctx, tx, args, ofAged)
		if err != nil || done.Comments == 0 {
			return err
		}
		aged = done.Comments
		return tellChanged(ctx, tx, sourceID)
	})
	return aged, len(ids) == ForgetPage, err
}
