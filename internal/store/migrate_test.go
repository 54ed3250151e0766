package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	neturl "net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestReadMigrations(t *testing.T) {
	t.Parallel()
	file := &fstest.MapFile{Data: []byte("select 1")}
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string // of the error
	}{
		"two in order":          {fstest.MapFS{"m/0002_more.sql": file, "m/0001_first.sql": file}, ""},
		"a gap":                 {fstest.MapFS{"m/0001_first.sql": file, "m/0003_third.sql": file}, "migration 3 follows 1"},
		"a duplicate":           {fstest.MapFS{"m/0001_first.sql": file, "m/0001_again.sql": file}, "migration 1 follows 1"},
		"the first is missing":  {fstest.MapFS{"m/0002_second.sql": file}, "migration 2 follows 0"},
		"zero":                  {fstest.MapFS{"m/0000_zero.sql": file}, "migration 0 follows 0"},
		"no number":             {fstest.MapFS{"m/first.sql": file}, `"first.sql" is not named`},
		"three digits":          {fstest.MapFS{"m/001_first.sql": file}, `"001_first.sql" is not named`},
		"capitals":              {fstest.MapFS{"m/0001_First.sql": file}, `"0001_First.sql" is not named`},
		"another ending":        {fstest.MapFS{"m/0001_first.sql.bak": file}, `"0001_first.sql.bak" is not named`},
		"runs with a later one": {fstest.MapFS{"m/0001_first.sql": &fstest.MapFile{Data: []byte("-- Runs with: 2\nselect 1")}}, "no version up to its own"},
		"no folder":             {fstest.MapFS{}, "read migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := store.ReadMigrations(c.files, "m")
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []store.Migration{{Version: 1, Name: "first", SQL: "select 1", RunsWith: 1}, {Version: 2, Name: "more", SQL: "select 1", RunsWith: 2}}, all)
		})
	}
}

func TestReleasedMigrationsAreWellFormed(t *testing.T) {
	t.Parallel()
	all, err := store.Migrations()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	version, err := store.SchemaVersion()
	require.NoError(t, err)
	require.Equal(t, all[len(all)-1].Version, version)
	for _, m := range all {
		require.Contains(t, m.SQL, "Operational cost", "migration %d says what it costs to run", m.Version)
		if m.Version >= 20 {
			require.Contains(t, m.SQL, "\n-- Runs with: ", "migration %d says which programs go on with it", m.Version)
		}
	}
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	want, err := store.SchemaVersion()
	require.NoError(t, err)
	db := open(t, storetest.Empty(t))
	from, to, err := db.Migrate(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{0, want}, []int{from, to})
	require.NoError(t, db.CheckSchema(t.Context()))
	from, to, err = db.Migrate(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{want, want}, []int{from, to})
}

func TestMigrateByTwoAtOnce(t *testing.T) {
	t.Parallel()
	want, err := store.SchemaVersion()
	require.NoError(t, err)
	url := storetest.Empty(t)
	froms := make([]int, 4)
	errs := make([]error, len(froms))
	var all sync.WaitGroup
	for i := range froms {
		db := open(t, url)
		all.Go(func() { froms[i], _, errs[i] = db.Migrate(t.Context()) })
	}
	all.Wait()
	first := 0
	for i := range froms {
		require.NoError(t, errs[i])
		if froms[i] == 0 {
			first++
		} else {
			require.Equal(t, want, froms[i])
		}
	}
	require.Equal(t, 1, first)
	require.NoError(t, open(t, url).CheckSchema(t.Context()))
}

func TestCheckSchemaNamesBothVersions(t *testing.T) {
	t.Parallel()
	want, err := store.SchemaVersion()
	require.NoError(t, err)
	url := storetest.Empty(t)
	db := open(t, url)
	refused := func(message, hint string) {
		t.Helper()
		err := db.CheckSchema(t.Context())
		requireKind(t, fault.Invalid, err)
		require.EqualError(t, err, message)
		require.Contains(t, fault.HintOf(err), hint)
	}
	run := func(sql string, args ...any) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	needs := fmt.Sprintf("this program needs version %d", want)
	newer := fmt.Sprintf("the database has schema version %d, %s", want+1, needs)
	refused("the database has schema version 0, "+needs, "run `starter setup`")
	_, _, err = db.Migrate(t.Context())
	require.NoError(t, err)
	run(`insert into schema_migrations (version, name) values ($1, 'of_the_next_release')`, want+1)
	refused(newer, "newer release")
	from, _, err := db.Migrate(t.Context())
	requireKind(t, fault.Invalid, err)
	require.EqualError(t, err, newer)
	require.Equal(t, want+1, from)
	run(`delete from schema_migrations where version > 1`)
	refused("the database has schema version 1, "+needs, "run `starter setup` of this release")
	run(`delete from schema_migrations`)
	refused("the database has schema version 0, "+needs, "run `starter setup`")
}

