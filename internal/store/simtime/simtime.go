// Package simtime gives simulations a database whose time they move by hand: hours of
// intervals, tails and expiries pass in the moment it takes to set them. It is not
// shipped; the product's SQL runs on it to the letter.
//
// It makes a database of its own, named …_test_<random>, on a server that it is told, and
// touches no other.
package simtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Database is a migrated database whose now() stands still until Set moves it.
type Database struct {
	*store.Store
	server, name string
	clock        *pgx.Conn
}

// Clock is the SQL of a clock that takes the place of PostgreSQL's own.
type Clock string

// Standing stands until its row in simtime.clock (t) is set; Running runs beside the real
// clock, ahead of it by simtime.clock (ahead).
const (
	Standing Clock = `
		create schema simtime;
		create table simtime.clock (t timestamptz not null);
		insert into simtime.clock values ('2000-01-01T00:00:00Z');
		create function simtime.now() returns timestamptz language sql stable parallel safe as 'select t from simtime.clock';
		create function simtime.clock_timestamp() returns timestamptz language sql stable parallel safe as 'select t from simtime.clock';`
	Running Clock = `
		create schema simtime;
		create table simtime.clock (ahead interval not null);
		insert into simtime.clock values ('0');
		create function simtime.now() returns timestamptz language sql stable parallel safe as 'select pg_catalog.now() + ahead from simtime.clock';
		create function simtime.clock_timestamp() returns timestamptz language sql volatile parallel safe as 'select pg_catalog.clock_timestamp() + ahead from simtime.clock';`
)

// defaults of columns were bound to the real now() when the tables were made.
const defaults = `
	do $$
	declare r record;
	begin
		for r in select a.attrelid::regclass as tab, a.attname as col from pg_attrdef d
			join pg_attribute a on (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
			where pg_get_expr(d.adbin, d.adrelid) = 'now()'
		loop
			execute format('alter table %s alter column %I set default simtime.now()', r.tab, r.col);
		end loop;
	end $$`

// Install puts the clock into a migrated database. It is in force for those who connect by
// the URL that [URL] makes.
func Install(ctx context.Context, conn *pgx.Conn, clock Clock) error {
	if _, err := conn.Exec(ctx, string(clock)+defaults); err != nil {
		return fault.Wrap(fault.Internal, err, "put a clock in front of PostgreSQL's")
	}
	return nil
}

// URL is the database's URL with the clock's schema searched before PostgreSQL's own.
func URL(database *url.URL) string {
	u := *database
	q := u.Query()
	q.Set("search_path", "simtime,pg_catalog,public")
	u.RawQuery = q.Encode()
	return u.String()
}

// New makes a database on the server, whose user may create some. Close drops it.
func New(ctx context.Context, server string, keys *secret.KeyRing) (*Database, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" {
		return nil, fault.New(fault.Invalid, "the server of the simulation is not a PostgreSQL URL").
			WithHint("write it as postgres://user:password@host:5432/database")
	}
	d := &Database{server: server, name: "salesforcesync_test_" + random()}
	if err := d.onServer(ctx, `create database `+d.name); err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "make a database for the simulation")
	}
	u.Path = "/" + d.name
	if err := d.open(ctx, u, keys); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Database) open(ctx context.Context, u *url.URL, keys *secret.KeyRing) error {
	raw, err := store.Open(ctx, u.String(), store.Options{Keys: keys, ApplicationName: "simulation"})
	if err != nil {
		return err
	}
	_, _, err = raw.Migrate(ctx)
	raw.Close()
	if err != nil {
		return err
	}
	if d.clock, err = pgx.Connect(ctx, u.String()); err != nil {
		return fault.Wrap(fault.Unreachable, err, "open the simulation's database")
	}
	if err := Install(ctx, d.clock, Standing); err != nil {
		return err
	}
	d.Store, err = store.Open(ctx, URL(u), store.Options{Keys: keys, ApplicationName: "simulation", MaxConns: 4})
	return err
}

// Name is the database's name on the server.
func (d *Database) Name() string { return d.name }

// Set moves the database's time.
func (d *Database) Set(ctx context.Context, t time.Time) error {
	if _, err := d.clock.Exec(ctx, `update simtime.clock set t = $1`, t); err != nil {
		return fault.Wrap(fault.Unreachable, err, "set the simulation's clock")
	}
	return nil
}

// Close drops the database.
func (d *Database) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if d.Store != nil {
		d.Store.Close()
	}
	if d.clock != nil {
		_ = d.clock.Close(ctx) // dropped with force below
	}
	if err := d.onServer(ctx, `drop database `+d.name+` with (force)`); err != nil {
		return fault.Wrap(fault.Unreachable, err, "drop the simulation's database %s", d.name)
	}
	return nil
}

func (d *Database) onServer(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, d.server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
