package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Source is a named collection of comments inside a project, with the fields the
// comments API shows of it.
type Source struct {
	ID                  string // 16 lower-case hex digits
	ProjectID           string
	Project             string // the project's name: the API's owner
	Name                string
	Title               string
	Description         string
	Language            string
	ShouldTranslate     bool
	SensitiveProperties []string // property names that need sources-read-sensitive
	Kind                string
	CreatedAt           time.Time
	UpdatedAt           time.Time
	Number              int     // small and unique: what lexemes of its comments begin with
	EmailTransformTag   *string // kept for clients; cleaning has one way here
}

const selectSource = `
	select s.id, s.project_id, p.name, s.name, s.title, s.description, s.language, s.should_translate,
	       s.sensitive_properties, s.kind, s.created_at, s.updated_at, s.number, s.email_transform_tag
	  from sources s
	  join projects p on p.id = s.project_id
	 where s.deleted_at is null and`

// Sources lists the sources of the named projects, by project and name.
func (s *Store) Sources(ctx context.Context, projects []string) ([]Source, error) {
	rows, err := s.pool.Query(ctx, selectSource+` p.name = any($1) order by p.name, s.name`, projects)
	if err != nil {
		return nil, translate("list sources", err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Source])
	return sources, translate("list sources", err)
}

// SourceByName reads the source project/name; fault.NotFound when there is none.
func (s *Store) SourceByName(ctx context.Context, project, name string) (*Source, error) {
	return s.readSource(ctx, "read source "+project+"/"+name, ` p.name = $1 and s.name = $2`, project, name)
}

// SourceByID reads the source with this id; fault.NotFound when there is none.
func (s *Store) SourceByID(ctx context.Context, id string) (*Source, error) {
	return s.readSource(ctx, "read source id:"+id, ` s.id = $1`, id)
}

func (s *Store) readSource(ctx context.Context, op, condition string, args ...any) (*Source, error) {
	rows, err := s.pool.Query(ctx, selectSource+condition, args...)
	if err != nil {
		return nil, translate(op, err)
	}
	source, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Source])
	return source, translate(op, err)
}
