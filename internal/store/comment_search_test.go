package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	lexicon "salesforcesync/internal/words"
)

// searched is a source that is searched.
type searched struct {
	t      *testing.T
	db     *store.Store
	seed   *storetest.Seed
	source *store.Source
}

func newSearched(t *testing.T) *searched {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	id := seed.Source(seed.Project("support"), "emails")
	source, err := db.SourceByID(t.Context(), id)
	require.NoError(t, err)
	return &searched{t, db, seed, source}
}

// index has the index of words follow until it has everything: transactions of other tests on the server
// may hold it up.
func (s *searched) index() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		_, err := s.db.IndexWords(s.t.Context())
		require.NoError(s.t, err)
		lag, err := s.db.WordsLag(s.t.Context(), s.source.ID)
		require.NoError(s.t, err)
		return lag == 0
	}, time.Minute, 20*time.Millisecond)
}

func (s *searched) count() int64 {
	s.t.Helper()
	n, err := s.db.CountComments(s.t.Context(), s.source.ID, nil, nil)
	require.NoError(s.t, err)
	return n
}

func (s *searched) indexed() (n int) {
	s.t.Helper()
	s.seed.Row(`select count(*) from comment_words where source_id = $1`, s.source.ID).Scan(&n)
	return n
}

func query(t *testing.T, text string) lexicon.Query {
	t.Helper()
	q, err := lexicon.ParseQuery(text)
	require.NoError(t, err)
	return q
}

// traced keeps the statements of one page.
type traced struct {
	mu         sync.Mutex
	statements []pgx.TraceQueryStartData
}

func (l *traced) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statements = append(l.statements, data)
	return ctx
}

func (l *traced) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// plan is a node of EXPLAIN.
type plan struct {
	Type  string `json:"Node Type"`
	Index string `json:"Index Name"`
	Hit   int64  `json:"Shared Hit Blocks"`
	Read  int64  `json:"Shared Read Blocks"`
	Plans []plan
}

func (p plan) nodes() []string {
	out := []string{p.Type + " " + p.Index}
	for _, child := range p.Plans {
		out = append(out, child.nodes()...)
	}
	return out
}

// Whatever is looked for, one page of it reads a bounded part of the tables, by their indexes.
func TestAPageReadsABoundedPart(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	const n, perThread = 50_000, 10
	// One word is in all of them, others in every 10th, 100th, 1000th, 10,000th; one is in each that is older than the newest half.
	s.fill(n, func(i int) comment.Comment {
		text := "all"
		for _, every := range []int{10, 100, 1000, 10_000} {
			if i%every == every/2 {
				text += fmt.Sprintf(" every%d", every)
			}
		}
		if i < n/2 {
			text += " old"
		}
		return comment.Comment{
			ID: fmt.Sprintf("%06x", i), Timestamp: noon.Add(time.Duration(i) * 20 * time.Minute), ThreadID: fmt.Sprint(i / perThread),
			Messages:   []comment.Message{{Body: comment.Text{Text: text}}},
			Properties: comment.Properties{"string:Number": fmt.Sprint(i), "number:Priority": float64(i % 5)},
		}
	})
	trace := &traced{}
	require.NoError(t, s.db.Trace(t.Context(), trace))
	const limit = 64
	for name, c := range map[string]struct {
		filter lexicon.Filter
		want   int // comments on the page
		most   int64
		uses   string
	}{
		"nothing":                       {lexicon.Filter{}, limit, 500, "Index Scan comments_by_time"},
		"a number":                      {lexicon.Filter{Properties: []string{"string:Number=777"}}, 1, 100, "Bitmap Index Scan comment_words_words"},
		"a priority":                    {lexicon.Filter{Properties: []string{"number:Priority=3"}}, limit, 4000, "Index Scan comments_by_time"},
		"everywhere":                    {lexicon.Filter{Query: query(t, "all")}, limit, 2000, "Index Scan comments_by_time"},
		"in one of 10":                  {lexicon.Filter{Query: query(t, "every10")}, limit, 8000, "Index Scan comments_by_time"},
		"in one of 100":                 {lexicon.Filter{Query: query(t, "every100")}, limit, 3000, "Bitmap Index Scan comment_words_words"},
		"in one of 1000":                {lexicon.Filter{Query: query(t, "every1000")}, n / 1000, 1500, "Bitmap Index Scan comment_words_words"},
		"in few":                        {lexicon.Filter{Query: query(t, "every10000")}, n / 10_000, 300, "Bitmap Index Scan comment_words_words"},
		"nowhere":                       {lexicon.Filter{Query: query(t, "never")}, 0, 100, "Bitmap Index Scan comment_words_words"},
		"long ago":                      {lexicon.Filter{Query: query(t, "old")}, 0, 25_000, "Index Scan comments_by_time"},
		"a thread":                      {lexicon.Filter{ThreadID: "42"}, perThread, 200, "Index Scan comments_by_thread"},
		"in a thread":                   {lexicon.Filter{ThreadID: "42", Query: query(t, "all")}, perThread, 300, "Bitmap Index Scan comment_words_words"},
		"words and numbers":             {lexicon.Filter{Query: query(t, "every100 -old"), Properties: []string{"number:Priority=0"}}, limit, 3000, "Bitmap Index Scan comment_words_words"},
		"a phrase that few of many are": {lexicon.Filter{Query: query(t, `"every10 all"`)}, 0, 25_000, "Index Scan comments_by_time"},
	} {
		trace.statements = nil
		page, next, err := s.db.SearchComments(t.Context(), store.CommentSearch{
			CommentQuery: store.CommentQuery{SourceID: s.source.ID, Limit: limit, Descending: true}, Number: s.source.Number, Filter: c.filter})
		require.NoError(t, err, name)
		require.Len(t, page, c.want, name)
		if c.want == 0 && name != "nowhere" {
			require.NotNil(t, next, "%s: it goes on", name)
		}
		blocks, nodes := s.explain(trace.statements)
		require.Less(t, blocks, c.most, "%s: %q", name, nodes)
		require.Contains(t, nodes, c.uses, name)
		for _, node := range nodes {
			require.NotContains(t, node, "Seq Scan", name)
		}
	}
	trace.statements = nil
	threads, next, err := s.db.Threads(t.Context(), s.source.ID, nil, 8)
	require.NoError(t, err)
	require.NotNil(t, next)
	require.Len(t, threads, 8)
	blocks, nodes := s.explain(trace.statements)
	require.Less(t, blocks, int64(3000), nodes)

	trace.statements = nil
	require.EqualValues(t, n, s.count())
	blocks, _ = s.explain(trace.statements)
	require.Less(t, blocks, int64(50))
}

