package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// CommentWrite is a comment as a client sends it.
type CommentWrite struct {
	comment.Comment
	Context string // the version that it replaces; only CreateComments asks for it

	// Inputs is the digest of what the texts were made of, and CleaningVersion of what made them; nil and
	// 0 of texts that came as they are. A comment whose text was made of the same is left its text and
	// costs nothing, whatever the cleaning makes of it today.
	Inputs          []byte
	CleaningVersion int
}

// CommentBatch is what a client writes at once.
type CommentBatch struct {
	SourceID string
	Comments []CommentWrite // no id twice
	// Veiled is of a writer who may not see sensitive properties. In a source that has some, a comment that
	// is there as it was sent is written once more and counts as PropertiesOnly: whoever was told that it
	// is unchanged, or could see that it was not touched, would know that what they guessed is right.
	Veiled bool
}

// Written is what became of the comments of a batch. Each counts once.
type Written struct {
	New            int64
	Unchanged      int64
	PropertiesOnly int64 // anything but a text changed
	TextChanged    int64
}

// Units is what the batch cost.
func (w Written) Units() int64 { return w.New + w.TextChanged }

// SyncComments makes the comments of a source be as the batch says, in one transaction: all of it
// is written or nothing. A comment that was deleted and comes again is new.
//
// It may be repeated, and run beside anything: what is there already is unchanged and costs
// nothing. fault.Conflict when an integration feeds the source, fault.NotFound when it is gone.
func (s *Store) SyncComments(ctx context.Context, b CommentBatch) (Written, error) {
	return s.writeComments(ctx, b, false)
}

// CreateComments is SyncComments for comments that are not there yet: one that is there is
// overwritten only if the batch has its current Context. fault.Conflict when one has not, or has
// the Context of a version that is no more; nothing is written then.
func (s *Store) CreateComments(ctx context.Context, b CommentBatch) (Written, error) {
	return s.writeComments(ctx, b, true)
}

// outcome is what a comment of a batch becomes.
type outcome int

const (
	unchanged outcome = iota
	created           // one that was deleted is created once more
	textChanged
	propertiesChanged
)

// write is a comment on its way into the store, with what is known of its row once that is locked.
type write struct {
	*CommentWrite
	place       int    // in the caller's list
	ownHash     []byte // of the texts that were sent
	contentHash []byte

	outcome  outcome
	textHash []byte // of the texts that the comment has then: its own, or those that are left to it
	known    bool   // it has a row
	revision int32  // of the row, and then of what is written
	before   []byte // the hash of the text before; nil for one that is created
}

func (s *Store) writeComments(ctx context.Context, b CommentBatch, guarded bool) (w Written, err error) {
	writes := make([]write, len(b.Comments))
	for i := range b.Comments {
		c := &b.Comments[i]
		content, err := c.HashContent()
		if err != nil {
			return w, fault.Wrap(fault.Internal, err, "hash a comment")
		}
		writes[i] = write{CommentWrite: c, place: i, ownHash: comment.HashTexts(c.Texts()), contentHash: content}
	}
	// Whoever locks comments of a source does it in this order, makes new ones in this order too,
	// and locks none after the first that it made: nobody waits in a circle.
	slices.SortFunc(writes, func(a, b write) int { return strings.Compare(a.ID, b.ID) })
	for range upsertTries {
		err = s.inTx(ctx, "write comments", func(tx pgx.Tx) (err error) {
			w, err = writeOnce(ctx, tx, b, writes, guarded)
			return err
		})
		if !errors.Is(err, errOvertaken) {
			break
		}
	}
	if err != nil {
		return Written{}, err
	}
	s.tell(ctx, Applied{Lane: LaneAPI, Counts: flow.Counts{Rows: int64(len(writes)), Created: w.New, TextChanged: w.TextChanged,
		MetadataChanged: w.PropertiesOnly, Unchanged: w.Unchanged, Units: w.Units()}})
	crashpoint.Hit(crashpoint.AfterCommit)
	if len(writes) > manyRows {
		s.analyzeFirst(ctx)
	}
	return w, nil
}

// writeOnce is one try of writeComments: the rows that are there are locked, what each comment
// becomes is decided, and then it is written. A comment that somebody else makes meanwhile
// is refused by the primary key; then all is tried anew.
func writeOnce(ctx context.Context, tx pgx.Tx, b CommentBatch, writes []write, guarded bool) (w Written, err error) {
	sourceID := b.SourceID
	sensitive, err := lockSource(ctx, tx, sourceID)
	if err != nil {
		return w, err
	}
	if err := decideWrites(ctx, tx, sourceID, writes, guarded); err != nil {
		return w, err
	}
	if b.Veiled && sensitive {
		for i := range writes {
			if one := &writes[i]; one.outcome == unchanged {
				one.outcome = propertiesChanged
			}
		}
	}
	var made, again, texts []*write
	for i := range writes {
		one := &writes[i]
		switch one.outcome {
		case unchanged:
			w.Unchanged++
			continue
		case created:
			w.New++
		case textChanged:
			w.TextChanged++
		case propertiesChanged:
			w.PropertiesOnly++
		}
		if one.known {
			again = append(again, one)
		} else {
			made = append(made, one)
		}
		if one.outcome != propertiesChanged {
			texts = append(texts, one)
		}
	}
	if w.Unchanged == int64(len(writes)) {
		return w, nil
	}
	if err := makeComments(ctx, tx, sourceID, made); err != nil {
		return w, err
	}
	for portion := range slices.Chunk(again, overwriteAtATime) {
		if err := overwrite(ctx, tx, sourceID, portion); err != nil {
			return w, err
		}
	}
	if err := writeTexts(ctx, tx, sourceID, texts); err != nil {
		return w, err
	}
	if err := tellChanged(ctx, tx, sourceID); err != nil {
		return w, err
	}
	crashpoint.Hit(crashpoint.BeforeCommit)
	return w, nil
}