// While a release is rolled out, programs of the one before go on with the newer schema, as long as
// each step says that they may.
func TestCheckSchemaTakesANewerOneThatRunsWithIt(t *testing.T) {
	t.Parallel()
	want, err := store.SchemaVersion()
	require.NoError(t, err)
	url := storetest.Empty(t)
	db := open(t, url)
	_, _, err = db.Migrate(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	next := func(version, runsWith int) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `insert into schema_migrations (version, name, runs_with) values ($1, 'next', $2)`, version, runsWith)
		require.NoError(t, err)
	}
	next(want+1, want)
	require.NoError(t, db.CheckSchema(t.Context()))
	next(want+2, want-1)
	require.NoError(t, db.CheckSchema(t.Context()))
	from, to, err := db.Migrate(t.Context())
	require.NoError(t, err, "who goes back to the release before runs its setup, too")
	require.Equal(t, []int{want + 2, want + 2}, []int{from, to})
	next(want+3, want+1)
	_, _, err = db.Migrate(t.Context())
	requireKind(t, fault.Invalid, err)
	err = db.CheckSchema(t.Context())
	requireKind(t, fault.Invalid, err)
	require.ErrorContains(t, err, fmt.Sprintf("the database has schema version %d, this program needs version %d", want+3, want))
}

// Since PostgreSQL 15 only the owner of a database may make tables in it.
func TestMigrateInSomebodyElsesDatabase(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	stranger := "stranger_" + store.NewID()
	_, err = conn.Exec(t.Context(), `create role `+stranger)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := conn.Exec(ctx, `drop role `+stranger)
		require.NoError(t, errors.Join(err, conn.Close(ctx)))
	})
	as, err := neturl.Parse(url)
	require.NoError(t, err)
	q := as.Query()
	q.Set("options", "-crole="+stranger) // no blank, which is spelled + here
	as.RawQuery = q.Encode()
	_, _, err = open(t, as.String()).Migrate(t.Context())
	requireKind(t, fault.Invalid, err)
	require.Contains(t, fault.HintOf(err), "own the database")
}

// A step that needs a table which somebody uses for long does not make everybody else wait for as long:
// it gives way, and comes again.
func TestMigrateGivesWay(t *testing.T) {
	t.Parallel()
	last, err := store.SchemaVersion()
	require.NoError(t, err)
	url, run := released(t, last)
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
	// The table that each step writes to is in use.
	busy, other := connect(), connect()
	_, err = busy.Exec(t.Context(), `begin; lock table schema_migrations in row exclusive mode`)
	require.NoError(t, err)
	step := store.Migration{Version: last + 1, Name: "busy", SQL: "alter table schema_migrations add column busy int", RunsWith: last}
	done := make(chan error, 1)
	go func() { done <- open(t, url).ApplyStep(t.Context(), step) }()
	for range 3 { // each waits behind the step, until that gives way
		require.NoError(t, run(`set statement_timeout = '30s'`))
		_, err := other.Exec(t.Context(), `select count(*) from schema_migrations`)
		require.NoError(t, err)
		select {
		case err := <-done:
			require.Fail(t, "the step did not wait", "%v", err)
		default:
		}
	}
	_, err = busy.Exec(t.Context(), `commit`)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.NoError(t, run(`select busy from schema_migrations`))
}

