package store

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/jackc/pgx/v5"
)

// DeleteComments deletes comments of a source and says how many there were; ids of none are passed
// over. What is left of one is what is left of an erased comment: an empty row, from which
// everybody who follows the changes learns of its end, and whose number of the last revision
// makes the same comment, when it comes again, the creation that it is.
//
// fault.Conflict when an integration feeds the source, fault.NotFound when it is gone.
func (s *Store) DeleteComments(ctx context.Context, sourceID string, ids []string) (deleted int64, err error) {
	ids = slices.Clone(ids)
	slices.Sort(ids) // the order of all who lock comments, see writeComments
	ids = slices.Compact(ids)
	args := pgx.NamedArgs{"source": sourceID, "ids": ids, "records": recordsOf(ids), "inputs": false}
	err = s.inTx(ctx, "delete comments", func(tx pgx.Tx) error {
		if _, err := lockSource(ctx, tx, sourceID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, lockComments, args); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update comments c set`+emptied+`
			where c.source_id = @source and c.id = any(@ids) and not c.erased`, args)
		if err != nil {
			return err
		}
		if deleted = tag.RowsAffected(); deleted == 0 {
			return nil
		}
		for _, sql := range []string{
			`delete from revisions where source_id = @source and comment_id = any(@ids)`,
			forgetRecords,
		} {
			if _, err := tx.Exec(ctx, sql, args); err != nil {
				return err
			}
		}
		return tellChanged(ctx, tx, sourceID)
	})
	return deleted, err
}

// forgetRecords forgets the records that comments were made of: an integration that feeds the source
// later, or once more, must not take them for records whose comments are there. Objects are found
// one by one in the primary key, because a source may have millions of records.
const forgetRecords = `
	with recursive known (object) as (
		(select object from records where source_id = @source order by object limit 1)
		union all
		select (select r.object from records r where r.source_id = @source and r.object > k.object order by r.object limit 1)
		from known k where k.object is not null
	)
	delete from records r using known k
	where k.object is not null and r.source_id = @source and r.object = k.object and r.record_id = any(@records)`

// recordsOf gives the Ids of the records that comments with these ids were made of, if they
// were: the one is the hexadecimal form of the other.
func recordsOf(ids []string) []string {
	records := []string{}
	for _, id := range ids {
		if record, err := hex.DecodeString(id); err == nil && len(record) == 18 {
			records = append(records, string(record))
		}
	}
	return records
}