// tellChanged tells those who listen, when the transaction commits, that a source's comments changed.
func tellChanged(ctx context.Context, tx pgx.Tx, sourceID string) error {
	_, err := tx.Exec(ctx, `select pg_notify('comments_changed', $1)`, sourceID)
	return err
}

// lockSource keeps a source from being deleted until the transaction ends, lets clients write to it one after
// the other (who makes the same comments would else start anew as often as the others are faster), and refuses one whose
// comments an integration writes: the next poll would not know of what anybody else wrote. sensitive says whether
// it lists properties that not everybody may see.
func lockSource(ctx context.Context, tx pgx.Tx, sourceID string) (sensitive bool, err error) {
	var feeder string
	err = tx.QueryRow(ctx, `
		select coalesce((select p.name || '/' || i.name from integrations i join projects p on p.id = i.project_id where i.source_id = s.id), ''),
		       s.sensitive_properties <> '{}'
		from sources s where s.id = $1 and s.deleted_at is null for no key update of s`, sourceID).Scan(&feeder, &sensitive)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, fault.Wrap(fault.NotFound, err, "the source is gone")
	}
	if err != nil {
		return false, err
	}
	if feeder != "" {
		return false, fault.New(fault.Conflict, "the integration %s writes the comments of this source", feeder).
			WithHint("write to another source, or delete the integration first: its comments stay")
	}
	return sensitive, nil
}

// version is an opaque token of what a comment is now. It is made of when and how often the comment was written,
// and of nothing that it says: of a digest of that, a reader who may not see all of it could find out the rest by
// trying.
const version = ` encode(substring(sha256(xid8send(c.changed) || timestamptz_send(c.last_modified) || int4send(c.revision)) for 12), 'hex') `

// lockComments locks the comments with these ids that have a row, tombstones too. What a text was made of is looked up
// only for those who ask for it: most comments are made of nothing.
var lockComments = `
	select w.n, c.revision, c.text_hash, c.content_hash, c.living, c.version, c.inputs
	from unnest(@ids::text[]) with ordinality as w (id, n)
	cross join lateral (
		select c.revision, c.text_hash, c.content_hash, c.deleted_at is null and not c.erased as living,` + version + `as version,
		       case when @inputs::boolean then (
		       select r.inputs from revisions r where r.source_id = c.source_id and r.comment_id = c.id and r.revision = c.revision) end as inputs
		from comments c where c.source_id = @source and` + byKey("c.id", "w.id") + `for update) c`

// decideWrites locks what is there of the comments and decides what each becomes.
func decideWrites(ctx context.Context, tx pgx.Tx, sourceID string, writes []write, guarded bool) error {
	ids := make([]string, len(writes))
	made := false
	for i := range writes {
		one := &writes[i]
		ids[i] = one.ID
		one.outcome, one.known, one.revision, one.before, one.textHash = created, false, 1, nil, one.ownHash
		made = made || one.Inputs != nil
	}
	rows, err := tx.Query(ctx, lockComments, pgx.NamedArgs{"source": sourceID, "ids": ids, "inputs": made})
	if err != nil {
		return err
	}
	current := make([]string, len(writes))
	var n int64
	var revision int32
	var text, content, inputs []byte
	var living bool
	var token string
	if _, err := pgx.ForEachRow(rows, []any{&n, &revision, &text, &content, &living, &token, &inputs}, func() error {
		one := &writes[n-1]
		one.known, one.revision = true, revision
		if living && one.Inputs != nil && bytes.Equal(inputs, one.Inputs) {
			one.textHash = bytes.Clone(text)
		}
		switch {
		case !living:
			one.revision++
			return nil
		case !bytes.Equal(text, one.textHash):
			one.outcome, one.before = textChanged, bytes.Clone(text)
			one.revision++
		case !bytes.Equal(content, one.contentHash):
			one.outcome = propertiesChanged
		default:
			one.outcome = unchanged
		}
		current[n-1] = token
		return nil
	}); err != nil {
		return err
	}
	if !guarded {
		return nil
	}
	// The first one in the caller's order, so that the same batch is refused with the same words.
	var refused *write
	for i := range writes {
		if one := &writes[i]; one.Context != current[i] && (refused == nil || one.place < refused.place) {
			refused = one
		}
	}
	switch {
	case refused == nil:
		return nil
	case refused.Context == "":
		return fault.New(fault.Conflict, "comments[%d] (id %.64q) is there already: send its context to overwrite it", refused.place, refused.ID)
	default:
		return fault.New(fault.Conflict, "comments[%d] (id %.64q) is not the version of its context any more: read it again", refused.place, refused.ID)
	}
}

