package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Project groups sources and integrations; rights are given on it.
type Project struct {
	ID          string // 16 lower-case hex digits
	Name        string
	Title       string
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

const selectProject = `
	select id, name, title, description, created_at, updated_at
	  from projects
	 where deleted_at is null`

// Projects lists every project by name. Who may see which is the caller's to decide.
func (s *Store) Projects(ctx context.Context) ([]Project, error) {
	rows, err := s.pool.Query(ctx, selectProject+` order by name`)
	if err != nil {
		return nil, translate("list projects", err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Project])
	return projects, translate("list projects", err)
}

// ProjectByName reads one project; fault.NotFound when there is none.
func (s *Store) ProjectByName(ctx context.Context, name string) (*Project, error) {
	rows, err := s.pool.Query(ctx, selectProject+` and name = $1`, name)
	if err != nil {
		return nil, translate("read project "+name, err)
	}
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Project])
	return project, translate("read project "+name, err)
}
