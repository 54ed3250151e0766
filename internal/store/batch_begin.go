package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// Batch is a batch's row.
type Batch struct {
	flow.BatchRef
	IntegrationID string
	SourceID      string
	Lane          string // live, backfill, resync, sweep
	State         string // reading, sealed, transformed, applied
	Attempt       int    // whose chunks count
	Chunks        int
	Rows, Bytes   int64
	More          bool
	ReadBegin     int64
	Checksum      []byte // SHA-256 of the records' bytes in order; nil while reading
	Counts        flow.Counts
	Skipped       int64 // of Rows: what is stored already, and was not staged
	Began         time.Time
	Newest        time.Time // where the live cursor goes with it; zero when it stays
}

// Batch states.
const (
	BatchReading     = "reading"
	BatchSealed      = "sealed"
	BatchTransformed = "transformed"
	BatchApplied     = "applied"
)

// BeginBatch opens the batch ref for reading, or finds what an earlier attempt
// left: a batch that is sealed, transformed or applied is returned as it is and
// must not be read again. A new attempt fences the attempts before it: only the
// attempt in Batch.Attempt can seal.
//
// fault.Fenced when the stream is gone, at another epoch, or past this seq
// without a receipt.
func (s *Store) BeginBatch(ctx context.Context, ref flow.BatchRef) (*Batch, error) {
	var b *Batch
	err := s.inTx(ctx, "begin the batch", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		// An older attempt may be sealing it right now.
		if err := lockBatch(ctx, tx, ref); err != nil {
			return err
		}
		var err error
		b, err = readBatch(ctx, tx, ref)
		switch {
		case err == nil && b.State != BatchReading:
			return nil
		case err == nil:
			if _, err := tx.Exec(ctx, `delete from raw_chunks where (stream_id, epoch, seq) = ($1, $2, $3)`,
				ref.Stream, ref.Epoch, ref.Seq); err != nil {
				return err
			}
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		case ref.Seq != applied+1:
			return fault.New(fault.Fenced, "batch %d of stream %d is not the next one: %d is applied", ref.Seq, ref.Stream, applied)
		}
		if _, err := tx.Exec(ctx, `
			insert into batches (stream_id, epoch, seq, state, read_begin)
			values ($1, $2, $3, 'reading', nextval('read_order'))
			on conflict (stream_id, epoch, seq) do update
				set attempt = batches.attempt + 1, read_begin = excluded.read_begin, begun_at = now()`,
			ref.Stream, ref.Epoch, ref.Seq); err != nil {
			return err
		}
		b, err = readBatch(ctx, tx, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// RenumberBatch begins the reading of b anew in read order, before its first record is
// read: what was noted to be read again until now is answered by it. fault.Fenced when
// another attempt has taken over.
func (s *Store) RenumberBatch(ctx context.Context, b *Batch) error {
	err := s.pool.QueryRow(ctx, `
		update batches set read_begin = nextval('read_order')
		where (stream_id, epoch, seq) = ($1, $2, $3) and attempt = $4 and state = 'reading'
		returning read_begin`, b.Stream, b.Epoch, b.Seq, b.Attempt).Scan(&b.ReadBegin)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.Fenced, "batch %d of stream %d: another attempt took over", b.Seq, b.Stream)
	}
	return translate("number the batch", err)
}

// lockStream locks the stream's row and checks that ref is of its epoch.
func lockStream(ctx context.Context, tx pgx.Tx, ref flow.BatchRef, applied *int64) error {
	var epoch int64
	err := tx.QueryRow(ctx, `select epoch, seq from streams where id = $1 for update`, ref.Stream).Scan(&epoch, applied)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.Fenced, "stream %d is gone", ref.Stream)
	}
	if err != nil {
		return err
	}
	if epoch != ref.Epoch {
		return fault.New(fault.Fenced, "stream %d is at epoch %d, this work is of epoch %d", ref.Stream, epoch, ref.Epoch)
	}
	return nil
}

// lockBatch locks the batch's row, if there is one, against those who seal, stage and
// apply it. The stream is locked before.
func lockBatch(ctx context.Context, tx pgx.Tx, ref flow.BatchRef) error {
	_, err := tx.Exec(ctx, `select 1 from batches where (stream_id, epoch, seq) = ($1, $2, $3) for update`, ref.Stream, ref.Epoch, ref.Seq)
	return err
}

