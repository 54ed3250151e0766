package store

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/words"
)

// CommentSearch asks for one page of those comments that a filter lets through, in the order of
// CommentQuery.
type CommentSearch struct {
	CommentQuery
	Number int // of the source
	Filter words.Filter
}

// Bounds of the work that one page takes, however many comments there are and whatever is looked for. A
// page that ends at one is shorter than it may be, and the next one goes on where it ended.
const (
	searchSteps      = 16   // a probe is one
	searchWalkSteps  = 4    // a walk is so many
	searchWalk       = 1000 // comments that one walk goes over
	searchCandidates = 2000 // that one probe takes from the index
	searchLoads      = 300  // comments that are read to decide whether they match
)

// What is sought is walked to if so many comments have it that a page of them is near (one in
// searchDense); and taken from the index over all times at once if they are few (searchFew): each costs
// a look at where it is kept. Up to searchSome are taken that way, too, when nothing was found in so many
// stretches (searchEmpty): then they are far away.
const (
	searchDense = 20
	searchFew   = 4_000
	searchSome  = 50_000
	searchEmpty = 3
)

// SearchComments reads one page. next is where the next page begins, nil at the end of the list; a page
// may be shorter than its limit, or empty, and still have one behind it.
//
// There are two ways to find comments in the order of time, and each is slow where the other is fast:
//
//	walk   over comments_by_time, and look at the words of each: good for what many comments have
//	probe  the index of words for a stretch of time, and sort: good for what few have
//
// What the planner knows of the words decides which comes first, and what comes of each round decides
// on the next one. A probe that brings too many is asked again for a shorter stretch (all → month →
// day), and then walked; a walk that finds too little is followed by probes.
//
// What either finds is read and decided on as it is now: the index is filled later, and knows no phrases.
func (s *Store) SearchComments(ctx context.Context, q CommentSearch) (page []StoredComment, next *CommentKey, err error) {
	if !q.Filter.NeedsIndex() {
		var more bool
		if q.Filter.ThreadID == "" {
			page, more, err = s.Comments(ctx, q.CommentQuery)
		} else {
			page, more, err = s.ThreadComments(ctx, q.Filter.ThreadID, q.CommentQuery)
		}
		if err == nil && more {
			next = keyOf(page[len(page)-1])
		}
		return page, next, err
	}
	err = s.inTx(ctx, "search comments", func(tx pgx.Tx) error {
		r := searching{CommentSearch: q, tx: tx, order: orderOf(q.Descending), lookup: q.Filter.Lookup(q.Number), args: q.args()}
		if err := r.run(ctx); err != nil {
			return err
		}
		page, next = r.page, r.next()
		return nil
	})
	return page, next, err
}

// keyOf is a comment's place.
func keyOf(c StoredComment) *CommentKey { return &CommentKey{Timestamp: c.Timestamp, ID: c.ID} }

// settings keep the planner to the plans that are meant: it does not know what a limit that it cannot
// see leaves, and a bitmap over millions of comments must fit.
const settings = `set local enable_seqscan = off; set local jit = off; set local work_mem = '64MB'`

// searching is one page on its way.
type searching struct {
	CommentSearch
	tx     pgx.Tx
	order  order
	lookup string
	args   pgx.NamedArgs // source, ts and id behind which it goes on, bound

	page  []StoredComment // one more than the limit, if there is one more
	last  *CommentKey     // the last comment that was looked at; nil = none yet
	ended bool            // there is nothing behind it
	loads int
}

// next is where the next page begins.
func (r *searching) next() *CommentKey {
	switch {
	case len(r.page) > r.Limit:
		r.page = r.page[:r.Limit]
		return keyOf(r.page[r.Limit-1])
	case r.ended:
		return nil
	default:
		return r.last
	}
}

func (r *searching) full() bool { return len(r.page) > r.Limit || r.loads >= searchLoads }

