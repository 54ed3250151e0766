package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/words"
)

// Bounds of what one transaction puts into the index of words.
const (
	indexRows  = 1000
	indexBytes = 8 << 20 // of texts
)

// indexAfterLoad is how long after the last page of a large load the index goes on with its source. The index costs
// as much as the load, which people wait for.
const indexAfterLoad = 30 * time.Second

// loadWrites is true of a source s into which a large load wrote a page within the last $1.
const loadWrites = ` exists (
	select from integrations i join streams st on st.integration_id = i.id and st.lane = 'backfill'
	 where i.source_id = s.id and st.applied_at > now() - $1::interval) `

// behindWords finds the first change of each source that its index of words does not have.
const behindWords = `
	from sources s
	left join word_cursors w on w.source_id = s.id and w.life = ` + lifeOfDatabase + `
	cross join lateral (
	     select c.changed, c.last_modified from comments c
	      where c.source_id = s.id and (c.changed, c.id) > (coalesce(w.changed, '0'), coalesce(w.id, ''))
	      order by c.changed, c.id limit 1) n`

// IndexWords brings the index of words up to what has changed. It stops where a transaction is still
// open that may have changed something before; waiting says that there is something behind such a place. Several
// processes may call it: each source is one's at a time.
func (s *Store) IndexWords(ctx context.Context) (waiting bool, err error) {
	const op = "fill the index of words"
	rows, err := s.pool.Query(ctx, `
		select s.id, s.number, n.changed < pg_snapshot_xmin(pg_current_snapshot())`+behindWords+`
		 where not `+loadWrites+`
		 order by s.id`, indexAfterLoad)
	if err != nil {
		return false, translate(op, err)
	}
	type behind struct {
		ID      string
		Number  int
		Settled bool
	}
	sources, err := pgx.CollectRows(rows, pgx.RowToStructByPos[behind])
	if err != nil {
		return false, translate(op, err)
	}
	filled := false
	for _, source := range sources {
		if !source.Settled {
			waiting = true
			continue
		}
		for more := true; more; filled = true {
			if more, err = s.indexBatch(ctx, source.ID, source.Number); err != nil {
				return waiting, err
			}
			var loading bool // another one may have begun since
			if err := s.pool.QueryRow(ctx, `select`+loadWrites+`from sources s where s.id = $2`, indexAfterLoad, source.ID).Scan(&loading); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return waiting, translate(op, err)
			}
			more = more && !loading
		}
	}
	if filled {
		// Entries that wait to be sorted in are read by every search.
		if _, err := s.pool.Exec(ctx, `select gin_clean_pending_list('comment_words_words')`); err != nil {
			return waiting, translate("sort the index of words", err)
		}
		waiting = true // more may have come in the meantime
	}
	return waiting, s.CompactCounts(ctx)
}

// indexBatch puts the next changes of a source into the index, in one transaction with the cursor, and
// reports whether there may be more.
func (s *Store) indexBatch(ctx context.Context, sourceID string, number int) (more bool, err error) {
	err = s.inTx(ctx, "fill the index of words", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into word_cursors (source_id) values ($1) on conflict do nothing`, sourceID); err != nil {
			return err
		}
		var changed, id string
		err := tx.QueryRow(ctx, `
			select case when life = `+lifeOfDatabase+` then changed::text else '0' end, case when life = `+lifeOfDatabase+` then id else '' end
			  from word_cursors where source_id = $1 for update skip locked`, sourceID).Scan(&changed, &id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // somebody else is at it
		}
		if err != nil {
			return err
		}
		b := indexing{number: number}
		if more, err = b.read(ctx, tx, sourceID, changed, id); err != nil || b.changed == "" {
			return err
		}
		return b.write(ctx, tx, sourceID)
	})
	return more, err
}

// indexing is a batch on its way into the index.
type indexing struct {
	number      int
	ids         []string
	times       []time.Time
	lexemes     []string
	gone        []string
	changed, id string // of the last one
}

func (b *indexing) read(ctx context.Context, tx pgx.Tx, sourceID, changed, id string) (more bool, err error) {
	rows, err := tx.Query(ctx, `
		select `+commentColumns+`, c.changed::text,`+visible+`and r.texts is not null
		  from comments c
		  left join lateral`+textInForce+` on true
		 where c.source_id = $1 and (c.changed, c.id) > ($2::text::xid8, $3) and c.changed < pg_snapshot_xmin(pg_current_snapshot())
		 order by c.changed, c.id limit $4`, sourceID, changed, id, indexRows)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	n, bytes := 0, 0
	for rows.Next() {
		if n++; n == indexRows || bytes > indexBytes {
			more = true
		}
		var c StoredComment
		var stored storedJSON
		var living bool
		if err := rows.Scan(append(c.columns(&stored), &b.changed, &living)...); err != nil {
			return false, err
		}
		b.id = c.ID
		if !living {
			b.gone = append(b.gone, c.ID)
		} else {
			if err := c.decode(stored); err != nil {
				return false, err
			}
			b.ids, b.times = append(b.ids, c.ID), append(b.times, c.Timestamp)
			b.lexemes = append(b.lexemes, words.Lexemes(b.number, &c.Comment))
		}
		if bytes += len(stored.texts); more {
			break
		}
	}
	rows.Close()
	return more, rows.Err()
}

func (b *indexing) write(ctx context.Context, tx pgx.Tx, sourceID string) error {
	if len(b.ids) > 0 {
		if _, err := tx.Exec(ctx, `
			insert into comment_words as w (source_id, comment_id, ts, words)
			select $1, t.id, t.ts, t.words::tsvector from unnest($2::text[], $3::timestamptz[], $4::text[]) as t (id, ts, words)
			on conflict (source_id, comment_id) do update set ts = excluded.ts, words = excluded.words
			where (w.ts, w.words) is distinct from (excluded.ts, excluded.words)`, sourceID, b.ids, b.times, b.lexemes); err != nil {
			return err
		}
	}
	if len(b.gone) > 0 {
		if _, err := tx.Exec(ctx, `delete from comment_words where source_id = $1 and comment_id = any($2)`, sourceID, b.gone); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `update word_cursors set life = `+lifeOfDatabase+`, changed = $2::text::xid8, id = $3 where source_id = $1`, sourceID, b.changed, b.id)
	return err
}

// WordsLag is how long ago the oldest change was made that the index of words does not have yet, of a
// source or ("") of all of them; zero when it has everything.
func (s *Store) WordsLag(ctx context.Context, sourceID string) (time.Duration, error) {
	var seconds float64
	err := s.pool.QueryRow(ctx, `
		select coalesce(extract(epoch from now() - min(n.last_modified)), 0)::float8`+behindWords+`
		 where $1 = '' or s.id = $1`, sourceID).Scan(&seconds)
	return max(0, time.Duration(seconds*float64(time.Second))), translate("read how far the index of words is", err)
}