// released is a database at an older version of the schema, as the release that needs it has made it. run
// is SQL on it.
func released(t *testing.T, version int) (url string, run func(sql string, args ...any) error) {
	t.Helper()
	url = storetest.Empty(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	run = func(sql string, args ...any) error { _, err := conn.Exec(t.Context(), sql, args...); return err }
	all, err := store.Migrations()
	require.NoError(t, err)
	require.NoError(t, run(`create table schema_migrations (version int primary key, name text not null, applied_at timestamptz not null default now())`))
	for _, m := range all[:version] {
		require.NoError(t, run(m.SQL), m.Name)
		require.NoError(t, run(`insert into schema_migrations (version, name) values ($1, $2)`, m.Version, m.Name))
	}
	return url, run
}

// The sums per day are those of the ledger that was there before there were any, unit by unit, and what
// is charged from then on is added to them.
func TestMigrateSumsUpTheLedger(t *testing.T) {
	t.Parallel()
	url, run := released(t, 9)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, run(`
		insert into projects (id, name) values ('00000000000000aa', 'support'), ('00000000000000ab', 'sales');
		insert into sources (id, project_id, name) values ('00000000000000ba', '00000000000000aa', 'mail'), ('00000000000000bb', '00000000000000ab', 'calls'),
			('00000000000000bc', '00000000000000ab', 'never-charged');
		insert into integrations (id, project_id, name, source_id, spec) values ('00000000000000ca', '00000000000000aa', 'prod', '00000000000000ba', '{}');
		insert into objects (integration_id, name, position, spec) values ('00000000000000ca', 'EmailMessage', 0, '{}'), ('00000000000000ca', 'Case', 1, '{}');
		insert into streams (id, integration_id, object, lane, part, epoch) overriding system value values
			(1, '00000000000000ca', 'EmailMessage', 'live', '', 1), (2, '00000000000000ca', 'EmailMessage', 'backfill', '7', 1),
			(3, '00000000000000ca', 'Case', 'live', '', 1), (4, '00000000000000ca', 'Case', 'resync', '', 1);
		insert into batches (stream_id, epoch, seq, state, rows, checksum, read_begin, read_end, created, unchanged, units)
			select stream, 1, 1, 'applied', 1, '\x00', 1, 2, units, 1 - units, units from (values (1, 1), (2, 1), (3, 1), (4, 0)) v (stream, units)`))

	// A few hundred units of each source, stream and day, midnight in other zones included.
	random := rand.New(rand.NewPCG(10, 9))
	day := time.Date(2026, 10, 31, 22, 0, 0, 0, time.UTC)
	place := map[int]string{0: "||api", 1: "prod|EmailMessage|live", 2: "prod|EmailMessage|backfill", 3: "prod|Case|live", 99: "prod||"}
	want := map[string]int64{}
	var rows [][]any
	for i := range 500 {
		source, stream := "00000000000000ba", []int{0, 1, 2, 3, 99}[random.IntN(5)] // stream 99 is gone
		if stream == 0 && random.IntN(2) == 0 {
			source = "00000000000000bb"
		}
		at := day.Add(time.Duration(random.IntN(5*24*60)) * time.Minute)
		reason, before := "created", []byte(nil)
		if random.IntN(3) == 0 {
			reason, before = "text_changed", []byte("b")
		}
		var of *int
		if stream != 0 {
			of = &stream
		}
		rows = append(rows, []any{source, fmt.Sprint("c", i), 1, reason, before, []byte("a"), of, at.In(time.FixedZone("", random.IntN(24)*3600-12*3600))})
		want[fmt.Sprintf("%s|%s|%s|%s", source, at.Format(time.DateOnly), place[stream], reason)]++
	}
	copied, err := conn.CopyFrom(t.Context(), pgx.Identifier{"ledger"}, []string{"source_id", "comment_id", "revision", "reason", "before_hash", "after_hash", "stream_id", "at"},
		pgx.CopyFromRows(rows))
	require.NoError(t, err)
	require.EqualValues(t, 500, copied)

	from, _, err := open(t, url).Migrate(t.Context())
	require.NoError(t, err)
	require.Equal(t, 9, from)
	require.NoError(t, open(t, url).CheckSchema(t.Context()))
	list := func(sql string) []string {
		found, err := conn.Query(t.Context(), sql)
		require.NoError(t, err)
		out, err := pgx.CollectRows(found, pgx.RowTo[string])
		require.NoError(t, err)
		return out
	}
	sums := func() map[string]int64 {
		out := map[string]int64{}
		for _, line := range list(`select concat_ws('|', source_id, day, integration, object, lane, reason, units) from ledger_days`) {
			at := strings.LastIndex(line, "|")
			n, err := strconv.ParseInt(line[at+1:], 10, 64)
			require.NoError(t, err)
			out[line[:at]] = n
		}
		return out
	}
	require.Equal(t, want, sums())
	require.Equal(t, []string{"00000000000000ba support/mail", "00000000000000bb sales/calls"},
		list(`select source_id || ' ' || project || '/' || name from ledger_sources order by 1`), "names that outlive what was billed")
	require.Equal(t, []string{"1 prod EmailMessage live ", "2 prod EmailMessage backfill 7", "3 prod Case live "},
		list(`select concat_ws(' ', stream_id, integration, object, lane, part) from ledger_streams order by 1`))

	// It goes on from there.
	require.NoError(t, run(`insert into ledger (source_id, comment_id, revision, reason, after_hash, stream_id, at)
		values ('00000000000000ba', 'next', 1, 'created', 'x', 1, '2026-11-02T23:30:00-02:00'), ('00000000000000bc', 'first', 1, 'created', 'x', null, '2026-11-02T00:00:00Z')`))
	want["00000000000000ba|2026-11-03|prod|EmailMessage|live|created"]++
	want["00000000000000bc|2026-11-02|||api|created"]++
	require.Equal(t, want, sums())
	require.ErrorContains(t, run(`delete from ledger`), "the ledger is the bill")
	usage, err := open(t, url).Usage(t.Context(), store.LedgerFilter{}, store.ByDay)
	require.NoError(t, err)
	var all int64
	for _, row := range usage {
		all += row.Units
	}
	require.EqualValues(t, 502, all)
}

