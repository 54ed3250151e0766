package store

import (
	"context"
	"encoding/json"
	"fmt"
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

// StageRows replaces the cleaned rows of the batch with what rows yields, and
// marks the batch transformed. rows calls its argument once per record, in any order.
// The batch must be sealed. Staging again gives the same rows.
func (s *Store) StageRows(ctx context.Context, b *Batch, cleaningVersion int, rows func(add func(StagedRow) error) error) error {
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
		var pending [][]any
		size := 0
		flush := func() error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"staged"}, stagedColumns, pgx.CopyFromRows(pending))
			pending, size = pending[:0], 0
			return err
		}
		err = rows(func(r StagedRow) error {
			values, n, err := stagedValues(b, r)
			if err != nil {
				return err
			}
			pending = append(pending, values)
			// About 4 MB at a time keeps memory flat whatever the batch.
			if size += n; size > 4<<20 {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
		return flush()
	})
}

var stagedColumns = []string{"stream_id", "epoch", "seq", "record_id", "stamp", "record_digest", "text_digest", "is_deleted", "reason",
	"comment_id", "ts", "thread_id", "envelope", "properties", "texts", "text_hash", "content_hash", "chunk", "verdict", "text_kept"}

func stagedValues(b *Batch, r StagedRow) (values []any, size int, err error) {
	values = []any{b.Stream, b.Epoch, b.Seq, r.RecordID, r.Stamp, r.RecordDigest, r.TextDigest, r.Deleted, nil,
		nil, nil, nil, nil, nil, nil, nil, nil, r.Chunk, nil, r.TextKept}
	if r.Reason != "" {
		values[8] = r.Reason
	}
	if r.Verdict != "" {
		values[18] = r.Verdict
	}
	c := r.Comment
	if c == nil {
		return values, 200, nil
	}
	envelope, err := json.Marshal(c.Envelope())
	if err != nil {
		return nil, 0, fmt.Errorf("encode comment %s: %w", c.ID, err)
	}
	properties, err := json.Marshal(c.Properties)
	if err != nil {
		return nil, 0, fmt.Errorf("encode comment %s: %w", c.ID, err)
	}
	texts := c.Texts()
	encoded, err := json.Marshal(texts)
	if err != nil {
		return nil, 0, fmt.Errorf("encode comment %s: %w", c.ID, err)
	}
	content, err := c.HashContent()
	if err != nil {
		return nil, 0, err
	}
	values[9], values[10] = c.ID, c.Timestamp
	if c.ThreadID != "" {
		values[11] = c.ThreadID
	}
	values[12], values[13], values[14] = string(envelope), string(properties), string(encoded)
	values[15], values[16] = comment.HashTexts(texts), content
	return values, len(envelope) + len(properties) + len(encoded) + 400, nil
}
