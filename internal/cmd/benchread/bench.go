package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/store"
)

// serverSettings are what an operator would set on a machine with 16 GB or more who has read a page on it.
var serverSettings = []string{
	"shared_buffers=3GB", "effective_cache_size=12GB", "work_mem=32MB", "maintenance_work_mem=2GB", "random_page_cost=1.1",
	"max_wal_size=4GB", "checkpoint_timeout=30min", "wal_level=minimal", "max_wal_senders=0", "max_parallel_maintenance_workers=1",
}

// ground is what the bench stands on.
type ground struct {
	options
	pg     *devstack.Postgres
	log    *recorder
	out    io.Writer
	begun  time.Time
	source string
	number int
	ran    map[string]int64 // nanoseconds on a processor, of each process of the server
}

func (g *ground) say(format string, args ...any) {
	fmt.Fprintf(g.out, "%6.1fs  %s\n", time.Since(g.begun).Seconds(), fmt.Sprintf(format, args...))
}

// bench does it all.
func bench(ctx context.Context, tools *devstack.Tools, o options, out io.Writer) (err error) {
	g := &ground{options: o, out: out, begun: time.Now(), log: &recorder{}}
	tools.Say = g.say
	folder := o.dir
	if folder == "" {
		folder = tools.Dev("bench-read")
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	lock, err := devstack.TryLock(folder + ".lock")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	full := filepath.Join(folder, "filled-"+strconv.Itoa(o.rows))
	_, missing := os.Stat(full)
	if missing != nil {
		if err := os.RemoveAll(folder); err != nil { // of a run that was killed, or another size
			return err
		}
	}
	dir := filepath.Join(folder, "postgres")
	install, err := tools.PostgresFor(ctx, dir)
	if err != nil {
		return err
	}
	g.pg, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{Install: install, Dir: dir, Durable: true, Settings: serverSettings, Log: g.log})
	if err != nil {
		return err
	}
	defer func() {
		if _, missing := os.Stat(full); o.keep && missing == nil { // also when measuring it has failed
			err = errors.Join(err, g.pg.Stop())
			return
		}
		err = errors.Join(err, g.pg.Remove(), os.RemoveAll(folder))
	}()
	db, err := store.Open(ctx, g.pg.URL(), store.Options{MaxConns: 4})
	if err != nil {
		return err
	}
	defer db.Close()
	if missing == nil { // a newer release may have more tables
		if _, _, err := db.Migrate(ctx); err != nil {
			return err
		}
	}
	if missing != nil {
		if err := g.fill(ctx, db); err != nil {
			return err
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			return err
		}
	}
	source, err := db.SourceByName(ctx, "support", "emails")
	if err != nil {
		return err
	}
	g.source, g.number = source.ID, source.Number
	if err := g.sizes(ctx); err != nil {
		return err
	}
	if err := g.measure(ctx, db); err != nil {
		return err
	}
	return g.write(ctx, db)
}

// sql runs commands of psql.
func (g *ground) sql(ctx context.Context, commands ...string) (string, error) {
	return g.pg.Psql(ctx, "", commands...)
}

// tables are those that a comment has rows in.
const tables = `'comments', 'revisions', 'comment_words'`

