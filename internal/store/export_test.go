package store

import (
	"context"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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
