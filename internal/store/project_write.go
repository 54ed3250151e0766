package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// NewProject is a project to be made.
type NewProject struct {
	Name        string
	Title       *string // nil = the name
	Description *string
	Users       []string // ids of those who get the role on it
	Role        string
}

// CreateProject makes a project. fault.Conflict when there is one of this name, fault.Invalid when
// a user is unknown.
func (s *Store) CreateProject(ctx context.Context, p NewProject) (*Project, error) {
	err := s.inTx(ctx, "create project "+p.Name, func(tx pgx.Tx) error {
		var id string
		err := tx.QueryRow(ctx, `
			insert into projects (id, name, title, description) values ($1, $2, coalesce($3, $2), coalesce($4, ''))
			on conflict (name) do nothing returning id`, NewID(), p.Name, p.Title, p.Description).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.Conflict, "there is a project %s already", p.Name)
		}
		if err != nil {
			return err
		}
		for _, user := range p.Users {
			var known bool
			if err := tx.QueryRow(ctx, `select exists (select from users where id = $1 and disabled_at is null)`, user).Scan(&known); err != nil {
				return err
			}
			if !known {
				return fault.New(fault.Invalid, "there is no user with id %.40q", user)
			}
		}
		_, err = tx.Exec(ctx, `
			insert into user_roles (user_id, project_id, role)
			select u, $1, $3 from unnest($2::text[]) u on conflict do nothing`, id, p.Users, p.Role)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.ProjectByName(ctx, p.Name)
}

// UpdateProject changes what a project is called for people; nil leaves it. fault.NotFound when it is gone.
func (s *Store) UpdateProject(ctx context.Context, name string, title, description *string) (*Project, error) {
	_, err := s.pool.Exec(ctx, `
		update projects set title = coalesce($2, title), description = coalesce($3, description), updated_at = now()
		where name = $1 and deleted_at is null`, name, title, description)
	if err != nil {
		return nil, translate("change project "+name, err)
	}
	return s.ProjectByName(ctx, name)
}

// DeleteProject deletes a project, and with force the sources in it: from now on nobody finds them, and
// nobody has a right on it. Ledgers stay. fault.Conflict while it has an integration, or sources without
// force; fault.NotFound when it is gone.
func (s *Store) DeleteProject(ctx context.Context, name string, force bool) error {
	return s.inTx(ctx, "delete project "+name, func(tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(ctx, `select id from projects where name = $1 and deleted_at is null for update`, name).Scan(&id); err != nil {
			return err
		}
		have, err := countResources(ctx, tx, id)
		if err != nil {
			return err
		}
		switch {
		case have.Integrations > 0:
			return fault.New(fault.Conflict, "the project %s has %d integrations", name, have.Integrations).
				WithHint("delete them first: `starter delete %s/<integration>`", name)
		case have.Sources > 0 && !force:
			return fault.New(fault.Conflict, "the project %s has %d sources: with force=true they go too", name, have.Sources)
		}
		if _, err := deleteSources(ctx, tx, `s.project_id = $1`, id); err != nil {
			return err
		}
		for _, table := range []string{"user_permissions", "user_roles", "api_token_scopes"} {
			if _, err := tx.Exec(ctx, `delete from `+table+` where project_id = $1`, id); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `update projects set name =`+deletedName+`, deleted_at = now(), updated_at = now() where id = $1`, id)
		return err
	})
}

// Resources is how much a project has.
type Resources struct {
	Sources      int64
	Integrations int64
}

// CountResources counts what is in a project; fault.NotFound when there is none of this name.
func (s *Store) CountResources(ctx context.Context, project string) (r Resources, err error) {
	found, err := s.ProjectByName(ctx, project)
	if err != nil {
		return r, err
	}
	r, err = countResources(ctx, s.pool, found.ID)
	return r, translate("count what is in "+project, err)
}

func countResources(ctx context.Context, q querier, projectID string) (r Resources, err error) {
	err = q.QueryRow(ctx, `
		select (select count(*) from sources where project_id = $1 and deleted_at is null), (select count(*) from integrations where project_id = $1)`,
		projectID).Scan(&r.Sources, &r.Integrations)
	return r, err
}
