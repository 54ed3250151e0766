package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// Kept is what is stored of a record: its comment as it is now, a tombstone too.
type Kept struct {
	Comment comment.Comment
}

// Kept reads the comments of an object's records, by record Id. Records that never became
// one, and those whose comment was erased, have none.
func (s *Store) Kept(ctx context.Context, sourceID, object string, recordIDs []string) (map[string]*Kept, error) {
	return kept(ctx, s.pool, sourceID, object, recordIDs)
}

func kept(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, sourceID, object string, recordIDs []string) (map[string]*Kept, error) {
	const op = "read what is stored of records"
	rows, err := q.Query(ctx, `
		select r.record_id, c.id, c.ts, coalesce(c.thread_id, ''), c.envelope, c.properties, v.texts
		from records r
		join comments c on c.source_id = r.source_id and c.id = r.comment_id and not c.erased
		join revisions v on v.source_id = c.source_id and v.comment_id = c.id and v.revision = c.revision
		where r.source_id = $1 and r.object = $2 and r.record_id = any($3)`, sourceID, object, recordIDs)
	if err != nil {
		return nil, translate(op, err)
	}
	found := map[string]*Kept{}
	var id string
	var c comment.Comment
	var envelope []comment.Message
	var texts []comment.Texts
	_, err = pgx.ForEachRow(rows, []any{&id, &c.ID, &c.Timestamp, &c.ThreadID, &envelope, &c.Properties, &texts}, func() error {
		messages, err := comment.Join(envelope, texts)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "read comment %s", c.ID)
		}
		c.Messages = messages
		found[id] = &Kept{Comment: c}
		c, envelope, texts = comment.Comment{}, nil, nil
		return nil
	})
	return found, translate(op, err)
}

// KnownRecord is what is stored of a record, as far as a reader needs it to tell whether the
// record it holds is the stored one to the letter.
type KnownRecord struct {
	Stamp        time.Time
	RecordDigest []byte // empty when the record was erased
	TextDigest   []byte // of the text in force
	State        string // RecordLive and so on
	Live         bool   // the record is there and was read whole: State is live or set_aside
}

// Known reads what is stored of records, by record Id, without their texts: one look into
// one index. Ids that nothing is known of are not in the answer.
func (s *Store) Known(ctx context.Context, sourceID, object string, ids []string) (map[string]KnownRecord, error) {
	const op = "look up records"
	rows, err := s.pool.Query(ctx, `
		select r.* from unnest($3::text[]) as wanted (id)
		cross join lateral (
			select record_id, stamp, record_digest, text_digest, state from records
			where source_id = $1 and object = $2 and`+byKey("record_id", "wanted.id")+`) r`, sourceID, object, ids)
	if err != nil {
		return nil, translate(op, err)
	}
	known := make(map[string]KnownRecord, len(ids))
	var id string
	var r KnownRecord
	_, err = pgx.ForEachRow(rows, []any{&id, &r.Stamp, &r.RecordDigest, &r.TextDigest, &r.State}, func() error {
		r.Live = r.State == RecordLive || r.State == RecordSetAside
		known[id] = r
		r = KnownRecord{} // its digests are kept
		return nil
	})
	return known, translate(op, err)
}
