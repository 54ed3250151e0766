package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/api"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
)

// bound is what 95 of 100 queries of each kind must stay below.
const bound = 50 * time.Millisecond

// door is the API in front of a store, and a token for it.
type door struct {
	server *httptest.Server
	token  string
}

func openDoor(db *store.Store, token string) *door {
	handler := api.New(db, access.New(db), api.Options{RequestsPerSecond: 1e9, Burst: 1 << 30})
	return &door{httptest.NewServer(request.Handler(handler, func(request.Record) {})), token}
}

// answer is what a query brought.
type answer struct {
	took     time.Duration
	comments int
	next     string
}

func (d *door) ask(ctx context.Context, q query) (answer, error) {
	a, err := d.once(ctx, q.method, q.path)
	if err != nil || !q.follow || a.next == "" {
		return a, err
	}
	u, err := url.Parse(q.path)
	if err != nil {
		return a, err
	}
	values := u.Query()
	values.Set("after", a.next)
	return d.once(ctx, q.method, u.Path+"?"+values.Encode())
}

func (d *door) once(ctx context.Context, method, path string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, method, d.server.URL+path, nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	begun := time.Now()
	res, err := d.server.Client().Do(req)
	if err != nil {
		return a, err
	}
	raw, err := io.ReadAll(res.Body)
	a.took = time.Since(begun)
	_ = res.Body.Close()
	if err != nil {
		return a, err
	}
	var body struct {
		Status, Message, Continuation string
		Comments, Threads             []json.RawMessage
	}
	if err := json.Unmarshal(raw, &body); err != nil || body.Status != "ok" {
		return a, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, body.Message)
	}
	a.comments, a.next = len(body.Comments)+len(body.Threads), body.Continuation
	return a, nil
}

// measure asks queries of each kind and prints how long they took: warm, which is when they are asked a second
// time, and what the first took, for which the database may have to read its files.
func (g *ground) measure(ctx context.Context, db *store.Store) error {
	users := access.New(db)
	email := fmt.Sprintf("bench-%d@example.com", time.Now().UnixNano())
	if _, err := users.CreateUser(ctx, email, "", []store.Grant{{Permission: access.SourcesReadSensitive}}); err != nil {
		return err
	}
	token, err := users.CreateToken(ctx, email, "bench", time.Time{})
	if err != nil {
		return err
	}
	d := openDoor(db, token.Reveal())
	defer d.server.Close()
	m := &mix{random: rand.New(rand.NewPCG(7, 7)), rows: g.rows, threads: max(1, g.rows/10)} //nolint:gosec // the same every time is what is wanted
	fmt.Fprintf(g.out, "\n| query | p50 | p95 | max | first p95 | CPU | in a page | short pages |\n|---|---|---|---|---|---|---|---|\n")
	var slow []string
	var late []query // of each kind the one that 95 of 100 are faster than
	for _, k := range kinds {
		took, first := make([]measured, 0, g.times), make([]time.Duration, 0, g.times)
		found, short, before := 0, 0, time.Duration(0)
		for i := range g.times + max(1, g.times/10) {
			q := k.make(m)
			cold, err := d.ask(ctx, q)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			a, err := d.ask(ctx, q)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			if i < max(1, g.times/10) { // to be warm
				before = g.cpu()
				continue
			}
			took, first, found = append(took, measured{a.took, q}), append(first, cold.took), found+a.comments
			if a.next != "" && a.comments < 64 && !strings.HasPrefix(k.name, "threads") {
				short++
			}
		}
		slices.SortFunc(took, func(a, b measured) int { return cmp.Compare(a.took, b.took) })
		slices.Sort(first)
		p95 := took[len(took)*95/100].took
		late = append(late, took[len(took)*95/100].query)
		if p95 > bound {
			slow = append(slow, k.name)
		}
		fmt.Fprintf(g.out, "| %s | %s | %s | %s | %s | %s | %.1f | %d |\n", k.name, ms(took[len(took)/2].took), ms(p95), ms(took[len(took)-1].took),
			ms(first[len(first)*95/100]), ms((g.cpu()-before)/time.Duration(2*len(took))), float64(found)/float64(len(took)), short)
	}
	if len(slow) > 0 {
		fmt.Fprintf(g.out, "\nslower than %s: %s\n", bound, strings.Join(slow, ", "))
	} else {
		fmt.Fprintf(g.out, "\n95 of 100 queries of each kind are below %s\n", bound)
	}
	if err := g.pages(ctx, db, m); err != nil {
		return err
	}
	if !g.plans {
		return nil
	}
	return g.explain(ctx, late, token.Reveal())
}

