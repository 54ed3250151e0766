package chaos

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
)

// TestChaos kills everything once and breaks every way once, with a seed that is always the same, goes on with one that
// nobody has had, and reckons. Then what must be caught is done behind the product's back, and is caught.
func TestChaos(t *testing.T) {
	var said bytes.Buffer
	r, err := New(t.Context(), Options{Seed: 8, Rate: 6, Lanes: 4, Shortest: 200 * time.Millisecond, Longest: 4 * time.Second, Pause: 800 * time.Millisecond,
		Dir: t.TempDir(), Temporal: os.Getenv("TEST_TEMPORAL_BIN"), MailDir: os.Getenv("MAIL_DIR"), Out: &said})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said.String())
			r.logs(t)
		}
	})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	stop := r.guard(t.Context())
	r.unleash(t.Context(), 22*time.Second)
	for n := 0; n < 20 && len(r.spared()) > 0; n++ { // where everything takes longer
		r.unleash(t.Context(), 3*time.Second)
	}
	r.reseed(rand.Uint64N(1_000_000))
	r.unleash(t.Context(), 10*time.Second)
	r.last, err = r.reckoning(t.Context())
	stop()
	require.NoError(t, err)
	require.NoError(t, r.finish(t.Context()))

	var report bytes.Buffer
	r.Report(&report)
	t.Logf("seeds 8 and %d\n%s", r.o.Seed, report.String())
	require.True(t, r.OK(), report.String())
	require.Contains(t, report.String(), "Every promise was kept.")
	require.Empty(t, r.spared())
	require.Positive(t, r.claimed, "nothing was said to be complete up to any moment")
	require.Greater(t, r.last.comments, 500)
	t.Run("what must be caught is caught", r.mustCatch)
}

// spared are the processes that were not killed yet, and the ways that were not broken.
func (r *Run) spared() (names []string) {
	hit := map[string]bool{}
	for _, e := range r.deck.events {
		hit[e.what+" "+e.target] = true
	}
	for _, m := range r.stack.members {
		if what := killed + " " + m.name; !hit[what] {
			names = append(names, what)
		}
	}
	for _, w := range r.stack.ways {
		if what := "partition of " + w.Name(); !hit[what] {
			names = append(names, what)
		}
	}
	return names
}

// logs shows the end of each log of a run that failed.
func (r *Run) logs(t *testing.T) {
	if r == nil {
		return
	}
	for _, m := range r.stack.members {
		t.Logf("%s, last words:\n%s", m.name, m.process().Tail(15))
	}
}

// mustCatch does what the product must never do, one after the other.
func (r *Run) mustCatch(t *testing.T) {
	for _, m := range r.stack.workers { // which would repair some of it
		require.NoError(t, m.end().Kill())
	}
	north := r.tenants[0]
	do := func(format string, args ...any) {
		t.Helper()
		_, err := r.sql(t.Context(), fmt.Sprintf(format, args...))
		require.NoError(t, err)
	}
	compare := func() findings {
		t.Helper()
		f, err := r.compare(t.Context())
		require.NoError(t, err)
		return f
	}
	require.Empty(t, compare().list)
	comments := `select id from comments where source_id = '` + north.sourceID + `' and deleted_at is null order by id`

	do(`update revisions set texts = jsonb_set(texts, '{0,body}', '"another body"') where (comment_id, source_id, revision) =
		(select id, source_id, revision from comments where id in (%s limit 1) and source_id = '%s')`, comments, north.sourceID)
	f := compare()
	require.Len(t, f.list, 1)
	require.Contains(t, f.of("wrong")[0], "another body")

	do(`update comments set properties = jsonb_set(properties, '{string:Read}', '"9"'), changed = pg_current_xact_id() where source_id = '%s' and id in (%s offset 1 limit 1)`, north.sourceID, comments)
	require.Len(t, compare().of("wrong"), 2)

	do(`insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash)
		select source_id, id, revision + 1, 'text_changed', text_hash, text_hash from comments where source_id = '%s' and id in (%s offset 2 limit 1)`, north.sourceID, comments)
	f = compare()
	require.Len(t, f.of("units"), 2, "the unit, and what is said of the sum")
	require.Contains(t, strings.Join(f.of("units"), "\n"), "its text has cost a unit before")

	lost := r.settled(t, north)
	do(`delete from comments where source_id = '%s' and id = '%s'`, north.sourceID, lost)
	f = compare()
	require.Len(t, f.of("missing"), 1)
	require.Contains(t, f.of("missing")[0], lost)
	require.NoError(t, r.claims(t.Context()))
	require.Positive(t, r.counts["complete up to"], "it is said to be complete, and one is missing")

	rows, err := r.stack.rows(t.Context(), north.org, expect.NoteObject)
	require.NoError(t, err)
	note := slices.IndexFunc(rows, func(row simforce.Row) bool { return row["IsDeleted"] != true })
	require.GreaterOrEqual(t, note, 0)
	require.NoError(t, r.stack.control(t.Context(), http.MethodDelete, "records/"+expect.NoteObject+"/"+expect.Text(rows[note], "Id"), nil, nil))
	require.Len(t, compare().of("extra"), 1)

	secrets, _ := r.canary.total()
	require.Zero(t, secrets)
	do(`update projects set description = '%s'`, r.stack.secret.consumer)
	log, err := os.OpenFile(r.stack.logPath("worker 1"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(log, "text %s, token 5Aep861abc\n", marker)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.NoError(t, r.search(t.Context()))
	secrets, where := r.canary.total()
	require.Equal(t, 3, secrets, "%v", where) // of two projects, and a token
	require.Equal(t, 1, r.counts["bodies"])

	north.reader = r.token // who may read everything
	require.NoError(t, r.strangers(t.Context()))
	require.Equal(t, 2, r.counts["isolation"])
	require.False(t, r.OK())
}

// settled is a comment of a record that is in what is said to be complete.
func (r *Run) settled(t *testing.T, of *tenant) string {
	t.Helper()
	base, err := r.straight(t.Context())
	require.NoError(t, err)
	var says integration
	require.NoError(t, r.read(t.Context(), base, "/api/v1/integrations/"+of.name(), r.token, &says))
	for _, o := range says.Objects {
		if o.CompleteTo == nil {
			continue
		}
		known := r.model.quiet(of, time.Now(), *o.CompleteTo)
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(known))) { // the first ones have had their turn
			if rec := known[id]; rec.object == o.Object && !rec.deleted {
				return id
			}
		}
	}
	require.Fail(t, "nothing is said to be complete")
	return ""
}
