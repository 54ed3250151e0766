package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// StagedRow is one record on its way to being a comment.
type StagedRow struct {
	RecordID     string
	Stamp        time.Time
	RecordDigest []byte
	TextDigest   []byte
	Deleted      bool             // in Salesforce
	Reason       string           // why it cannot become a comment; Comment is nil then
	Verdict      string           // RecordFiltered or RecordInvisible: what reading by Id proved; Comment is nil then
	TextKept     bool             // Comment's texts are the stored ones: an input of theirs could not be read
	Comment      *comment.Comment // nil for a deleted record or with Reason
	Chunk        int              // where its raw copy is
}

// Staging is a batch whose rows are being staged. It has one connection, and whatever it
// does goes over it: many batches at once cannot wait for each other's connections.
type Staging struct {
	ctx    context.Context
	tx     pgx.Tx
	batch  *Batch
	copy   copyBuffer
	chunks chunkReader
}

// StageRows replaces the cleaned rows of the batch with those that rows adds, and
// marks the batch transformed. rows adds each record once, in any order.
// The batch must be sealed. Staging again gives the same rows.
func (s *Store) StageRows(ctx context.Context, b *Batch, cleaningVersion int, rows func(st *Staging) error) error {
	return s.inTx(ctx, "stage the cleaned rows", func(tx pgx.Tx) error {
		// First, because it locks the batch: an older attempt that still stages, and an
		// Upsert, are waited for.
		tag, err := tx.Exec(ctx, `
			update batches set state = 'transformed', cleaning_version = $4
			where (stream_id, epoch, seq) = ($1, $2, $3) and state in ('sealed', 'transformed')`,
			b.Stream, b.Epoch, b.Seq, cleaningVersion)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Fenced, "batch %d of stream %d is not waiting to be transformed", b.Seq, b.Stream)
		}
		if _, err := tx.Exec(ctx, `delete from staged where (stream_id, epoch, seq) = ($1, $2, $3)`, b.Stream, b.Epoch, b.Seq); err != nil {
			return err
		}
		st := &Staging{ctx: ctx, tx: tx, batch: b}
		if err := rows(st); err != nil {
			return err
		}
		return st.flush()
	})
}

// Chunk reads one chunk of the batch. It is valid until the next one is read.
func (st *Staging) Chunk(number int) (Chunk, error) {
	return st.chunks.read(st.ctx, st.tx, st.batch, number)
}

// Kept is [Store.Kept] for records of the batch.
func (st *Staging) Kept(recordIDs []string) (map[string]*Kept, error) {
	return kept(st.ctx, st.tx, st.batch.SourceID, st.batch.Object, recordIDs)
}

// copyPortion is how much goes over at a time: enough for a statement to cost nothing, little
// enough to keep memory flat whatever the batch.
const copyPortion = 1 << 20

// Add stages one record. The row is not kept.
func (st *Staging) Add(r StagedRow) error {
	if st.copy.buf == nil {
		st.copy.begin()
	}
	if err := st.copy.staged(st.batch, &r); err != nil {
		return fault.Wrap(fault.Internal, err, "encode record %s", r.RecordID)
	}
	if len(st.copy.buf) < copyPortion {
		return nil
	}
	return st.flush()
}

func (st *Staging) flush() error {
	if st.copy.buf == nil {
		return nil
	}
	st.copy.end()
	_, err := st.tx.Conn().PgConn().CopyFrom(st.ctx, bytes.NewReader(st.copy.buf), copyStaged)
	st.copy.begin()
	return err
}

// copyStaged names the columns in the order in which staged writes them.
const copyStaged = `copy staged (stream_id, epoch, seq, record_id, stamp, record_digest, text_digest, is_deleted, reason,
	chunk, verdict, text_kept, comment_id, ts, thread_id, envelope, properties, texts, text_hash, content_hash) from stdin (format binary)`

const stagedFields = 20

// copyBuffer holds rows as COPY takes them in its binary format. Written by hand: going
// through values of any type costs more than cleaning a text does.
type copyBuffer struct {
	buf []byte
}

func (c *copyBuffer) begin() {
	if c.buf == nil {
		c.buf = make([]byte, 0, copyPortion+copyPortion/4)
	}
	c.buf = append(c.buf[:0], "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...) // no flags, no extension
}

func (c *copyBuffer) end() { c.buf = append(c.buf, 0xff, 0xff) }

func (c *copyBuffer) size(n int)     { c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n)) }
func (c *copyBuffer) null()          { c.size(-1) }
func (c *copyBuffer) text(s string)  { c.size(len(s)); c.buf = append(c.buf, s...) }
func (c *copyBuffer) bytes(b []byte) { c.size(len(b)); c.buf = append(c.buf, b...) }
func (c *copyBuffer) int8(n int64) {
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(n))
}
func (c *copyBuffer) int4(n int) { c.size(4); c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n)) }

func (c *copyBuffer) bool(b bool) {
	c.size(1)
	if b {
		c.buf = append(c.buf, 1)
		return
	}
	c.buf = append(c.buf, 0)
}

func (c *copyBuffer) textOrNull(s string) {
	if s == "" {
		c.null()
		return
	}
	c.text(s)
}

// postgresEpoch is where PostgreSQL counts microseconds from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func (c *copyBuffer) time(t time.Time) {
	c.int8((t.Unix()-postgresEpoch)*1_000_000 + int64(t.Nanosecond()/1000))
}

// json appends what write appends as a jsonb.
func (c *copyBuffer) json(write func([]byte) ([]byte, error)) error {
	at := len(c.buf)
	b, err := write(append(c.buf, 0, 0, 0, 0, 1)) // its size, and the version of the format
	if err != nil {
		return err
	}
	if len(b)-at-4 > math.MaxInt32 {
		return fmt.Errorf("%d bytes are more than a row may have", len(b)-at)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	c.buf = b
	return nil
}

// staged appends one row. After an error what is in the buffer is of no use.
func (c *copyBuffer) staged(b *Batch, r *StagedRow) error {
	c.buf = binary.BigEndian.AppendUint16(c.buf, stagedFields)
	c.int8(b.Stream)
	c.int8(b.Epoch)
	c.int8(b.Seq)
	c.text(r.RecordID)
	c.time(r.Stamp)
	c.bytes(r.RecordDigest)
	c.bytes(r.TextDigest)
	c.bool(r.Deleted)
	c.textOrNull(r.Reason)
	c.int4(r.Chunk)
	c.textOrNull(r.Verdict)
	c.bool(r.TextKept)
	m := r.Comment
	if m == nil {
		for range 8 {
			c.null()
		}
		return nil
	}
	c.text(m.ID)
	c.time(m.Timestamp)
	c.textOrNull(m.ThreadID)
	if err := c.json(m.AppendEnvelope); err != nil {
		return err
	}
	if err := c.json(m.Properties.Append); err != nil {
		return err
	}
	if err := c.json(func(b []byte) ([]byte, error) { return m.AppendTexts(b), nil }); err != nil {
		return err
	}
	c.bytes(comment.HashTexts(m.Texts()))
	content, err := m.HashContent()
	if err != nil {
		return err
	}
	c.bytes(content)
	return nil
}