// measured is a query and how long it took.
type measured struct {
	took  time.Duration
	query query
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// explainWarm is how often a query is asked before its plan is: PostgreSQL makes its last plan at the
// sixth time.
const explainWarm = 6

// explain prints the plans of a late query of each kind, as the server ran them.
func (g *ground) explain(ctx context.Context, late []query, token string) error {
	u, err := url.Parse(g.pg.URL())
	if err != nil {
		return err
	}
	values := u.Query()
	for name, value := range map[string]string{
		"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on",
	} {
		values.Set(name, value)
	}
	u.RawQuery = values.Encode()
	db, err := store.Open(ctx, u.String(), store.Options{MaxConns: 2})
	if err != nil {
		return err
	}
	defer db.Close()
	d := openDoor(db, token)
	defer d.server.Close()
	for i, k := range kinds {
		q := late[i]
		for range explainWarm {
			if _, err := d.ask(ctx, q); err != nil {
				return err
			}
		}
		g.log.begin()
		if _, err := d.ask(ctx, q); err != nil {
			return err
		}
		fmt.Fprintf(g.out, "\n### %s\n\n%s %s\n\n```\n%s```\n", k.name, q.method, q.path, plansIn(g.log.end()))
	}
	return nil
}

// plansIn is what the server's log says of plans, without statements: these are in package store.
func plansIn(log string) string {
	var out strings.Builder
	in := false
	for line := range strings.Lines(log) {
		switch {
		case strings.Contains(line, "LOG:  duration:"):
			in = false
			if _, after, ok := strings.Cut(line, "LOG:  "); ok {
				out.WriteString(strings.TrimSuffix(after, "  plan:\n") + "\n")
			}
		case !strings.HasPrefix(line, "\t"):
			in = false
		case strings.Contains(line, "(cost="):
			in = true
			out.WriteString(line)
		case in:
			out.WriteString(line)
		}
	}
	return out.String()
}

// recorder keeps what the server says while somebody wants to know.
type recorder struct {
	mu  sync.Mutex
	on  bool
	buf bytes.Buffer
}

// Write takes a part of the log.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on {
		r.buf.Write(p)
	}
	return len(p), nil
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = true
	r.buf.Reset()
}

// end waits until the server has been silent for a moment: its log comes through a pipe.
func (r *recorder) end() string {
	for before := -1; ; {
		time.Sleep(100 * time.Millisecond)
		r.mu.Lock()
		n := r.buf.Len()
		if n == before {
			r.on = false
			out := r.buf.String()
			r.mu.Unlock()
			return out
		}
		before = n
		r.mu.Unlock()
	}
}

// written is how many comments a batch has whose writing is measured.
const written = 5000

// write adds a batch of comments to those that are there, has the index follow, and prints how long each
// took.
func (g *ground) write(ctx context.Context, db *store.Store) error {
	run := time.Now().Format("150405")
	begun := time.Now()
	if _, err := g.sql(ctx, fmt.Sprintf(`
		with new as (
			insert into comments (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)
			select source_id, id || '%[2]s', now(), thread_id, envelope, properties, 1, text_hash, content_hash
			  from comments where source_id = '%[3]s' order by id limit %[1]d
			returning source_id, id
		)
		insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
		select r.source_id, r.comment_id || '%[2]s', 1, r.texts, r.text_hash, 1 from revisions r
		 where r.source_id = '%[3]s' and r.comment_id in (select id from comments where source_id = '%[3]s' order by id limit %[1]d)`,
		written, run, g.source)); err != nil {
		return err
	}
	g.say("a batch of %d comments and their texts written in %s", written, time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	for lag := time.Duration(1); lag > 0; {
		if _, err := db.IndexWords(ctx); err != nil {
			return err
		}
		var err error
		if lag, err = db.WordsLag(ctx, g.source); err != nil {
			return err
		}
	}
	g.say("and found %s later", time.Since(begun).Round(time.Millisecond))
	return nil
}
