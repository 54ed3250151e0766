package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Size is how many comments a search finds, as far as it is cheap to say.
type Size struct {
	N    int64
	More bool // there are more than N, which is the most that was counted
	// Unknown says that it is not cheap; N says nothing then.
	Unknown bool
}

// sizeLongest is how long a size may take to find out before it is not worth it.
const sizeLongest = 60 * time.Millisecond

// SizeOf says how many comments a search finds, whatever its page and direction, but counts no more than
// most. What is found by its words is counted in their index: without what is not in it yet, and
// words of a phrase that stand apart count as well.
func (s *Store) SizeOf(ctx context.Context, q CommentSearch, most int) (Size, error) {
	if !q.Filter.NeedsIndex() && q.Filter.ThreadID == "" && q.From == nil && q.To == nil {
		n, err := s.CountMatching(ctx, q.SourceID, CountFilter{})
		return Size{N: n}, err
	}
	q.Descending, q.After = false, nil
	var size Size
	err := s.inTx(ctx, "say how many comments there are", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settings+fmt.Sprintf(`; set local statement_timeout = %d`, sizeLongest.Milliseconds())); err != nil {
			return err
		}
		args := q.args()
		args["limit"], args["thread"] = most+1, q.Filter.ThreadID
		query := `select from comments c where c.source_id = @source and` + visible + `and (c.ts, c.id) > (@ts, @id) and c.ts <= @bound
			and (@thread = '' or c.thread_id = @thread) limit @limit`
		if q.Filter.NeedsIndex() {
			r := searching{CommentSearch: q, tx: tx, lookup: q.Filter.Lookup(q.Number)}
			estimate, _, err := r.estimate(ctx)
			if err != nil {
				return err
			}
			if estimate > float64(2*most) { // to count them would cost more than it says
				bounded := q.From != nil || q.To != nil // of which the estimate knows nothing
				size = Size{N: int64(most), More: !bounded, Unknown: bounded}
				return nil
			}
			args["lookup"] = r.lookup
			query = `select from comment_words where words @@ @lookup::tsquery and (ts, comment_id) > (@ts, @id) and ts <= @bound limit @limit`
		}
		return tx.QueryRow(ctx, `select count(*) from (`+query+`) counted`, args).Scan(&size.N)
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == queryCanceled {
		return Size{Unknown: true}, nil
	}
	if size.N > int64(most) {
		size = Size{N: int64(most), More: true}
	}
	return size, err
}

// queryCanceled is what PostgreSQL calls a statement that took too long.
const queryCanceled = "57014"
