package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// DueRechecks returns Ids of the object that are to be read again now, oldest
// request first, at most limit.
func (s *Store) DueRechecks(ctx context.Context, integrationID, object string, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		select record_id from rechecks
		where integration_id = $1 and object = $2 and not_before <= now()
		order by asked limit $3`, integrationID, object, limit)
	if err != nil {
		return nil, translate("read the rechecks", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return ids, translate("read the rechecks", err)
}

// AddRechecks asks for records to be read again as soon as possible.
func (s *Store) AddRechecks(ctx context.Context, integrationID, object, reason string, ids []string) error {
	_, err := s.pool.Exec(ctx, addRecheckRows, integrationID, object, reason, ids)
	return translate("add rechecks", err)
}

const addRecheckRows = `
	insert into rechecks as k (integration_id, object, record_id, reason)
	select $1, $2, id, $3 from (select distinct unnest($4::text[]) as id) ids
	on conflict (integration_id, object, record_id) do update set
		asked = excluded.asked, not_before = least(k.not_before, excluded.not_before)`

// FollowDependency notes that changed parents were followed up to hi: their children
// have been noted to be read again. fault.Fenced when the stream moved to another epoch
// meanwhile, or no longer depends on them.
func (s *Store) FollowDependency(ctx context.Context, ref flow.BatchRef, integrationID string, d Dependency, hi Position) error {
	return s.inTx(ctx, "follow a changed parent", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update dependencies set hi_stamp = $5, hi_id = $6
			where integration_id = $1 and object = $2 and path = $3 and parent = $4`,
			integrationID, ref.Object, d.Path, d.Parent, hi.Stamp, hi.ID)
		if err == nil && tag.RowsAffected() == 0 {
			return fault.New(fault.Fenced, "%s no longer depends on %s", ref.Object, d.Path)
		}
		return err
	})
}