// What is far away is looked for at all times at once when three stretches were empty; when it turns out to be more than a page may
// look at, this is not asked again after each stretch.
func TestAllTimesAreAskedForOnce(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	// One comment a month without the word, which many have that are older.
	const old, months, limit = 6000, 8, 20
	s.fill(old+months, func(i int) comment.Comment {
		c := comment.Comment{ID: fmt.Sprintf("%06x", i), Timestamp: noon.Add(time.Duration(i) * 20 * time.Minute), Messages: []comment.Message{{Body: comment.Text{Text: "old"}}}}
		if i >= old {
			c.Timestamp, c.Messages[0].Body.Text = noon.AddDate(1, i-old, 0), "new"
		}
		return c
	})
	s.seed.Exec(`update comment_counts set comments = comments * 100`) // as if it were rare
	trace := &traced{}
	require.NoError(t, s.db.Trace(t.Context(), trace))
	page, next, err := s.db.SearchComments(t.Context(), store.CommentSearch{
		CommentQuery: store.CommentQuery{SourceID: s.source.ID, Limit: limit, Descending: true}, Number: s.source.Number, Filter: lexicon.Filter{Query: query(t, "old")}})
	require.NoError(t, err)
	require.NotNil(t, next)
	require.Len(t, page, limit, "the newest that have the word")
	require.Equal(t, fmt.Sprintf("%06x", old-1), page[0].ID)
	stretches, all := 0, 0
	for _, st := range trace.statements {
		switch {
		case !strings.Contains(st.SQL, "from comment_words where words @@ @lookup") && !strings.Contains(st.SQL, "from comment_words where words @@ $"):
		case strings.HasPrefix(st.SQL, "explain"):
		case strings.Contains(st.SQL, "and words @@"):
			stretches++
		default:
			all++
		}
	}
	require.Greater(t, stretches, months)
	require.Equal(t, 1, all)
}