func (r *searching) run(ctx context.Context) error {
	if _, err := r.tx.Exec(ctx, settings); err != nil {
		return err
	}
	estimate, total, err := r.estimate(ctx)
	if err != nil {
		return err
	}
	walk, all, widest := estimate*searchDense >= total, estimate <= searchFew, words.Month
	day := true // the first stretch is a day: what is not rare is found there
	empty := 0  // stretches in a row
	few := estimate <= searchSome
	for steps := 0; steps < searchSteps && !r.ended && !r.full(); steps++ {
		if walk {
			steps += searchWalkSteps - 1
			hits, err := r.walk(ctx)
			if err != nil {
				return err
			}
			walk = hits*searchDense >= searchWalk
			continue
		}
		span := widest
		if day {
			span = words.Day
		}
		if all {
			span = ""
		}
		before := r.loads
		enough, err := r.probe(ctx, span)
		switch {
		case err != nil:
			return err
		case enough:
			day = false
			if empty++; r.loads > before {
				empty = 0
			}
			all = few && empty >= searchEmpty
		case all: // there are too many, which does not change
			all, few = false, false
		case span == words.Month:
			widest = words.Day
		default:
			walk = true
		}
	}
	return nil
}

// estimate is how many comments the planner thinks the filter lets through, and how many there are.
func (r *searching) estimate(ctx context.Context) (matches, total float64, err error) {
	var plan []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := r.tx.QueryRow(ctx, `select `+countKept+`$1)::float8`, r.SourceID).Scan(&total); err != nil {
		return 0, 0, err
	}
	if err := r.tx.QueryRow(ctx, `explain (format json) select from comment_words where words @@ $1::tsquery`, r.lookup).Scan(&plan); err != nil {
		return 0, 0, err
	}
	return plan[0].Plan.Rows, total, nil
}

// order is the direction of a list in words of SQL.
type order struct{ behind, within, by string }

func orderOf(descending bool) order {
	if descending {
		return order{" < ", " >= @bound ", " desc "}
	}
	return order{" > ", " <= @bound ", " "}
}

// walkOver goes over comments in the order of time, from behind the key of the arguments, over at most
// @rows of them, until @limit of them are hits. The last row it gives is that of the last comment it went over,
// unless the list ended before.
func (o order) walkOver(hit string) string {
	by := `order by c.ts` + o.by + `, c.id` + o.by
	return `
		select n, ts, id, thread_id, hit from (
			select row_number() over (` + by + `) as n, c.ts, c.id, c.thread_id, ` + hit + ` as hit
			  from comments c
			 where c.source_id = @source and` + visible + `and (c.ts, c.id)` + o.behind + `(@ts, @id) and c.ts` + o.within + by + ` limit @rows) w
		 where hit or n = @rows
		 order by ts` + o.by + `, id` + o.by + ` limit @limit`
}

// walked is a comment that walkOver gives.
type walked struct {
	N        int
	At       time.Time
	ID       string
	ThreadID *string
	Hit      bool
}

// walkOver runs one such walk and reports whether the list ended.
func walkOver(ctx context.Context, tx pgx.Tx, o order, hit string, args pgx.NamedArgs, rows, limit int) (found []walked, ended bool, err error) {
	args = maps.Clone(args)
	args["rows"], args["limit"] = rows, limit
	result, err := tx.Query(ctx, o.walkOver(hit), args)
	if err != nil {
		return nil, false, err
	}
	found, err = pgx.CollectRows(result, pgx.RowToStructByPos[walked])
	ended = len(found) == 0 || found[len(found)-1].N < rows && len(found) < limit
	return found, ended, err
}

