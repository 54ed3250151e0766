package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// follower is somebody who follows a source page by page and keeps what it is told.
type follower struct {
	t     *testing.T
	db    *store.Store
	query store.ChangeQuery
	has   map[string]string // id → body, without deleted ones
	told  int
}

func follow(t *testing.T, db *store.Store, sourceID string, limit int) *follower {
	return &follower{t: t, db: db, query: store.ChangeQuery{SourceID: sourceID, Limit: limit}, has: map[string]string{}}
}

// page reads one page and says whether there was something.
func (f *follower) page() bool {
	page, err := f.db.ChangesFrom(f.t.Context(), f.query)
	require.NoError(f.t, err)
	seen := map[string]bool{}
	for _, c := range page.List {
		require.False(f.t, seen[c.ID], "a comment is once in a page")
		seen[c.ID] = true
		f.told++
		if c.DeletedAt != nil {
			require.Empty(f.t, c.Messages, "of what is gone there is no content")
			delete(f.has, c.ID)
			continue
		}
		f.has[c.ID] = c.Messages[0].Body.Text
	}
	require.True(f.t, len(page.List) == f.query.Limit || !page.More)
	f.query.After, f.query.Where = page.Next, page.Where
	return len(page.List) > 0
}

// all reads on until nothing is left. A transaction in another database of the server holds
// pages back, too, for as long as it is open.
func (f *follower) all() map[string]string {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		for f.page() {
		}
		backlog, err := f.db.BacklogFrom(f.t.Context(), f.query.SourceID, f.query.After)
		return err == nil && backlog.Changes == 0
	}, time.Minute, time.Millisecond)
	return f.has
}

func emails(seed *storetest.Seed) string { return seed.Source(seed.Project("support"), "emails") }

// rewrite gives a comment another text, in the way Upsert does.
const rewrite = `
	with next as (
		update comments set revision = revision + 1, last_modified = now(), deleted_at = null, changed = pg_current_xact_id()
		where source_id = $1 and id = $2 and not erased returning source_id, id, revision)
	insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
	select source_id, id, revision, jsonb_build_array(jsonb_build_object('body', $3::text)), '\x00', 1 from next`

const entomb = `update comments set deleted_at = now(), last_modified = now(), changed = pg_current_xact_id() where source_id = $1 and id = $2`

func TestChangesGiveTheLatestStateOfEach(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := emails(seed)
	f := follow(t, db, source, 2)
	require.Empty(t, f.all())
	require.NotEmpty(t, f.query.Where, "there always is a place to go on from")

	for _, id := range []string{"a", "b", "c", "d", "e"} {
		seed.Mail(source, id, time.Now(), "s", "first "+id)
	}
	seed.Mail(seed.Source(seed.Project("sales"), "calls"), "x", time.Now(), "s", "of another source")
	seed.Exec(rewrite, source, "a", "second a")
	seed.Exec(entomb, source, "b")
	require.Equal(t, map[string]string{"a": "second a", "c": "first c", "d": "first d", "e": "first e"}, f.all())
	require.Equal(t, 5, f.told, "each once, whatever happened to it before")

	seed.Exec(`update comments set erased = true, deleted_at = coalesce(deleted_at, now()), changed = pg_current_xact_id(),
		envelope = '{}', properties = '{}', thread_id = null where source_id = $1 and id in ('b', 'c')`, source)
	seed.Exec(`delete from revisions where source_id = $1 and comment_id in ('b', 'c')`, source)
	backlog, err := db.BacklogFrom(t.Context(), source, f.query.After)
	require.NoError(t, err)
	require.EqualValues(t, 2, backlog.Changes)
	require.NotNil(t, backlog.Since)
	require.Equal(t, map[string]string{"a": "second a", "d": "first d", "e": "first e"}, f.all())
	require.Equal(t, 7, f.told)
	backlog, err = db.BacklogFrom(t.Context(), source, f.query.After)
	require.NoError(t, err)
	require.Equal(t, store.Backlog{}, backlog)
}