// What release 0.1.0 has stored is there after the migration, and still held to its rules.
func TestMigrateFromTheFirstRelease(t *testing.T) {
	t.Parallel()
	url, run := released(t, 1)
	all, err := store.Migrations()
	require.NoError(t, err)
	require.NoError(t, run(`
		insert into projects (id, name) values ('00000000000000aa', 'support');
		insert into sources (id, project_id, name) values ('00000000000000bb', '00000000000000aa', 'mail');
		insert into integrations (id, project_id, name, source_id, spec) values ('00000000000000cc', '00000000000000aa', 'prod', '00000000000000bb', '{}');
		insert into objects (integration_id, name, position, spec) values ('00000000000000cc', 'EmailMessage', 0, '{}');
		insert into dependencies values ('00000000000000cc', 'EmailMessage', 'Parent', 'Case', now(), '');
		insert into rechecks (integration_id, object, record_id, reason) values ('00000000000000cc', 'EmailMessage', '02sdM00000abcdEQAQ', 'late');
		insert into streams (integration_id, object, lane, epoch, seq) values ('00000000000000cc', 'EmailMessage', 'live', 1, 1);
		insert into batches (stream_id, epoch, seq, state, rows, checksum, read_begin, read_end, created, unchanged, units)
			values ((select id from streams), 1, 1, 'applied', 3, '\x00', 1, 2, 2, 1, 2)`))
	from, to, err := open(t, url).Migrate(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, from)
	require.Equal(t, len(all), to)
	require.NoError(t, open(t, url).CheckSchema(t.Context()))
	require.NoError(t, run(`update batches set unchanged = 0, filtered = 1`))
	require.ErrorContains(t, run(`update batches set filtered = 2`), "batches_rows_add_up")
	require.ErrorContains(t, run(`update batches set units = 1`), "violates check constraint", "the bill is the counts, as before")
}

func TestMigrateThatFailsLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `create table ledger (what text)`) // in the way of the first migration
	require.NoError(t, err)
	db := open(t, url)
	_, _, err = db.Migrate(t.Context())
	require.ErrorContains(t, err, "migration 0001_foundation")
	var tables int
	require.NoError(t, conn.QueryRow(t.Context(), `select count(*) from information_schema.tables where table_schema = 'public'`).Scan(&tables))
	require.Equal(t, 2, tables, "the table in the way and schema_migrations")
	_, err = conn.Exec(t.Context(), `drop table ledger`)
	require.NoError(t, err)
	_, _, err = db.Migrate(t.Context())
	require.NoError(t, err, "the lock was given back")
}