// fill adds n comments with their words the short way, and what the planner knows of them.
func (s *searched) fill(n int, make func(i int) comment.Comment) {
	s.t.Helper()
	const batch = 10_000
	for first := 0; first < n; first += batch {
		var ids, threads, properties, texts, lexemes []string
		var times []time.Time
		for i := first; i < min(n, first+batch); i++ {
			c := make(i)
			p, err := json.Marshal(c.Properties)
			require.NoError(s.t, err)
			text, err := json.Marshal(c.Texts())
			require.NoError(s.t, err)
			ids, threads, properties, texts, times = append(ids, c.ID), append(threads, c.ThreadID), append(properties, string(p)), append(texts, string(text)), append(times, c.Timestamp)
			lexemes = append(lexemes, lexicon.Lexemes(s.source.Number, &c))
		}
		s.seed.Exec(`insert into comments (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)
			select $1, id, ts, thread, '[{}]', properties::jsonb, 1, '', '' from unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[]) as t (id, ts, thread, properties)`,
			s.source.ID, ids, times, threads, properties)
		s.seed.Exec(`insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
			select $1, id, 1, texts::jsonb, '', 1 from unnest($2::text[], $3::text[]) as t (id, texts)`, s.source.ID, ids, texts)
		s.seed.Exec(`insert into comment_words (source_id, comment_id, ts, words)
			select $1, id, ts, words::tsvector from unnest($2::text[], $3::timestamptz[], $4::text[]) as t (id, ts, words)`, s.source.ID, ids, times, lexemes)
	}
	s.seed.Exec(`vacuum (analyze) comments`)
	s.seed.Exec(`vacuum (analyze) revisions`)
	s.seed.Exec(`vacuum (analyze) comment_words`)
}

// explain runs the statements of a page once more and sums up the blocks they read.
func (s *searched) explain(statements []pgx.TraceQueryStartData) (blocks int64, nodes []string) {
	s.t.Helper()
	tx := s.seed.Begin()
	for _, st := range statements {
		sql := strings.TrimSpace(st.SQL)
		if strings.HasPrefix(sql, "set local") {
			_, err := tx.Exec(s.t.Context(), sql)
			require.NoError(s.t, err)
		}
		if !strings.HasPrefix(sql, "select") {
			continue
		}
		var plans []struct{ Plan plan }
		require.NoError(s.t, tx.QueryRow(s.t.Context(), `explain (analyze, buffers, timing off, format json) `+sql, st.Args...).Scan(&plans), sql)
		blocks += plans[0].Plan.Hit + plans[0].Plan.Read
		nodes = append(nodes, plans[0].Plan.nodes()...)
	}
	require.NoError(s.t, tx.Rollback(s.t.Context()))
	return blocks, nodes
}

// Random comments come, change and go; searches and counts say what a plain look at all of them says.
func TestSearchesSayWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	random := rand.New(rand.NewPCG(3, 4))
	vocabulary := []string{"a", "b", "c", "d", "e", "f"}
	model, known := map[string]comment.Comment{}, map[string]bool{}
	change := func() {
		id := fmt.Sprintf("%02d", random.IntN(60))
		old, there := model[id]
		switch {
		case there && random.IntN(3) == 0:
			s.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = $1`, id)
			delete(model, id)
		case there:
			old.Properties = comment.Properties{"number:P": float64(random.IntN(3))}
			s.seed.Exec(`update comments set changed = pg_current_xact_id(), properties = jsonb_build_object('number:P', $2::float8) where id = $1`, id, old.Properties["number:P"])
			model[id] = old
		default:
			var text []string
			for range 1 + random.IntN(6) {
				text = append(text, vocabulary[random.IntN(len(vocabulary))])
			}
			c := comment.Comment{ID: id, Timestamp: noon.Add(time.Duration(random.IntN(90)) * 24 * time.Hour), ThreadID: fmt.Sprint(random.IntN(5)),
				Messages: []comment.Message{{Body: comment.Text{Text: strings.Join(text, " ")}}}, Properties: comment.Properties{"number:P": float64(random.IntN(3))}}
			if known[id] { // a tombstone
				s.seed.Exec(`update revisions set texts = jsonb_build_array(jsonb_build_object('body', $2::text)) where comment_id = $1`, id, strings.Join(text, " "))
				s.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = null, ts = $2, thread_id = $3, properties = jsonb_build_object('number:P', $4::float8) where id = $1`,
					id, c.Timestamp, c.ThreadID, c.Properties["number:P"])
			} else {
				s.seed.Comment(s.source.ID, c)
			}
			model[id], known[id] = c, true
		}
	}
	for round := range 12 {
		for range 15 {
			change()
		}
		require.EqualValues(t, len(model), s.count())
		if round%2 == 0 {
			s.index()
		}
		for _, text := range []string{"a", "a b", `"a b"`, "a -b", "a OR b -c", `f "c d"`} {
			f := lexicon.Filter{Query: query(t, text)}
			if random.IntN(3) == 0 {
				f.Properties = []string{"number:P=1"}
			}
			if random.IntN(3) == 0 {
				f.ThreadID = "2"
			}
			q := store.CommentSearch{CommentQuery: store.CommentQuery{SourceID: s.source.ID, Limit: 1 + random.IntN(9), Descending: random.IntN(2) == 0}, Number: s.source.Number, Filter: f}
			var want []string
			for _, c := range model {
				if f.Matches(&c) {
					want = append(want, c.Timestamp.Format(time.RFC3339)+" "+c.ID)
				}
			}
			slices.Sort(want)
			if q.Descending {
				slices.Reverse(want)
			}
			var got []string
			for pages := 0; pages < 100; pages++ {
				page, next, err := s.db.SearchComments(t.Context(), q)
				require.NoError(t, err)
				for _, c := range page {
					got = append(got, c.Timestamp.Format(time.RFC3339)+" "+c.ID)
				}
				if q.After = next; next == nil {
					break
				}
			}
			require.Nil(t, q.After)
			if round%2 == 0 {
				require.Equal(t, want, got, "%s %+v", text, f)
			} else {
				require.Subset(t, want, got, "%s: what is not indexed yet may be missing, what is found is true", text)
			}
		}
	}
}

