package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// StoredComment is a comment with what only the store knows of it.
type StoredComment struct {
	comment.Comment
	SourceID     string
	CreatedAt    time.Time
	LastModified time.Time
	Context      string // an opaque token of this version, which CreateComments takes
}

// CommentKey is a comment's place in the order by (timestamp, id).
type CommentKey struct {
	Timestamp time.Time
	ID        string
}

// CommentQuery asks for one page of a source's comments in the order of
// (timestamp, id). From and To are inclusive, nil is open; After is the key of
// the last comment of the page before, nil for the first page.
type CommentQuery struct {
	SourceID   string
	From, To   *time.Time
	After      *CommentKey
	Descending bool
	Limit      int
}

// visible is what lists, counts and reads agree on: no tombstones, and nothing
// whose text is gone. The first half is the predicate of comments_by_time.
const visible = ` c.deleted_at is null and not c.erased `

// selectComment reads comments with the text in force. The text is looked up row by row, whatever
// the planner thinks how many rows a limit that it does not know will leave: a plan
// for all of revisions takes a hundred times as long.
const selectComment = `
	select ` + commentColumns + `
	  from comments c
	 cross join lateral` + textInForce

// textInForce is the revision r of comments c that holds.
const textInForce = ` (
	       select texts from revisions
	        where source_id = c.source_id and comment_id = c.id and revision = c.revision limit 1) r`

// commentColumns are what StoredComment.columns reads, of a comment c and its revision r.
const commentColumns = `c.source_id, c.id, c.ts, coalesce(c.thread_id, ''), c.envelope, c.properties, c.text_format, c.attachments, r.texts,
	       c.created_at, c.last_modified,` + version

// A row comparison with a key that is always there, and one bound: the planner
// reads comments_by_time from the right place on whatever the page is.
const (
	listAscending = selectComment + `
	 where c.source_id = @source and` + visible + `and (c.ts, c.id) > (@ts, @id) and c.ts <= @bound
	 order by c.ts, c.id limit @limit`
	listDescending = selectComment + `
	 where c.source_id = @source and` + visible + `and (c.ts, c.id) < (@ts, @id) and c.ts >= @bound
	 order by c.ts desc, c.id desc limit @limit`
)

// Comments reads one page and says whether there is more after it. Comments that
// arrive between two pages neither repeat nor hide others: a page goes on
// behind a key, not at a count.
func (s *Store) Comments(ctx context.Context, q CommentQuery) (page []StoredComment, more bool, err error) {
	const op = "list comments"
	args := q.args()
	args["limit"] = q.Limit + 1
	query := listAscending
	if q.Descending {
		query = listDescending
	}
	rows, err := s.pool.Query(ctx, query, args)
	if err != nil {
		return nil, false, translate(op, err)
	}
	page, err = pgx.CollectRows(rows, scanComment)
	if err != nil {
		return nil, false, translate(op, err)
	}
	if len(page) > q.Limit {
		return page[:q.Limit], true, nil
	}
	return page, false, nil
}

// args are the key behind which the page begins, and the bound where the list ends. No id is empty, so
// a key with an empty one stands before every comment of its time.
func (q CommentQuery) args() pgx.NamedArgs {
	args := pgx.NamedArgs{"source": q.SourceID, "id": ""}
	if q.Descending {
		args["ts"], args["bound"] = orInfinity(q.To, pgtype.Infinity), orInfinity(q.From, pgtype.NegativeInfinity)
		if q.To != nil {
			args["ts"] = q.To.Add(time.Microsecond) // PostgreSQL's resolution: To itself is included
		}
	} else {
		args["ts"], args["bound"] = orInfinity(q.From, pgtype.NegativeInfinity), orInfinity(q.To, pgtype.Infinity)
	}
	if q.behindStart() {
		args["ts"], args["id"] = q.After.Timestamp, q.After.ID
	}
	return args
}

// behindStart reports whether the page begins behind After, and not at the bound
// that the same query names.
func (q CommentQuery) behindStart() bool {
	switch {
	case q.After == nil:
		return false
	case q.Descending:
		return q.To == nil || !q.After.Timestamp.After(*q.To)
	default:
		return q.From == nil || !q.After.Timestamp.Before(*q.From)
	}
}

