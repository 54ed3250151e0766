package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"salesforcesync/internal/fault"
)

// StoredRecord is a record as it is stored: what became of it, and where its raw copy is.
type StoredRecord struct {
	ID         string
	State      string // RecordLive and so on
	TextDigest []byte // of the text in force
	Raw        RawPlace

	CommentID   string // "" when it never became one
	HasComment  bool   // there is one, and it was not erased
	Tombstone   bool   // it is deleted
	TextHash    []byte // of the text in force
	ContentHash []byte // of all else
	Version     int    // cleaning version of the text in force
}

// RawPlace is the chunk that has a record's raw copy. The zero value is none.
type RawPlace struct {
	Stream, Epoch, Seq int64
	Chunk              int
}

// storedRecords selects StoredRecord of the records r that the condition behind it names.
const storedRecords = `
	select r.record_id, r.state, r.text_digest,
	       coalesce(r.raw_stream, 0), coalesce(r.raw_epoch, 0), coalesce(r.raw_seq, 0), coalesce(r.raw_chunk, 0),
	       coalesce(r.comment_id, ''), c.id is not null and not c.erased, coalesce(c.deleted_at is not null, false),
	       coalesce(c.text_hash, ''), coalesce(c.content_hash, ''), coalesce(v.cleaning_version, 0)
	from `

// storedComment joins a record r with its comment c and the text in force v.
var storedComment = ` left join lateral (select * from comments where source_id = r.source_id and` + byKey("id", "r.comment_id") + `) c on true
	left join revisions v on v.source_id = r.source_id and v.comment_id = c.id and v.revision = c.revision `

// made are the states of records that are made comments of. A deleted record brings its text when it
// comes back.
const made = ` ('live', 'set_aside', 'filtered', 'invisible') `

func collectStored(rows pgx.Rows, err error) ([]StoredRecord, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (StoredRecord, error) {
		var r StoredRecord
		err := row.Scan(&r.ID, &r.State, &r.TextDigest, &r.Raw.Stream, &r.Raw.Epoch, &r.Raw.Seq, &r.Raw.Chunk,
			&r.CommentID, &r.HasComment, &r.Tombstone, &r.TextHash, &r.ContentHash, &r.Version)
		return r, err
	})
}

// StoredRecordOf reads the record that became the comment. fault.NotFound when none of the
// source's records did.
func (s *Store) StoredRecordOf(ctx context.Context, sourceID, recordID string) (object string, record StoredRecord, err error) {
	const op = "read the record"
	rows, err := s.pool.Query(ctx, `
		select o.name from integrations i join objects o on o.integration_id = i.id
		where i.source_id = $1 and exists (select from records r where r.source_id = $1 and r.object = o.name and r.record_id = $2)`, sourceID, recordID)
	if err != nil {
		return "", record, translate(op, err)
	}
	if object, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[string]); err != nil {
		return "", record, translate(op, err)
	}
	found, err := s.StoredByID(ctx, sourceID, object, []string{recordID})
	if err != nil {
		return "", record, err
	}
	if len(found) == 0 {
		return "", record, fault.New(fault.NotFound, "record %s is gone", recordID)
	}
	return object, found[0], nil
}

// StoredByID reads records of an object by Id, in the order of their Ids.
func (s *Store) StoredByID(ctx context.Context, sourceID, object string, ids []string) ([]StoredRecord, error) {
	found, err := storedByID(ctx, s.pool, sourceID, object, ids)
	return found, translate("read records", err)
}

func storedByID(ctx context.Context, q rowsQuerier, sourceID, object string, ids []string) ([]StoredRecord, error) {
	return collectStored(q.Query(ctx, storedRecords+`(select distinct unnest($3::text[]) as id) wanted
		cross join lateral (
			select * from records where source_id = $1 and object = $2 and`+byKey("record_id", "wanted.id")+`) r`+storedComment+`
		order by r.record_id collate "C"`, sourceID, object, ids))
}

// StoredBehind reads the next records of an object behind an Id that comments are made of.
func (s *Store) StoredBehind(ctx context.Context, sourceID, object, after string, limit int) ([]StoredRecord, error) {
	found, err := storedBehind(ctx, s.pool, sourceID, object, after, limit)
	return found, translate("read records", err)
}

func storedBehind(ctx context.Context, q rowsQuerier, sourceID, object, after string, limit int) ([]StoredRecord, error) {
	return collectStored(q.Query(ctx, storedRecords+`(
			select * from records where source_id = $1 and object = $2 and record_id > $3 and state in`+made+`
			order by record_id limit $4) r`+storedComment+`
		order by r.record_id`, sourceID, object, after, limit))
}

type rowsQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// anyQuerier is a pool or a transaction.
type anyQuerier interface {
	querier
	rowsQuerier
}

// RawReader reads raw copies, one chunk after the other into the same memory.
type RawReader struct {
	ctx    context.Context
	q      anyQuerier
	source string
	object string
	chunks chunkReader
}

// RawReader makes a reader of raw copies of an object's records.
func (s *Store) RawReader(ctx context.Context, sourceID, object string) *RawReader {
	return &RawReader{ctx: ctx, q: s.pool, source: sourceID, object: object}
}

// Chunk reads the chunk at a place, which is valid until the next one is read. false when
// there is none any more: it was older than the file wants, or its lane ended with a mapping.
func (r *RawReader) Chunk(at RawPlace) (Chunk, bool, error) {
	if at.Stream == 0 {
		return Chunk{}, false, nil
	}
	c := Chunk{Number: at.Chunk}
	payload := pgtype.PreallocBytes(r.chunks.payload[:cap(r.chunks.payload)])
	// An attempt that was given up leaves nothing behind.
	err := r.q.QueryRow(r.ctx, `
		select k.payload, k.format from raw_chunks k
		join batches b on (b.stream_id, b.epoch, b.seq) = (k.stream_id, k.epoch, k.seq) and b.attempt = k.attempt
		where (k.stream_id, k.epoch, k.seq) = ($1, $2, $3) and k.chunk = $4`, at.Stream, at.Epoch, at.Seq, at.Chunk).Scan(&payload, &c.Format)
	if err = translate("read a raw copy", err); fault.Is(err, fault.NotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	r.chunks.payload = payload
	if r.chunks.data, err = chunkDecoder.DecodeAll(payload, r.chunks.data[:0]); err != nil {
		return c, false, fault.Wrap(fault.Internal, err, "chunk %d of batch %d of stream %d does not decompress", at.Chunk, at.Seq, at.Stream)
	}
	c.Data = r.chunks.data
	return c, true, nil
}

// Kept is [Store.Kept] for records of the object.
func (r *RawReader) Kept(recordIDs []string) (map[string]*Kept, error) {
	return kept(r.ctx, r.q, r.source, r.object, recordIDs)
}

// CountStored counts the records of an object that comments are made of.
func (s *Store) CountStored(ctx context.Context, sourceID, object string) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `select count(*) from records where source_id = $1 and object = $2 and state in`+made, sourceID, object).Scan(&n)
	return n, translate("count the records", err)
}

// ObjectPlan reads the plan by which the records of a source's object become comments.
// fault.NotFound when there is none.
func (s *Store) ObjectPlan(ctx context.Context, sourceID, object string) (plan []byte, err error) {
	err = s.pool.QueryRow(ctx, `
		select o.plan from integrations i join objects o on o.integration_id = i.id
		where i.source_id = $1 and o.name = $2 and o.plan is not null`, sourceID, object).Scan(&plan)
	return plan, translate("read the plan of "+object, err)
}