// parts are what a comment's columns are made of.
type parts struct{ envelope, properties, attachments []byte }

func (w *write) parts() (p parts, err error) {
	if p.envelope, err = w.AppendEnvelope(nil); err != nil {
		return p, err
	}
	if p.properties, err = w.Properties.Append(nil); err != nil {
		return p, err
	}
	if len(w.Attachments) > 0 {
		p.attachments, err = json.Marshal(w.Attachments)
	}
	return p, err
}

// makeComments writes comments that have no row.
func makeComments(ctx context.Context, tx pgx.Tx, sourceID string, list []*write) error {
	return copyWrites(ctx, tx, "comments", []string{"source_id", "id", "ts", "thread_id", "envelope", "properties", "revision", "text_hash", "content_hash", "text_format", "attachments"},
		list, func(w *write) ([]any, error) {
			p, err := w.parts()
			var thread *string
			if w.ThreadID != "" {
				thread = &w.ThreadID
			}
			return []any{sourceID, w.ID, w.Timestamp, thread, p.envelope, p.properties, w.revision, w.textHash, w.contentHash, w.TextFormat, p.attachments}, err
		})
}

// writeTexts writes the texts of comments that were created or whose text changed, and the bill.
func writeTexts(ctx context.Context, tx pgx.Tx, sourceID string, list []*write) error {
	if err := copyWrites(ctx, tx, "revisions", []string{"source_id", "comment_id", "revision", "texts", "text_hash", "cleaning_version", "inputs"},
		list, func(w *write) ([]any, error) {
			return []any{sourceID, w.ID, w.revision, w.AppendTexts(nil), w.textHash, w.CleaningVersion, w.Inputs}, nil
		}); err != nil {
		return err
	}
	return copyWrites(ctx, tx, "ledger", []string{"source_id", "comment_id", "revision", "reason", "before_hash", "after_hash"},
		list, func(w *write) ([]any, error) {
			reason := "created"
			if w.outcome == textChanged {
				reason = "text_changed"
			}
			return []any{sourceID, w.ID, w.revision, reason, w.before, w.textHash}, nil
		})
}

// copyWrites copies one row of each into a table.
func copyWrites(ctx context.Context, tx pgx.Tx, table string, columns []string, list []*write, row func(*write) ([]any, error)) error {
	if len(list) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(len(list), func(i int) ([]any, error) { return row(list[i]) }))
	if err != nil {
		return overtaken("write into "+table, err)
	}
	return nil
}

const overwriteComments = `
	update comments c set
		ts = w.ts, thread_id = nullif(w.thread_id, ''), envelope = w.envelope::jsonb, properties = w.properties::jsonb,
		text_format = w.text_format, attachments = nullif(w.attachments, '')::jsonb,
		revision = w.revision, text_hash = w.text_hash, content_hash = w.content_hash,
		created_at = case when w.created then now() else c.created_at end,
		last_modified = now(), changed = pg_current_xact_id(), deleted_at = null, erased = false
	from unnest(@ids::text[], @times::timestamptz[], @threads::text[], @envelopes::text[], @properties::text[], @formats::text[],
		@attachments::text[], @revisions::int[], @texts::bytea[], @contents::bytea[], @created::boolean[])
		as w (id, ts, thread_id, envelope, properties, text_format, attachments, revision, text_hash, content_hash, created)
	where c.source_id = @source and c.id = w.id`

// overwriteAtATime bounds the memory that one statement takes.
const overwriteAtATime = 1000

// overwrite writes comments that have a row, which is locked.
func overwrite(ctx context.Context, tx pgx.Tx, sourceID string, list []*write) error {
	var ids, threads, envelopes, properties, formats, attachments []string
	var times []time.Time
	var revisions []int32
	var texts, contents [][]byte
	var createds []bool
	for _, w := range list {
		p, err := w.parts()
		if err != nil {
			return err
		}
		ids, times, threads = append(ids, w.ID), append(times, w.Timestamp), append(threads, w.ThreadID)
		envelopes, properties, attachments = append(envelopes, string(p.envelope)), append(properties, string(p.properties)), append(attachments, string(p.attachments))
		formats, revisions = append(formats, w.TextFormat), append(revisions, w.revision)
		texts, contents, createds = append(texts, w.textHash), append(contents, w.contentHash), append(createds, w.outcome == created)
	}
	tag, err := tx.Exec(ctx, overwriteComments, pgx.NamedArgs{
		"source": sourceID, "ids": ids, "times": times, "threads": threads, "envelopes": envelopes, "properties": properties, "formats": formats,
		"attachments": attachments, "revisions": revisions, "texts": texts, "contents": contents, "created": createds,
	})
	if err == nil && tag.RowsAffected() != int64(len(list)) {
		err = fault.New(fault.Internal, "overwrote %d of %d comments", tag.RowsAffected(), len(list))
	}
	return err
}
