package store

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// Sensitive is what a project keeps from who may not see sensitive properties, and the files that fill them.
type Sensitive struct {
	Properties map[string][]string           // by source; those that have none are not here
	Files      []config.Integration          // every version that is kept; none without such a source
	InForce    map[string]config.Integration // by the integration's name
}

// Sensitive reads what it takes to tell whether a file would show what is sensitive.
func (s *Store) Sensitive(ctx context.Context, project string) (Sensitive, error) {
	op := "read the sensitive properties of project " + project
	known := Sensitive{Properties: map[string][]string{}, InForce: map[string]config.Integration{}}
	rows, err := s.pool.Query(ctx, `
		select s.name, s.sensitive_properties from sources s join projects p on p.id = s.project_id
		where p.name = $1 and s.deleted_at is null and s.sensitive_properties <> '{}'`, project)
	if err != nil {
		return known, translate(op, err)
	}
	var source string
	var list []string
	if _, err := pgx.ForEachRow(rows, []any{&source, &list}, func() error {
		known.Properties[source], list = list, nil
		return nil
	}); err != nil || len(known.Properties) == 0 {
		return known, translate(op, err)
	}
	// The one in force is among those that are kept, but for integrations from before they were.
	rows, err = s.pool.Query(ctx, `
		with of_project as (select i.id, i.spec from integrations i join projects p on p.id = i.project_id where p.name = $1)
		select spec, true from of_project
		union all select f.spec, false from integration_files f join of_project o on o.id = f.integration_id`, project)
	if err != nil {
		return known, translate(op, err)
	}
	var raw []byte
	var inForce bool
	_, err = pgx.ForEachRow(rows, []any{&raw, &inForce}, func() error {
		var file config.Integration
		if err := json.Unmarshal(raw, &file); err != nil {
			return fault.Wrap(fault.Internal, err, "read a stored file of project %s", project)
		}
		known.Files = append(known.Files, file)
		if inForce {
			known.InForce[file.Integration] = file
		}
		return nil
	})
	return known, translate(op, err)
}