// LoadBatch reads a batch. fault.NotFound when it was never begun.
func (s *Store) LoadBatch(ctx context.Context, ref flow.BatchRef) (*Batch, error) {
	b, err := readBatch(ctx, s.pool, ref)
	return b, translate("read the batch", err)
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readBatch(ctx context.Context, q querier, ref flow.BatchRef) (*Batch, error) {
	b := &Batch{BatchRef: ref}
	c := &b.Counts
	var newest *time.Time
	err := q.QueryRow(ctx, `
		select st.integration_id, i.source_id, st.object, st.lane, b.state, b.attempt, b.chunks, b.rows, b.bytes, b.more, b.read_begin, b.checksum,
		       b.created, b.text_changed, b.metadata_changed, b.unchanged, b.stale, b.set_aside, b.deleted,
		       b.filtered, b.invisible, b.units, b.skipped, b.begun_at, case when st.lane = 'live' and b.to_stamp > st.hi_stamp then b.to_stamp end
		from batches b join streams st on st.id = b.stream_id join integrations i on i.id = st.integration_id
		where (b.stream_id, b.epoch, b.seq) = ($1, $2, $3)`,
		ref.Stream, ref.Epoch, ref.Seq).Scan(
		&b.IntegrationID, &b.SourceID, &b.Object, &b.Lane, &b.State, &b.Attempt, &b.Chunks, &b.Rows, &b.Bytes, &b.More, &b.ReadBegin, &b.Checksum,
		&c.Created, &c.TextChanged, &c.MetadataChanged, &c.Unchanged, &c.Stale, &c.SetAside, &c.Deleted,
		&c.Filtered, &c.Invisible, &c.Units, &b.Skipped, &b.Began, &newest)
	c.Rows = b.Rows
	if newest != nil {
		b.Newest = *newest
	}
	return b, err
}

// CaughtUp notes that there is nothing behind the batch before ref, although it said so.
func (s *Store) CaughtUp(ctx context.Context, ref flow.BatchRef) error {
	_, err := s.pool.Exec(ctx, `update batches set more = false where (stream_id, epoch, seq) = ($1, $2, $3) and state = 'applied'`,
		ref.Stream, ref.Epoch, ref.Seq-1)
	return translate("note that the stream has caught up", err)
}

// Seal is what Poll knows when it has read everything of a batch.
type Seal struct {
	Chunks     int
	Rows       int64
	Bytes      int64
	Checksum   []byte // SHA-256 of the records' bytes in order
	More       bool
	ServerTime time.Time // Salesforce's Date of the first answer
	To         Position  // where the live cursor goes; zero = stays
	Rechecked  []string  // Ids that were asked for by name and are answered
	Final      bool      // the lane ends with this batch (resync, backfill)

	// Of a page of a backfill only.
	Skipped     int64  // of Rows: records that are the stored ones to the letter and are not in the chunks
	Fetched     int64  // rows as they came, repetitions too
	NextLocator string // where the next page begins; "" = this is the last one
	ReadBegin   int64  // read order before the job was asked for, and after it was complete; 0 = when the batch was read
	ReadEnd     int64
}

// SealBatch ends the reading, once. fault.Fenced when another attempt has taken
// over since b was begun.
func (s *Store) SealBatch(ctx context.Context, b *Batch, seal Seal) error {
	rechecked := seal.Rechecked
	if rechecked == nil {
		rechecked = []string{}
	}
	var toID any
	if !seal.To.IsZero() {
		toID = seal.To.ID
	}
	tag, err := s.pool.Exec(ctx, `
		update batches set state = 'sealed', chunks = $5, rows = $6, bytes = $7, checksum = $8, more = $9,
			server_time = $10, to_stamp = $11, to_id = $12, rechecked = $13, final = $14,
			skipped = $15, fetched = $16, next_locator = nullif($17, ''),
			read_begin = coalesce(nullif($18, 0), read_begin), read_end = coalesce(nullif($19, 0), nextval('read_order'))
		where (stream_id, epoch, seq) = ($1, $2, $3) and attempt = $4 and state = 'reading'`,
		b.Stream, b.Epoch, b.Seq, b.Attempt, seal.Chunks, seal.Rows, seal.Bytes, seal.Checksum, seal.More,
		nullTime(seal.ServerTime), nullTime(seal.To.Stamp), toID, rechecked, seal.Final,
		seal.Skipped, seal.Fetched, seal.NextLocator, seal.ReadBegin, seal.ReadEnd)
	if err != nil {
		return translate("seal the batch", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Fenced, "batch %d of stream %d: another attempt took over", b.Seq, b.Stream)
	}
	return nil
}
