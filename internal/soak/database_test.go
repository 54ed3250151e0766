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
	"salesforcesync/internal/store/simtime"
	"salesforcesync/internal/store/storetest"
)

// database is a database that scripts use one after the other. Its now() stands still
// until a script moves it (package simtime), so that the product's SQL is run to the letter.
type database struct {
	db   *store.Store
	pool *pgxpool.Pool
	url  string // with which a program gets the database's time, too
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	return newDatabaseOn(t, simtime.Standing)
}

func newDatabaseOn(t testing.TB, clock simtime.Clock) *database {
	t.Helper()
	_, raw := storetest.NewURL(t)
	conn, err := pgx.Connect(t.Context(), raw)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, simtime.Install(t.Context(), conn, clock))
	u, err := url.Parse(raw)
	require.NoError(t, err)

	d := &database{url: simtime.URL(u)}
	d.db, err = store.Open(t.Context(), d.url, store.Options{Keys: storetest.Keys(t), ApplicationName: "soak", MaxConns: 8})
	require.NoError(t, err)
	cfg, err := pgxpool.ParseConfig(d.url)
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

// empty removes everything a script left. A table that has no pages has nothing in it, and
// truncating it all the same makes new files for it and for its indexes.
func (d *database) empty(ctx context.Context) {
	d.exec(ctx, `do $$
		declare list text;
		begin
			select string_agg(oid::regclass::text, ', ') into list from pg_class
			where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like '%migration%' and relname not like 'audit%' -- which refuses it
				and pg_relation_size(oid) > 0;
			execute coalesce('truncate ' || list || ' cascade', '');
		end $$`)
}

// setClock sets a clock that stands.
func (d *database) setClock(ctx context.Context, t time.Time) {
	d.exec(ctx, `update simtime.clock set t = $1`, t)
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
