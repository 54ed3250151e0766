package soak

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// database is a database that scripts use one after the other. Its now() stands still
// until a script moves it: the schema "virtual" is searched before PostgreSQL's own, so
// that the product's SQL is run to the letter.
type database struct {
	db   *store.Store
	pool *pgxpool.Pool
	url  string // with which a program gets the database's time, too
}

// virtualTime puts a clock in front of PostgreSQL's. Defaults of columns were bound to
// the real one when the tables were made.
const virtualTime = `
	do $$
	declare r record;
	begin
		for r in select a.attrelid::regclass as tab, a.attname as col from pg_attrdef d
			join pg_attribute a on (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
			where pg_get_expr(d.adbin, d.adrelid) = 'now()'
		loop
			execute format('alter table %s alter column %I set default virtual.now()', r.tab, r.col);
		end loop;
	end $$`

func newDatabase(t testing.TB) *database {
	t.Helper()
	return newDatabaseOn(t, standingClock)
}

// standingClock stands until it is set; runningClock runs, ahead of the real one.
const (
	standingClock = `
		create schema virtual;
		create table virtual.clock (t timestamptz not null);
		insert into virtual.clock values ('2030-03-04T09:00:00Z');
		create function virtual.now() returns timestamptz language sql stable parallel safe as 'select t from virtual.clock';
		create function virtual.clock_timestamp() returns timestamptz language sql stable parallel safe as 'select t from virtual.clock'`
	runningClock = `
		create schema virtual;
		create table virtual.clock (ahead interval not null);
		insert into virtual.clock values ('0');
		create function virtual.now() returns timestamptz language sql stable parallel safe as 'select pg_catalog.now() + ahead from virtual.clock';
		create function virtual.clock_timestamp() returns timestamptz language sql volatile parallel safe as 'select pg_catalog.clock_timestamp() + ahead from virtual.clock'`
)

func newDatabaseOn(t testing.TB, clock string) *database {
	t.Helper()
	_, raw := storetest.NewURL(t)
	conn, err := pgx.Connect(t.Context(), raw)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), clock+";"+virtualTime)
	require.NoError(t, err, "put a clock in front of PostgreSQL's")
	u, err := url.Parse(raw)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", "virtual,pg_catalog,public")
	u.RawQuery = q.Encode()

	d := &database{url: u.String()}
	d.db, err = store.Open(t.Context(), u.String(), store.Options{Keys: storetest.Keys(t), ApplicationName: "soak", MaxConns: 8})
	require.NoError(t, err)
	cfg, err := pgxpool.ParseConfig(u.String())
	require.NoError(t, err)
	cfg.MaxConns = 2
	d.pool, err = pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		d.pool.Close()
		d.db.Close()
	})
	return d
}

// empty removes everything a script left.
func (d *database) empty(ctx context.Context) {
	d.exec(ctx, `do $$
		declare list text;
		begin
			select string_agg(format('%I', tablename), ', ') into list from pg_tables
			where schemaname = 'public' and tablename not like '%migration%';
			execute 'truncate ' || list;
		end $$`)
}

// setClock sets a clock that stands.
func (d *database) setClock(ctx context.Context, t time.Time) {
	d.exec(ctx, `update virtual.clock set t = $1`, t)
}

func (d *database) exec(ctx context.Context, sql string, args ...any) int64 {
	tag, err := d.pool.Exec(ctx, sql, args...)
	must(err, sql)
	return tag.RowsAffected()
}

// rows collects the rows of a query into structs by name of column.
func rows[T any](ctx context.Context, d *database, sql string, args ...any) []T {
	found, err := d.pool.Query(ctx, sql, args...)
	must(err, sql)
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[T])
	must(err, sql)
	return out
}
