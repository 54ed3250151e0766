package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Deletion is an entry of Salesforce's log of deletes.
type Deletion struct {
	ID string
	At time.Time
}

// deletionsKept is how long what the log named is remembered: longer than Salesforce's
// own memory, which is 15 or 30 days (its documents differ).
const deletionsKept = 35 * 24 * time.Hour

// SaveDeletions stores what Salesforce's log of deletes said of the object up to to, asks
// for the records among them that are not known to be deleted to be read again, and
// returns how many those are.
func (s *Store) SaveDeletions(ctx context.Context, integrationID, sourceID, object string, stream, epoch int64, log []Deletion, to time.Time) (asked int64, err error) {
	ids, at := make([]string, len(log)), make([]time.Time, len(log))
	for i, d := range log {
		ids[i], at[i] = d.ID, d.At
	}
	err = s.inTx(ctx, "store the log of deletes", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update streams set deletes_to = greatest(deletes_to, $3) where id = $1 and epoch = $2`, stream, epoch, to)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into deletions as d (integration_id, object, record_id, deleted_at)
			select $1, $2, t.id, max(t.at) from unnest($3::text[], $4::timestamptz[]) as t (id, at) group by t.id
			on conflict (integration_id, object, record_id) do update set deleted_at = greatest(d.deleted_at, excluded.deleted_at)`,
			integrationID, object, ids, at); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from deletions where integration_id = $1 and object = $2 and deleted_at < $3`,
			integrationID, object, to.Add(-deletionsKept)); err != nil {
			return err
		}
		tag, err = tx.Exec(ctx, `
			insert into rechecks (integration_id, object, record_id, reason)
			select distinct $1, $2, r.record_id, 'repair'
			from unnest($3::text[]) as t (id)
			join records r on r.source_id = $4 and r.object = $2 and r.record_id = t.id
			where r.state not in ('deleted', 'erased')
			on conflict do nothing`, integrationID, object, ids, sourceID)
		asked = tag.RowsAffected()
		return err
	})
	return asked, err
}

// Stored is what the store knows of a record.
type Stored struct {
	ID      string
	Stamp   time.Time
	State   string
	Deleted bool // Salesforce's log of deletes names it, at a time not before its stamp
}

// StoredRecords reads what the store knows of the records with these Ids. Unknown ones
// are left out.
func (s *Store) StoredRecords(ctx context.Context, integrationID, sourceID, object string, ids []string) (map[string]Stored, error) {
	rows, err := s.pool.Query(ctx, `
		select r.record_id, r.stamp, r.state, coalesce(d.deleted_at >= r.stamp, false)
		from records r
		left join deletions d on d.integration_id = $1 and d.object = r.object and d.record_id = r.record_id
		where r.source_id = $2 and r.object = $3 and r.record_id = any($4)`, integrationID, sourceID, object, ids)
	if err != nil {
		return nil, translate("read the records", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Stored])
	if err != nil {
		return nil, translate("read the records", err)
	}
	out := make(map[string]Stored, len(found))
	for _, r := range found {
		out[r.ID] = r
	}
	return out, nil
}