// walk is a round that goes over comments one by one.
func (r *searching) walk(ctx context.Context) (hits int, err error) {
	args := maps.Clone(r.args)
	args["lookup"] = r.lookup
	found, ended, err := walkOver(ctx, r.tx, r.order, `coalesce((
		select w.words @@ @lookup::tsquery from comment_words w where w.source_id = @source and w.comment_id = c.id), false)`,
		args, searchWalk, r.Limit+1)
	if err != nil {
		return 0, err
	}
	var keys []CommentKey
	for _, w := range found {
		if w.Hit {
			keys = append(keys, CommentKey{w.At, w.ID})
		}
	}
	complete, err := r.take(ctx, keys)
	if err != nil || !complete {
		return len(keys), err
	}
	if r.ended = ended; !ended {
		r.goOn(CommentKey{found[len(found)-1].At, found[len(found)-1].ID})
		// A page that was filled early says more of what is ahead than the rows it left out.
		return len(keys) * searchWalk / found[len(found)-1].N, nil
	}
	return len(keys), nil
}

// goOn moves on behind a comment.
func (r *searching) goOn(behind CommentKey) {
	r.last = &behind
	r.args["ts"], r.args["id"] = behind.Timestamp, behind.ID
}

// probe is a round that asks the index for all candidates of a span of time, "" = for those of all times.
// It takes nothing and reports false when there are too many.
func (r *searching) probe(ctx context.Context, span words.Span) (enough bool, err error) {
	var first time.Time
	rows, err := r.tx.Query(ctx, `
		select c.ts from comments c where c.source_id = @source and`+visible+`and (c.ts, c.id)`+r.order.behind+`(@ts, @id) and c.ts`+r.order.within+`
		 order by c.ts`+r.order.by+`, c.id`+r.order.by+`limit 1`, r.args)
	if err == nil {
		first, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[time.Time])
	}
	if err == pgx.ErrNoRows { //nolint:errorlint // CollectExactlyOneRow gives it as it is
		r.ended = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	args := maps.Clone(r.args)
	args["lookup"], args["limit"] = r.lookup, searchCandidates+1
	within := ``
	if span != "" {
		args["span"], within = span.Lookup(r.Number, first), ` and words @@ @span::tsquery`
	}
	// Nothing but the index of words may be used: the rest is looked at behind it.
	rows, err = r.tx.Query(ctx, `
		select ts, comment_id from (
			select ts, comment_id from (
				select ts, comment_id from comment_words where words @@ @lookup::tsquery`+within+` offset 0) w
			 where (ts, comment_id)`+r.order.behind+`(@ts, @id) and ts`+r.order.within+` limit @limit) w
		 order by ts`+r.order.by+`, comment_id`+r.order.by, args)
	if err != nil {
		return false, err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CommentKey])
	if err != nil || len(keys) > searchCandidates {
		return false, err
	}
	complete, err := r.take(ctx, keys)
	switch {
	case err != nil || !complete:
		return true, err
	case span == "":
		r.ended = true
	default:
		from, to := span.Bounds(first)
		if r.Descending {
			to = from
		}
		r.goOn(CommentKey{Timestamp: to})
	}
	return true, nil
}

// take reads candidates and adds those that match to the page. complete is false when it did not look at
// all of them, because the page is full.
func (r *searching) take(ctx context.Context, keys []CommentKey) (complete bool, err error) {
	for len(keys) > 0 {
		if r.full() {
			return false, nil
		}
		some := keys[:min(len(keys), r.Limit+1-len(r.page)+8)]
		keys = keys[len(some):]
		list, err := readComments(ctx, r.tx, r.SourceID, some)
		if err != nil {
			return false, err
		}
		r.loads += len(some)
		for _, c := range list {
			if len(r.page) <= r.Limit && r.Filter.Matches(&c.Comment) {
				r.page = append(r.page, c)
			}
		}
		r.goOn(some[len(some)-1])
	}
	return true, nil
}

// readComments reads those of the comments that are still there, at their times, in their order.
func readComments(ctx context.Context, tx pgx.Tx, sourceID string, keys []CommentKey) ([]StoredComment, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	found, err := commentsByID(ctx, tx, sourceID, ids)
	list := make([]StoredComment, 0, len(found))
	for _, k := range keys {
		if c, ok := found[k.ID]; ok && c.Timestamp.Equal(k.Timestamp) {
			list = append(list, c)
		}
	}
	return list, err
}