func TestTheIndexFollows(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	s.seed.Mail(s.source.ID, "0a", noon, "s", "first")
	s.index()
	require.Equal(t, 1, s.indexed())

	// What an open transaction may still change is not passed over, whatever commits before it.
	tx := s.seed.Begin()
	_, err := tx.Exec(t.Context(), `update comments set changed = pg_current_xact_id(), properties = '{"string:K": "v"}' where id = '0a'`)
	require.NoError(t, err)
	s.seed.Mail(s.source.ID, "0b", noon, "s", "second")
	waiting, err := s.db.IndexWords(t.Context())
	require.NoError(t, err)
	require.True(t, waiting, "there is more behind the open transaction")
	require.Equal(t, 1, s.indexed())
	lag, err := s.db.WordsLag(t.Context(), "")
	require.NoError(t, err)
	require.Positive(t, lag)
	require.NoError(t, tx.Commit(t.Context()))
	var all sync.WaitGroup
	for range 4 { // several processes follow at once
		all.Go(func() {
			_, err := s.db.IndexWords(t.Context())
			require.NoError(t, err)
		})
	}
	all.Wait()
	s.index()
	require.Equal(t, 2, s.indexed())
	found, _, err := s.db.SearchComments(t.Context(), store.CommentSearch{
		CommentQuery: store.CommentQuery{SourceID: s.source.ID, Limit: 9}, Number: s.source.Number, Filter: lexicon.Filter{Properties: []string{"string:K=v"}}})
	require.NoError(t, err)
	require.Len(t, found, 1)

	// What is erased is out of it at once, although nobody follows.
	s.seed.Exec(`update comments set changed = pg_current_xact_id(), erased = true, deleted_at = now(), envelope = '[]' where id = '0a'`)
	require.Equal(t, 1, s.indexed())
	s.index()
	require.Equal(t, 1, s.indexed())
	require.EqualValues(t, 1, s.count())

	// In another life of the database transactions have other numbers: it begins anew.
	s.seed.Exec(`update word_cursors set life = 'another', changed = '9000000000000000000'`)
	s.seed.Mail(s.source.ID, "0c", noon, "s", "restored")
	s.index()
	require.Equal(t, 2, s.indexed())

	// While a load writes, the index waits.
	project := s.seed.Project("other")
	integration := s.seed.Integration(project, s.source.ID, "prod", "idle", "", "")
	s.seed.Exec(`insert into streams (integration_id, object, lane, epoch, applied_at) values ($1, 'EmailMessage', 'backfill', 1, now())`, integration)
	s.seed.Mail(s.source.ID, "0d", noon, "s", "third")
	_, err = s.db.IndexWords(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, s.indexed())
	s.seed.Exec(`update streams set applied_at = now() - interval '1 minute'`)
	s.index()
	require.Equal(t, 3, s.indexed())
}

func TestCountsAreAddedUp(t *testing.T) {
	t.Parallel()
	s := newSearched(t)
	for i := range 150 {
		s.seed.Exec(`insert into comments (source_id, id, ts, envelope, revision, text_hash, content_hash) values ($1, $2, now(), '[]', 1, '', '')`, s.source.ID, fmt.Sprint(i))
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			require.NoError(t, s.db.CompactCounts(t.Context()))
			s.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = $1`, fmt.Sprint(i))
		})
	}
	all.Wait()
	require.EqualValues(t, 146, s.count())
	var rows int
	s.seed.Row(`select count(*) from comment_counts where source_id = $1`, s.source.ID).Scan(&rows)
	require.Less(t, rows, 10)
	s.seed.Exec(`delete from sources`)
	s.seed.Row(`select count(*) from comment_counts`).Scan(&rows)
	require.Zero(t, rows)
}
