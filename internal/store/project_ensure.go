package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// EnsureProject gives the id of the project called name and makes it when it is
// missing.
func (s *Store) EnsureProject(ctx context.Context, name string) (id string, created bool, err error) {
	err = s.inTx(ctx, "ensure project "+name, func(tx pgx.Tx) error {
		id, created, err = ensureProject(ctx, tx, name)
		return err
	})
	return id, created, err
}

// EnsureSource gives the id of the project's source called name and makes it when
// it is missing.
func (s *Store) EnsureSource(ctx context.Context, projectID, name string) (id string, created bool, err error) {
	err = s.inTx(ctx, "ensure source "+name, func(tx pgx.Tx) error {
		id, created, err = ensureSource(ctx, tx, projectID, name)
		return err
	})
	return id, created, err
}

// ensureProject also locks the project's row, so that what is applied to one project
// is applied one after the other.
func ensureProject(ctx context.Context, tx pgx.Tx, name string) (id string, created bool, err error) {
	tag, err := tx.Exec(ctx, `insert into projects (id, name, title) values ($1, $2, $2) on conflict (name) do nothing`, NewID(), name)
	if err != nil {
		return "", false, err
	}
	err = tx.QueryRow(ctx, `select id from projects where name = $1 for no key update`, name).Scan(&id)
	return id, tag.RowsAffected() == 1, err
}

func ensureSource(ctx context.Context, tx pgx.Tx, projectID, name string) (id string, created bool, err error) {
	tag, err := tx.Exec(ctx, `
		insert into sources (id, project_id, name, title) values ($1, $2, $3, left($3, 128))
		on conflict (project_id, name) do nothing`, NewID(), projectID, name)
	if err != nil {
		return "", false, err
	}
	err = tx.QueryRow(ctx, `select id from sources where project_id = $1 and name = $2`, projectID, name).Scan(&id)
	return id, tag.RowsAffected() == 1, err
}