// A transaction that began first and commits last is not overtaken: a follower who had gone
// past it would never see what it wrote.
func TestChangesWaitForTheOldestTransaction(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := emails(seed)
	for _, id := range []string{"a", "b"} {
		seed.Mail(source, id, time.Now(), "s", "first "+id)
	}
	f := follow(t, db, source, 10)
	f.all()
	conn, err := pgx.Connect(t.Context(), seed.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	slow, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = slow.Exec(t.Context(), rewrite, source, "a", "slow")
	require.NoError(t, err)
	seed.Exec(rewrite, source, "b", "quick")
	require.False(t, f.page(), "the quick one waits for the slow one, which stands before it")
	backlog, err := db.BacklogFrom(t.Context(), source, f.query.After)
	require.NoError(t, err)
	require.EqualValues(t, 1, backlog.Changes, "but whoever asks is told that something waits")
	require.NoError(t, slow.Commit(t.Context()))
	require.Equal(t, map[string]string{"a": "slow", "b": "quick"}, f.all())
}

// Writers whose transactions overlap and commit in any order, and followers beside them with
// pages of any size: each ends with what is stored.
func TestChangesMissNothingAmongConcurrentWriters(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := emails(seed)
	const comments, writers, transactions = 40, 6, 60
	for i := range comments {
		seed.Mail(source, fmt.Sprint("c", i), time.Now(), "s", "first")
	}
	var writing, following sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			conn, err := pgx.Connect(t.Context(), seed.URL())
			if !noError(t, err) {
				return
			}
			defer conn.Close(context.Background())
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for n := range transactions {
				err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
					first := random.IntN(comments)
					for i := first; i < min(first+1+random.IntN(3), comments); i++ { // in one order, so that nobody deadlocks
						statement, args := rewrite, []any{source, fmt.Sprint("c", i), fmt.Sprint(w, "/", n)}
						if random.IntN(4) == 0 {
							statement, args = entomb, args[:2]
						}
						if _, err := tx.Exec(t.Context(), statement, args...); err != nil {
							return err
						}
					}
					_, err := tx.Exec(t.Context(), `select pg_sleep($1)`, float64(random.IntN(8))/1000)
					return err
				})
				if !noError(t, err) {
					return
				}
			}
		})
	}
	written := make(chan struct{})
	followers := []*follower{follow(t, db, source, 1), follow(t, db, source, 7), follow(t, db, source, 256)}
	for _, f := range followers {
		following.Go(func() {
			for {
				select {
				case <-written:
					return
				default:
					f.page()
				}
			}
		})
	}
	writing.Wait()
	close(written)
	following.Wait()

	stored := map[string]string{}
	for _, row := range seed.Strings(`
		select c.id || '=' || (r.texts->0->>'body') from comments c
		join revisions r on (r.source_id, r.comment_id, r.revision) = (c.source_id, c.id, c.revision) where c.deleted_at is null`) {
		id, body, _ := strings.Cut(row, "=")
		stored[id] = body
	}
	require.NotEmpty(t, stored)
	for _, f := range followers {
		require.Equal(t, stored, f.all())
		require.GreaterOrEqual(t, f.told, comments)
	}
}

// noError is for goroutines, which must not end the test themselves.
func noError(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// A dump that is loaded into a server whose transactions have lower numbers: nobody would
// see the changes in it for long. It is said, and setup's renumbering makes it good.
func TestChangesAfterARestoreIntoAnotherCluster(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := emails(seed)
	for _, id := range []string{"a", "b", "c"} {
		seed.Mail(source, id, time.Now(), "s", "first "+id)
	}
	renumbered, err := db.RenumberChanges(t.Context())
	require.NoError(t, err)
	require.Zero(t, renumbered, "there is nothing to do in a database that was not restored")

	seed.Exec(`alter table comments disable trigger noted`) // as a restore writes, which is before there are triggers
	seed.Exec(`update comments set changed = '9000000000000' where id in ('b', 'c')`)
	seed.Exec(`alter table comments enable trigger noted`)
	_, err = db.ChangesFrom(t.Context(), store.ChangeQuery{SourceID: source, Limit: 10})
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Equal(t, "run `starter setup`", fault.HintOf(err))

	renumbered, err = db.RenumberChanges(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, renumbered)
	f := follow(t, db, source, 2)
	require.Len(t, f.all(), 3)

	f.query.Where = "7412345678901234567.00000001.16384"
	_, err = db.ChangesFrom(t.Context(), f.query)
	require.Equal(t, fault.Conflict, fault.KindOf(err), "a place of the other cluster is refused, not taken for another one")
}
