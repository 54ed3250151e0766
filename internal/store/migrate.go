package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"salesforcesync/internal/fault"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one numbered step of the schema.
type Migration struct {
	Version int
	Name    string
	SQL     string
	// RunsWith is the oldest schema version whose programs go on working while and after this step is
	// applied. It is the step's own version where it says nothing: then they must be stopped before.
	RunsWith int
}

// runsWith is the line of a step that says RunsWith.
var runsWith = regexp.MustCompile(`(?m)^-- Runs with: (\d+)$`)

var migrationName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

// Migrations returns the embedded migrations in order. A gap, a duplicate or a
// strange name is an error, so that it cannot be released.
func Migrations() ([]Migration, error) { return readMigrations(migrationFiles, "migrations") }

func readMigrations(files fs.FS, dir string) ([]Migration, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var out []Migration
	for _, e := range entries {
		m := migrationName.FindStringSubmatch(e.Name())
		if m == nil {
			return nil, fmt.Errorf("migration %q is not named NNNN_name.sql", e.Name())
		}
		version, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("migration %q: %w", e.Name(), err)
		}
		sql, err := fs.ReadFile(files, dir+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("read migration %q: %w", e.Name(), err)
		}
		step := Migration{Version: version, Name: m[2], SQL: string(sql), RunsWith: version}
		if line := runsWith.FindSubmatch(sql); line != nil {
			if step.RunsWith, err = strconv.Atoi(string(line[1])); err != nil || step.RunsWith < 1 || step.RunsWith > version {
				return nil, fmt.Errorf("migration %q runs with %s: that is no version up to its own", e.Name(), line[1])
			}
		}
		out = append(out, step)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Version < out[j].Version })
	for i, m := range out {
		if m.Version != i+1 {
			return nil, fmt.Errorf("migration %d follows %d: numbers must have no gaps and no duplicates", m.Version, i)
		}
	}
	return out, nil
}

// SchemaVersion is the version this program was built for.
func SchemaVersion() (int, error) {
	all, err := Migrations()
	return len(all), err
}

// migrateLock keeps two setups from migrating at once.
const migrateLock = 7_305_846_116

// Migrate brings the schema to this program's version, one transaction per step,
// and returns the versions before and after. A database that is newer than the
// program is left alone; it is refused with fault.Invalid where this version does not go on
// with it (see CheckSchema).
func (s *Store) Migrate(ctx context.Context) (from, to int, err error) {
	all, err := Migrations()
	if err != nil {
		return 0, 0, fault.Wrap(fault.Internal, err, "read the migrations")
	}
	to = len(all)
	err = s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		if _, err := conn.Exec(ctx, `select pg_advisory_lock($1)`, migrateLock); err != nil {
			return err
		}
		defer conn.Exec(context.WithoutCancel(ctx), `select pg_advisory_unlock($1)`, migrateLock) //nolint:errcheck // the lock ends with the connection anyway
		if _, err := conn.Exec(ctx, `
			create table if not exists schema_migrations (
				version    int primary key,
				name       text not null,
				applied_at timestamptz not null default now()
			)`); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, `select coalesce(max(version), 0) from schema_migrations`).Scan(&from); err != nil {
			return err
		}
		if from > len(all) {
			to = from
			return s.CheckSchema(ctx)
		}
		for _, m := range all[from:] {
			if err := m.apply(ctx, conn); err != nil {
				return err
			}
		}
		return nil
	})
	return from, to, translate("migrate the database", err)
}

// How a step waits for tables that others use. While it waits, everybody who comes after it waits
// behind it: so it gives up soon, lets them pass, and tries again.
const (
	lockWait  = "2s"
	lockRest  = time.Second
	lockTries = 100
)

// apply makes one step, in one transaction.
func (m Migration) apply(ctx context.Context, conn *pgxpool.Conn) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `set local lock_timeout = '`+lockWait+`'`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, m.SQL); err != nil {
				return fmt.Errorf("migration %04d_%s: %w", m.Version, m.Name, err)
			}
			insert, args := `insert into schema_migrations (version, name, runs_with) values ($1, $2, $3)`, []any{m.Version, m.Name, m.RunsWith}
			if m.Version < rollingVersion {
				insert, args = `insert into schema_migrations (version, name) values ($1, $2)`, args[:2]
			}
			_, err := tx.Exec(ctx, insert, args...)
			return err
		})
		var pg *pgconn.PgError
		busy := errors.As(err, &pg) && (pg.Code == pgLockNotAvailable || pg.Code == pgDeadlock)
		if !busy {
			return err
		}
		if try == lockTries {
			return fault.Wrap(fault.Transient, err, "a table is in use for too long").
				WithHint("nothing is half done; look in pg_stat_activity for the transaction that holds it, and run `starter setup` again")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRest):
		}
	}
}

// rollingVersion is the schema version since which each step says what it runs with.
const rollingVersion = 20

const (
	pgLockNotAvailable = "55P03"
	pgDeadlock         = "40P01"
	pgNotAllowed       = "42501"
)

// CheckSchema refuses a database whose schema is not this program's, naming both
// versions. A newer one is good as long as each of its steps says that programs of this version
// go on with it: so that a release can be rolled out while the one before runs.
func (s *Store) CheckSchema(ctx context.Context) error {
	want, err := SchemaVersion()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read the migrations")
	}
	var exists bool
	if err := s.health.QueryRow(ctx, `select to_regclass('schema_migrations') is not null`).Scan(&exists); err != nil {
		return translate("read the schema version", err)
	}
	have := 0
	if exists {
		if err := s.health.QueryRow(ctx, `select coalesce(max(version), 0) from schema_migrations`).Scan(&have); err != nil {
			return translate("read the schema version", err)
		}
	}
	if have > want && want >= rollingVersion {
		var oldest int
		if err := s.health.QueryRow(ctx, `select max(coalesce(runs_with, version)) from schema_migrations where version > $1`, want).Scan(&oldest); err != nil {
			return translate("read the schema version", err)
		}
		if oldest <= want {
			return nil
		}
	}
	if have != want {
		return schemaError(have, want)
	}
	return nil
}

func schemaError(have, want int) error {
	e := fault.New(fault.Invalid, "the database has schema version %d, this program needs version %d", have, want)
	switch {
	case have == 0:
		return e.WithHint("the database is new: run `starter setup`")
	case have < want:
		return e.WithHint("run `starter setup` of this release to migrate it")
	default:
		return e.WithHint("the database was migrated by a newer release: run that release's programs")
	}
}
