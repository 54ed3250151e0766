package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func written(id, text string, n float64) store.CommentWrite {
	return store.CommentWrite{Comment: comment.Comment{
		ID: id, Timestamp: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Messages: []comment.Message{{Body: comment.Text{Text: text}}},
		Properties: comment.Properties{"number:n": n},
	}}
}

// Many write and delete the same comments at the same time, in any order: nobody fails, nobody waits in a
// circle, and what all of them are told they cost is the bill.
func TestWritersOfTheSameComments(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	source := seed.Source(seed.Project("support"), "written")
	number := rand.Uint64()
	t.Logf("seed %d", number)
	var all sync.WaitGroup
	var units, deleted atomic.Int64
	for i := range 6 {
		r := rand.New(rand.NewPCG(number, uint64(i)))
		all.Go(func() {
			for range 40 {
				ids := r.Perm(20)[:1+r.IntN(10)]
				if r.IntN(4) == 0 {
					names := make([]string, len(ids))
					for i, id := range ids {
						names[i] = fmt.Sprint("id", id)
					}
					n, err := db.DeleteComments(t.Context(), source, names)
					if err != nil {
						t.Errorf("delete: %v", err)
					}
					deleted.Add(n)
					continue
				}
				var list []store.CommentWrite
				for _, id := range ids {
					list = append(list, written(fmt.Sprint("id", id), fmt.Sprint(r.IntN(3)), float64(r.IntN(3))))
				}
				w, err := db.SyncComments(t.Context(), store.CommentBatch{SourceID: source, Comments: list})
				if err != nil {
					t.Errorf("sync: %v", err)
				}
				if got := w.New + w.Unchanged + w.PropertiesOnly + w.TextChanged; got != int64(len(list)) {
					t.Errorf("%+v is not %d", w, len(list))
				}
				units.Add(w.Units())
			}
		})
	}
	all.Wait()
	billed, err := db.Units(t.Context(), source)
	require.NoError(t, err)
	require.Equal(t, units.Load(), billed, "what the replies say is what is billed")
	require.Equal(t, []string{fmt.Sprint(deleted.Load())}, seed.Strings(`
		select (count(*) filter (where reason = 'created') - (select count(*) from comments where source_id = $1 and deleted_at is null))::text
		from ledger where source_id = $1`, source), "what was created and is not there was deleted")
	require.Empty(t, seed.Strings(`
		select comment_id || ' ' || revision from (
			select *, lag(after_hash) over (partition by comment_id order by revision) as last, row_number() over (partition by comment_id order by revision) as n
			from ledger where source_id = $1) l
		where n <> revision or reason = 'text_changed' and (before_hash is distinct from last or before_hash = after_hash)`, source))
}

// A source's comments are one hand's: an integration's, or the clients'. What a client deletes is gone for an integration
// that comes later too.
func TestWritesAndIntegrations(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	project := seed.Project("support")
	source := seed.Source(project, "written")
	const record = "02s5e00000AbCdEAAV"
	id := fmt.Sprintf("%x", record)
	_, err := db.SyncComments(t.Context(), store.CommentBatch{SourceID: source, Comments: []store.CommentWrite{written(id, "text", 1), written("0a", "text", 1)}})
	require.NoError(t, err)
	for _, object := range []string{"Case", "EmailMessage", "Task"} {
		seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id)
			values ($1, $2, $3, now(), 1, 2, '\x00', '\x00', 'live', $4)`, source, object, record, id)
	}
	n, err := db.DeleteComments(t.Context(), source, []string{id, "0a", "none"})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Empty(t, seed.Strings(`select object from records where source_id = $1`, source))

	// A tombstone that an integration left is as gone as any.
	_, err = db.SyncComments(t.Context(), store.CommentBatch{SourceID: source, Comments: []store.CommentWrite{written("0b", "text", 1)}})
	require.NoError(t, err)
	seed.Exec(`update comments set deleted_at = now(), changed = pg_current_xact_id() where id = '0b'`)
	w, err := db.SyncComments(t.Context(), store.CommentBatch{SourceID: source, Comments: []store.CommentWrite{written("0b", "text", 1)}})
	require.NoError(t, err)
	require.Equal(t, store.Written{New: 1}, w)

	seed.Integration(project, source, "prod", "idle", "", "")
	for _, err := range []error{
		func() error { _, err := db.SyncComments(t.Context(), store.CommentBatch{SourceID: source}); return err }(),
		func() error { _, err := db.DeleteComments(t.Context(), source, []string{"0a"}); return err }(),
		db.DeleteSource(t.Context(), source), db.DeleteProject(t.Context(), "support", true),
	} {
		require.Equal(t, fault.Conflict, fault.KindOf(err), err)
		require.NotEmpty(t, fault.HintOf(err))
	}
	_, err = db.SyncComments(t.Context(), store.CommentBatch{SourceID: "0000000000000000"})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}
