package store

import (
	"context"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"salesforcesync/internal/secret"
)

// ReadMigrations is readMigrations for tests of what it refuses.
func ReadMigrations(files fs.FS, dir string) ([]Migration, error) { return readMigrations(files, dir) }

// Trace makes the store tell tracer of every statement from now on.
func (s *Store) Trace(ctx context.Context, tracer pgx.QueryTracer) error {
	cfg := s.pool.Config().Copy()
	cfg.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	s.pool.Close()
	s.pool = pool
	return nil
}

// ApplyStep is Migration.apply for tests of steps that are not released.
func (s *Store) ApplyStep(ctx context.Context, m Migration) error {
	return s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return m.apply(ctx, conn) })
}

// SealedColumns names the sealed columns as table.column.
func SealedColumns() (names []string) {
	for _, c := range sealedColumns {
		names = append(names, c.Table+"."+c.Column)
	}
	return names
}

// SealedFields names them as table/field, sorted.
func SealedFields() (names []string) {
	for _, c := range sealedColumns {
		names = append(names, c.Table+"/"+c.Field)
	}
	slices.Sort(names)
	return names
}

// SealFor is seal.
func SealFor(s *Store, value secret.Text, table, id, field string) (string, error) {
	return s.seal(value, table, id, field)
}

// SweptTables names the tables that Sweep looks at.
func SweptTables() (names []string) {
	for _, s := range sweeps {
		names = append(names, s.table)
	}
	return names
}

// HearsNothingFor makes the listener ask sooner whether anybody is there.
func (l *Listener) HearsNothingFor(quiet time.Duration) { l.quiet = quiet }