// Comment reads one comment; a tombstone is fault.NotFound like one that never was.
func (s *Store) Comment(ctx context.Context, sourceID, id string) (*StoredComment, error) {
	const op = "read comment"
	rows, err := s.pool.Query(ctx, selectComment+` where c.source_id = $1 and c.id = $2 and`+visible, sourceID, id)
	if err != nil {
		return nil, translate(op, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanComment)
	if err != nil {
		return nil, translate(op, err)
	}
	return &c, nil
}

// CommentsByID reads comments and gives them by id; tombstones are left out like ids of none.
func (s *Store) CommentsByID(ctx context.Context, sourceID string, ids []string) (map[string]StoredComment, error) {
	found, err := commentsByID(ctx, s.pool, sourceID, ids)
	return found, translate("read comments", err)
}

// rowsReader is what reads: a transaction, or the pool.
type rowsReader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func commentsByID(ctx context.Context, q rowsReader, sourceID string, ids []string) (map[string]StoredComment, error) {
	rows, err := q.Query(ctx, selectComment+` where c.source_id = $1 and c.id = any($2) and`+visible, sourceID, ids)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanComment)
	found := make(map[string]StoredComment, len(list))
	for _, c := range list {
		found[c.ID] = c
	}
	return found, err
}

// CommentSummary is a comment as a line in a list.
type CommentSummary struct {
	Project   string
	Source    string
	ID        string
	Timestamp time.Time
	From      string
	Subject   string
	Snippet   string // the beginning of the body, at most 400 characters, as stored
	Messages  int
	CreatedAt time.Time // when we first had it
}

// NewestComments lists the newest comments by timestamp over the given sources.
func (s *Store) NewestComments(ctx context.Context, sourceIDs []string, limit int) ([]CommentSummary, error) {
	const op = "list the newest comments"
	// Each source gives its own newest from the index before they are merged;
	// texts are fetched for the merged ones only.
	rows, err := s.pool.Query(ctx, `
		with newest as (
			select c.*
			  from unnest($1::text[]) as wanted (source_id)
			 cross join lateral (
			       select c.source_id, c.id, c.ts, c.envelope, c.revision, c.created_at
			         from comments c
			        where c.source_id = wanted.source_id and`+visible+`
			        order by c.ts desc, c.id desc limit $2) c
			 order by c.ts desc, c.id desc limit $2)
		select p.name, s.name, n.id, n.ts, coalesce(n.envelope->0->>'from', ''), coalesce(r.texts->0->>'subject', ''),
		       coalesce(left(r.texts->0->>'body', 400), ''), jsonb_array_length(n.envelope), n.created_at
		  from newest n
		 cross join lateral (
		       select texts from revisions
		        where source_id = n.source_id and comment_id = n.id and revision = n.revision limit 1) r
		  join sources s on s.id = n.source_id
		  join projects p on p.id = s.project_id
		 order by n.ts desc, n.id desc`, sourceIDs, limit)
	if err != nil {
		return nil, translate(op, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CommentSummary])
	return list, translate(op, err)
}

// scanComment reads a row of selectComment and puts the texts back into the envelope.
func scanComment(row pgx.CollectableRow) (c StoredComment, err error) {
	var raw storedJSON
	if err := row.Scan(c.columns(&raw)...); err != nil {
		return c, err
	}
	err = c.decode(raw)
	return c, err
}

// storedJSON is the part of a comment that is stored as JSON.
type storedJSON struct{ envelope, properties, attachments, texts []byte }

// columns are where commentColumns are read to.
func (c *StoredComment) columns(raw *storedJSON) []any {
	return []any{&c.SourceID, &c.ID, &c.Timestamp, &c.ThreadID, &raw.envelope, &raw.properties, &c.TextFormat, &raw.attachments, &raw.texts,
		&c.CreatedAt, &c.LastModified, &c.Context}
}

// decode fills in what is stored as JSON.
func (c *StoredComment) decode(raw storedJSON) (err error) {
	var messages []comment.Message
	var parts []comment.Texts
	for _, part := range []struct {
		raw  []byte
		into any
	}{{raw.envelope, &messages}, {raw.properties, &c.Properties}, {raw.attachments, &c.Attachments}, {raw.texts, &parts}} {
		if part.raw == nil {
			continue
		}
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return fault.Wrap(fault.Internal, err, "decode comment %s of source %s", c.ID, c.SourceID)
		}
	}
	if c.Messages, err = comment.Join(messages, parts); err != nil {
		return fault.Wrap(fault.Internal, err, "read comment %s of source %s", c.ID, c.SourceID)
	}
	return nil
}

// orInfinity is t, or the open end of the time axis.
func orInfinity(t *time.Time, end pgtype.InfinityModifier) pgtype.Timestamptz {
	if t == nil {
		return pgtype.Timestamptz{InfinityModifier: end, Valid: true}
	}
	return pgtype.Timestamptz{Time: *t, Valid: true}
}
