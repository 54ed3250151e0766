package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Thread is a conversation: comments of a source that share a thread id, in the order of time.
type Thread struct {
	ID       string
	Comments []StoredComment // the newest ones
	Earlier  bool            // there are earlier ones
}

// Bounds of a list of threads.
const (
	threadComments = 16     // of each thread
	threadWalk     = 10_000 // comments that one page looks at
)

// newestOfThread is true of a comment that none of its thread follows.
const newestOfThread = `(c.thread_id is not null and not exists (
	select from comments d where d.source_id = c.source_id and d.thread_id = c.thread_id and d.deleted_at is null and not d.erased
	   and (d.ts, d.id) > (c.ts, c.id)))`

// Threads lists a source's threads, the one with the newest comment first. next is where the next page begins, nil
// at the end. A thread that gets a comment between two pages is not on the second one: it has moved to the front.
func (s *Store) Threads(ctx context.Context, sourceID string, after *CommentKey, limit int) (page []Thread, next *CommentKey, err error) {
	err = s.inTx(ctx, "list threads", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settings); err != nil {
			return err
		}
		q := CommentQuery{SourceID: sourceID, Descending: true, After: after}
		found, ended, err := walkOver(ctx, tx, orderOf(true), newestOfThread, q.args(), threadWalk, limit+1)
		if err != nil {
			return err
		}
		var last *CommentKey
		for _, w := range found {
			if w.Hit && len(page) == limit {
				break
			}
			last = &CommentKey{w.At, w.ID}
			if w.Hit {
				page = append(page, Thread{ID: *w.ThreadID})
			}
		}
		if !ended {
			next = last
		}
		for i := range page {
			q := CommentQuery{SourceID: sourceID, Limit: threadComments, Descending: true}
			t := &page[i]
			if t.Comments, t.Earlier, err = threadPage(ctx, tx, t.ID, q); err != nil {
				return err
			}
			for a, b := 0, len(t.Comments)-1; a < b; a, b = a+1, b-1 {
				t.Comments[a], t.Comments[b] = t.Comments[b], t.Comments[a]
			}
		}
		return nil
	})
	return page, next, err
}

// ThreadComments reads one page of a thread, like Comments.
func (s *Store) ThreadComments(ctx context.Context, threadID string, q CommentQuery) (page []StoredComment, more bool, err error) {
	err = s.inTx(ctx, "read thread", func(tx pgx.Tx) (err error) {
		page, more, err = threadPage(ctx, tx, threadID, q)
		return err
	})
	return page, more, err
}

func threadPage(ctx context.Context, tx pgx.Tx, threadID string, q CommentQuery) (page []StoredComment, more bool, err error) {
	o, args := orderOf(q.Descending), q.args()
	args["thread"], args["limit"] = threadID, q.Limit+1
	rows, err := tx.Query(ctx, selectComment+`
		 where c.source_id = @source and c.thread_id = @thread and`+visible+`and (c.ts, c.id)`+o.behind+`(@ts, @id) and c.ts`+o.within+`
		 order by c.ts`+o.by+`, c.id`+o.by+`limit @limit`, args)
	if err != nil {
		return nil, false, err
	}
	page, err = pgx.CollectRows(rows, scanComment)
	if more = len(page) > q.Limit; more {
		page = page[:q.Limit]
	}
	return page, more, err
}
