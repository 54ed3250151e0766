package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetAside is a record that cannot become a comment, or no longer the one that it was.
type SetAside struct {
	Object    string
	RecordID  string
	Reason    string
	Since     time.Time
	CommentID string // the comment that it once became, and that stays as it was; "" for none
	HasRaw    bool   // its raw copy is there
}

// SetAsideAt is a place in the list of records that are set aside. The zero value is before everything.
type SetAsideAt struct {
	Object, RecordID string
}

// ListSetAside lists the records of a source that are set aside behind a place, by object and
// Id, at most limit, and whether there are more; of one object when it is not "".
func (s *Store) ListSetAside(ctx context.Context, sourceID, object string, after SetAsideAt, limit int) (list []SetAside, more bool, err error) {
	rows, err := s.pool.Query(ctx, `
		select a.object, a.record_id, a.reason, a.since, coalesce(r.comment_id, ''),
		       exists (select from raw_chunks k where (k.stream_id, k.epoch, k.seq) = (r.raw_stream, r.raw_epoch, r.raw_seq) and k.chunk = r.raw_chunk)
		from (
			select * from set_aside
			where source_id = $1 and ($2 = '' or object = $2) and (object, record_id collate "C") > ($3, $4)
			order by object, record_id limit $5 + 1) a
		left join records r on r.source_id = a.source_id and r.object = a.object and r.record_id = a.record_id
		order by a.object, a.record_id`, sourceID, object, after.Object, after.RecordID, limit)
	if err != nil {
		return nil, false, translate("list what is set aside", err)
	}
	list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SetAside])
	if len(list) > limit {
		list, more = list[:limit], true
	}
	return list, more, translate("list what is set aside", err)
}

// SetAsideReason is why a record is set aside, or "" when it is not. One that is not on the list is too old.
func (s *Store) SetAsideReason(ctx context.Context, sourceID, object, recordID string) (reason string, err error) {
	err = s.pool.QueryRow(ctx, `
		select coalesce((select reason from set_aside where source_id = $1 and object = $2 and record_id = $3),
		                (select $4::text from records where source_id = $1 and object = $2 and record_id = $3 and state = 'set_aside'), '')`,
		sourceID, object, recordID, AgedReason).Scan(&reason)
	return reason, translate("look for why a record is set aside", err)
}

// CountSetAside counts the records of a source that are set aside, by object.
func (s *Store) CountSetAside(ctx context.Context, sourceID string) (map[string]int64, error) {
	rows, err := s.pool.Query(ctx, `select object, count(*) from set_aside where source_id = $1 group by object`, sourceID)
	if err != nil {
		return nil, translate("count what is set aside", err)
	}
	counts := map[string]int64{}
	var object string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&object, &n}, func() error { counts[object] = n; return nil })
	return counts, translate("count what is set aside", err)
}

// UntriedSetAside lists records of an object that were set aside and were not tried with what
// the fingerprint stands for, at most limit.
func (s *Store) UntriedSetAside(ctx context.Context, sourceID, object, fingerprint string, limit int) ([]string, error) {
	var ids []string
	for _, side := range []string{"<", ">"} { // two ranges of an index; "differs" is none
		rows, err := s.pool.Query(ctx, `
			select record_id from set_aside where source_id = $1 and object = $2 and tried `+side+` $3
			order by tried, record_id limit $4`, sourceID, object, fingerprint, limit-len(ids))
		if err != nil {
			return nil, translate("look for what was set aside", err)
		}
		more, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, translate("look for what was set aside", err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// TriedSetAside notes that records which are still set aside were tried with what the fingerprint
// stands for, and why they cannot become comments. Those without a raw copy are to be read again.
func (s *Store) TriedSetAside(ctx context.Context, integrationID, sourceID, object, fingerprint string, ids []string, reasons map[string]string, withoutRaw []string) error {
	why := make([]string, len(ids))
	for i, id := range ids {
		why[i] = reasons[id]
	}
	slices.Sort(withoutRaw)
	return s.inTx(ctx, "note what was tried", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			update set_aside a set tried = $3, reason = coalesce(nullif(t.reason, ''), a.reason)
			from unnest($4::text[], $5::text[]) as t (id, reason)
			where a.source_id = $1 and a.object = $2 and a.record_id = t.id`, sourceID, object, fingerprint, ids, why); err != nil {
			return err
		}
		if len(withoutRaw) == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, addRecheckRows, integrationID, object, "set_aside", withoutRaw)
		return err
	})
}