// fill makes the schema and the comments. Indexes are made afterwards, which is many times as fast.
func (g *ground) fill(ctx context.Context, db *store.Store) error {
	g.say("making %d comments", g.rows)
	if _, _, err := db.Migrate(ctx); err != nil {
		return err
	}
	g.source = store.NewID()
	project := store.NewID()
	number, err := g.sql(ctx, `insert into projects (id, name) values ('`+project+`', 'support')`,
		`insert into sources (id, project_id, name) values ('`+g.source+`', '`+project+`', 'emails') returning number`)
	if err != nil {
		return err
	}
	if g.number, err = strconv.Atoi(number); err != nil {
		return err
	}
	// The index of words is where its cursor says it is, and the cursor is the product's to make.
	if _, err := g.sql(ctx, `insert into comments (source_id, id, ts, envelope, revision, text_hash, content_hash) values ('`+g.source+`', 'first', '2019-12-31', '[{}]', 1, '', '')`,
		`insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version) values ('`+g.source+`', 'first', 1, '[{"body": "first"}]', '', 1)`); err != nil {
		return err
	}
	if _, err := db.IndexWords(ctx); err != nil {
		return err
	}
	indexes, err := g.sql(ctx, `select indexdef from pg_indexes i where tablename in (`+tables+`)
		and not exists (select from pg_constraint c where c.conname = i.indexname) order by 1`)
	if err != nil {
		return err
	}
	if _, err := g.sql(ctx, `do $$ declare name text; begin
		for name in select indexname from pg_indexes i where tablename in (`+tables+`) and not exists (select from pg_constraint c where c.conname = i.indexname)
		loop execute 'drop index ' || name; end loop; end $$`); err != nil {
		return err
	}
	if err := g.copy(ctx); err != nil {
		return err
	}
	g.say("copied; making the indexes")
	for _, index := range strings.Split(indexes, "\n") {
		begun := time.Now()
		if _, err := g.sql(ctx, index); err != nil {
			return err
		}
		g.say("%s: %s", strings.Fields(index)[2], time.Since(begun).Round(100*time.Millisecond))
	}
	_, err = g.sql(ctx, `insert into comment_counts values ('`+g.source+`', `+strconv.Itoa(g.rows)+`)`,
		`update word_cursors set (changed, id) = (select changed, id from comments order by changed desc, id desc limit 1)`,
		`vacuum (analyze) comments`, `vacuum (analyze) revisions`, `vacuum (analyze) comment_words`, `checkpoint`)
	g.say("vacuumed and analyzed")
	return err
}

// copyBytes is how much goes to the server at a time.
const copyBytes = 4 << 20

// copy streams the rows into the three tables side by side. The triggers are off: they count what
// is known here.
func (g *ground) copy(ctx context.Context) error {
	var pipes [3]io.WriteCloser
	var commands [3]*exec.Cmd
	for i, into := range []string{
		`comments (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)`,
		`revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)`,
		`comment_words (source_id, comment_id, ts, words)`,
	} {
		cmd, err := g.pg.PsqlCommand(ctx, "", `set session_replication_role = replica; copy `+into+` from stdin`)
		if err != nil {
			return err
		}
		cmd.Stderr = os.Stderr
		if pipes[i], err = cmd.StdinPipe(); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		commands[i] = cmd
	}
	err := g.stream(pipes)
	for i := range commands {
		err = errors.Join(err, pipes[i].Close(), commands[i].Wait())
	}
	return err
}

// stream writes all comments' rows, to each table from a goroutine of its own.
func (g *ground) stream(pipes [3]io.WriteCloser) error {
	var queues [3]chan []byte
	ended := make(chan error, len(queues))
	for i := range queues {
		queues[i] = make(chan []byte, 2)
		go func() {
			var err error
			for block := range queues[i] {
				if err == nil {
					_, err = pipes[i].Write(block)
				}
			}
			ended <- err
		}()
	}
	made := newGenerator(g.rows)
	var rows rowsOf
	var err error
	flush := func() {
		for i, block := range [][]byte{rows.comments, rows.revisions, rows.words} {
			queues[i] <- block
		}
		rows = rowsOf{}
	}
	for range g.rows {
		c := made.next()
		if err = rows.add(g.source, g.number, &c); err != nil {
			break
		}
		if len(rows.comments) > copyBytes {
			flush()
		}
		if made.made%1_000_000 == 0 {
			g.say("%d million", made.made/1_000_000)
		}
	}
	flush()
	for _, q := range queues {
		close(q)
	}
	for range queues {
		err = errors.Join(err, <-ended)
	}
	return err
}

// sizes prints what the tables and their indexes take.
func (g *ground) sizes(ctx context.Context) error {
	out, err := g.sql(ctx, `select relname || ' ' || pg_size_pretty(pg_table_size(oid)) from pg_class
		where relname in (`+tables+`) or oid in (select indexrelid from pg_index where indrelid::regclass::text in (`+tables+`)) order by 1`)
	g.say("on disk:\n%s", out)
	return err
}
