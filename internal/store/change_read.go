package store

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// Place is a place in the order in which the comments of a source changed: behind the
// comment with this id that this transaction changed. The zero value is before everything.
type Place struct {
	Transaction uint64
	ID          string
}

// Change is the latest state of a comment that changed. DeletedAt is set for one that is
// no more; then nothing but SourceID and ID is.
type Change struct {
	StoredComment
	DeletedAt *time.Time
}

// Changes is a page of a source's changes and where the next one begins.
type Changes struct {
	List  []Change
	Next  Place
	More  bool   // there is more right now
	Where string // the life of the database in which Next means something; see [Store.ChangesFrom]
}

// ChangeQuery asks for the changes of a source behind a place.
type ChangeQuery struct {
	SourceID string
	After    Place
	Where    string // as Changes.Where said it with After; "" for the zero place
	Limit    int
}

// lifeOfDatabase names what makes two equal transaction numbers the same transaction: the
// server's data, its timeline, which forks when a backup or a standby goes on from an earlier moment, and the
// database in it. A dump that is loaded elsewhere has another.
const lifeOfDatabase = `(
	select (select system_identifier from pg_control_system())::text || '.' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '.' || d.oid
	  from pg_database d where d.datname = current_database())`

// fromTheFuture is true of a comment c that no transaction of this database's life has written: it came
// with a dump of another one, whose transactions have other numbers.
const fromTheFuture = ` c.changed >= pg_snapshot_xmax(pg_current_snapshot()) `

// changedBehind is true of comments c behind a place that are not to be waited for: no
// transaction that is still open can turn up before them.
const changedBehind = ` c.source_id = @source and (c.changed, c.id) > (@transaction::text::xid8, @id)
	and c.changed < pg_snapshot_xmin(pg_current_snapshot()) `

// ChangesFrom reads a page of what changed in a source, each comment once and as it is now,
// deleted ones included. A comment that changes again is given again, further on. Nothing
// is ever missed: what is given was changed by transactions behind which none is open.
//
// fault.Conflict when q.After was given by another life of the database: it was restored, or a
// standby took over. Who follows begins at the zero place then. fault.Config when
// comments came with a restored dump and `starter setup` has not run since.
func (s *Store) ChangesFrom(ctx context.Context, q ChangeQuery) (page Changes, err error) {
	const op = "read what changed"
	var restored bool
	err = s.pool.QueryRow(ctx, `
		select `+lifeOfDatabase+`, exists (select from comments c where c.source_id = $1 and`+fromTheFuture+`)`, q.SourceID).
		Scan(&page.Where, &restored)
	switch {
	case err != nil:
		return page, translate(op, err)
	case restored:
		return page, fault.New(fault.Config, "the database was restored from a dump, and what changed in it has not been numbered anew").
			WithHint("run `starter setup`")
	case q.After != Place{} && q.Where != page.Where:
		return page, fault.New(fault.Conflict, "the database was restored, or a standby took over: a place in the changes from before means nothing any more; begin again without one")
	}
	args := pgx.NamedArgs{"source": q.SourceID, "transaction": q.After.transaction(), "id": q.After.ID, "limit": q.Limit + 1}
	rows, err := s.pool.Query(ctx, selectChange+`
		 where`+changedBehind+`
		 order by c.changed, c.id limit @limit`, args)
	if err != nil {
		return page, translate(op, err)
	}
	page.Next = q.After
	defer rows.Close()
	for rows.Next() {
		if page.More = len(page.List) == q.Limit; page.More {
			break
		}
		c, at, err := scanChange(rows)
		if err != nil {
			return page, translate(op, err)
		}
		page.List, page.Next = append(page.List, c), at
	}
	return page, translate(op, rows.Err())
}

// selectChange reads comments, deleted ones too: of those the text is not looked up.
const selectChange = `
	select c.changed::text, coalesce(c.deleted_at, case when c.erased then c.last_modified end), ` + commentColumns + `
	  from comments c
	  left join lateral (
	       select texts from revisions
	        where source_id = c.source_id and comment_id = c.id and revision = c.revision and` + visible + `limit 1) r on true`

// scanChange reads a row of selectChange, and where it stands.
func scanChange(row pgx.CollectableRow) (c Change, at Place, err error) {
	var transaction string
	var raw storedJSON
	if err := row.Scan(append([]any{&transaction, &c.DeletedAt}, c.columns(&raw)...)...); err != nil {
		return c, at, err
	}
	at.ID = c.ID
	if at.Transaction, err = strconv.ParseUint(transaction, 10, 64); err != nil {
		return c, at, err
	}
	if c.DeletedAt != nil {
		return Change{StoredComment: StoredComment{SourceID: c.SourceID, Comment: comment.Comment{ID: c.ID}}, DeletedAt: c.DeletedAt}, at, nil
	}
	err = c.decode(raw)
	return c, at, err
}

// mostCounted bounds what is counted to say how far somebody is behind.
const mostCounted = 10_000

// Backlog is how much somebody who follows a source is behind.
type Backlog struct {
	Changes int64      // comments that changed since
	More    bool       // there are more than Changes
	Since   *time.Time // of these, the one that waits longest; nil when nothing waits
}

// BacklogFrom says how much of a source changed behind a place, changes included that
// followers do not see yet because a transaction is open.
func (s *Store) BacklogFrom(ctx context.Context, sourceID string, after Place) (b Backlog, err error) {
	err = s.pool.QueryRow(ctx, `
		select least(count(*), $4), count(*) > $4, min(last_modified) from (
			select c.last_modified from comments c
			 where c.source_id = $1 and (c.changed, c.id) > ($2::text::xid8, $3)
			 order by c.changed, c.id limit $4 + 1) behind`,
		sourceID, after.transaction(), after.ID, mostCounted).Scan(&b.Changes, &b.More, &b.Since)
	return b, translate("count what changed", err)
}

func (p Place) transaction() string { return strconv.FormatUint(p.Transaction, 10) }

// renumberRows is how many comments are numbered anew in one transaction.
const renumberRows = 20_000

// RenumberChanges numbers comments anew whose last change has a number that no transaction
// of this server has reached: they came with a dump of another one, and nobody who follows
// would see them before this server has done as much. It says how many they were; it may be ended and
// repeated at any time, and costs one look at an index where there are none.
func (s *Store) RenumberChanges(ctx context.Context) (renumbered int64, err error) {
	for {
		tag, err := s.pool.Exec(ctx, `
			update comments set changed = pg_current_xact_id()
			 where (source_id, id) in (
			       select f.source_id, f.id from sources s
			        cross join lateral (
			              select c.source_id, c.id from comments c
			               where c.source_id = s.id and`+fromTheFuture+`
			               order by c.changed, c.id limit $1) f
			        limit $1)`, renumberRows)
		if err != nil {
			return renumbered, translate("number changes anew", err)
		}
		if tag.RowsAffected() == 0 {
			return renumbered, nil
		}
		renumbered += tag.RowsAffected()
	}
}
