package store

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// SourceFields are what a client may set of a source; nil leaves a field as it is, or as it is at first.
type SourceFields struct {
	Title               *string
	Description         *string
	Language            *string
	ShouldTranslate     *bool
	SensitiveProperties []string // nil leaves them
	Kind                *string
	EmailTransformTag   *string
	// Veiled is of a caller who may not see sensitive properties: it may name more of them, and none less.
	Veiled bool
}

// CreateSource makes a source in a project. fault.Conflict when there is one of this name,
// fault.NotFound when there is no such project.
func (s *Store) CreateSource(ctx context.Context, project, name string, f SourceFields) (*Source, error) {
	var id string
	err := s.inTx(ctx, "create source "+project+"/"+name, func(tx pgx.Tx) error {
		// A project that is being deleted is waited for.
		var projectID string
		if err := tx.QueryRow(ctx, `select id from projects where name = $1 and deleted_at is null for key share`, project).Scan(&projectID); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			insert into sources (id, project_id, name, title, description, language, should_translate, sensitive_properties, kind, email_transform_tag)
			values ($1, $2, $3, coalesce($4, left($3, 128)), coalesce($5, ''), coalesce($6, 'xlm'), coalesce($7, false), coalesce($8, '{}'::text[]), coalesce($9, 'unknown'), $10)
			on conflict (project_id, name) do nothing returning id`,
			NewID(), projectID, name, f.Title, f.Description, f.Language, f.ShouldTranslate, f.SensitiveProperties, f.Kind, f.EmailTransformTag).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.Conflict, "there is a source %s/%s already", project, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.SourceByID(ctx, id)
}

// UpdateSource changes a source. fault.NotFound when it is gone, fault.Forbidden when a veiled caller would take a name out
// of the sensitive properties.
func (s *Store) UpdateSource(ctx context.Context, id string, f SourceFields) (*Source, error) {
	err := s.inTx(ctx, "change source id:"+id, func(tx pgx.Tx) error {
		var project string
		var sensitive []string
		err := tx.QueryRow(ctx, `
			select p.name, s.sensitive_properties from sources s join projects p on p.id = s.project_id
			where s.id = $1 and s.deleted_at is null for no key update of s`, id).Scan(&project, &sensitive)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "source id:%s is gone", id)
		}
		if err != nil {
			return err
		}
		for _, name := range sensitive {
			if f.Veiled && f.SensitiveProperties != nil && !slices.Contains(f.SensitiveProperties, name) {
				return fault.New(fault.Forbidden, "to take %.64q out of sensitive_properties needs the permission sources-read-sensitive on project %s", name, project).
					WithHint("send the names that are in the list along with new ones, or ask somebody who has the permission")
			}
		}
		_, err = tx.Exec(ctx, `
			update sources set
				title = coalesce($2, title), description = coalesce($3, description), language = coalesce($4, language),
				should_translate = coalesce($5, should_translate), sensitive_properties = coalesce($6, sensitive_properties),
				kind = coalesce($7, kind), email_transform_tag = coalesce($8, email_transform_tag), updated_at = now()
			where id = $1`,
			id, f.Title, f.Description, f.Language, f.ShouldTranslate, f.SensitiveProperties, f.Kind, f.EmailTransformTag)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.SourceByID(ctx, id)
}

// DeleteSource deletes a source: from now on nobody finds it or its comments, and its name is free.
// EraseDeleted removes the comments. Its ledger stays. fault.Conflict while an integration feeds
// it, fault.NotFound when it is gone.
func (s *Store) DeleteSource(ctx context.Context, id string) error {
	return s.inTx(ctx, "delete source id:"+id, func(tx pgx.Tx) error {
		// As apply does: an integration that is to feed it comes before or after.
		if _, err := tx.Exec(ctx, `select from projects where id = (select project_id from sources where id = $1) for no key update`, id); err != nil {
			return err
		}
		n, err := deleteSources(ctx, tx, `s.id = $1`, id)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "source id:%s is gone", id)
		}
		return err
	})
}

// deletedName is what becomes of the name of a deleted source or project. Nobody can give it to another:
// names have no blanks.
const deletedName = ` name || ' (deleted ' || id || ')' `

// deleteSources deletes the sources for which a condition on s holds. Their project is locked.
func deleteSources(ctx context.Context, tx pgx.Tx, condition string, args ...any) (n int64, err error) {
	var source, feeder string
	err = tx.QueryRow(ctx, `
		select p.name || '/' || s.name, ip.name || '/' || i.name
		from sources s join projects p on p.id = s.project_id
		join integrations i on i.source_id = s.id join projects ip on ip.id = i.project_id
		where `+condition+` and s.deleted_at is null order by s.name limit 1`, args...).Scan(&source, &feeder)
	if err == nil {
		return 0, fault.New(fault.Conflict, "the integration %s feeds the source %s", feeder, source).
			WithHint("delete the integration first: `starter delete %s`", feeder)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return 0, err
	}
	// Writers hold the row: this waits for them, and those who come later find it gone.
	tag, err := tx.Exec(ctx, `
		update sources s set name =`+deletedName+`, deleted_at = now(), updated_at = now()
		where `+condition+` and s.deleted_at is null`, args...)
	return tag.RowsAffected(), err
}

// eraseComments is how many comments EraseDeleted removes in one transaction.
const eraseComments = 2000

// EraseDeleted removes the comments of deleted sources, and what is known of the records they were made
// of, a part of them in each transaction, until there are none left. It may be ended anywhere and run
// again. It returns how many comments it removed.
func (s *Store) EraseDeleted(ctx context.Context) (removed int64, err error) {
	const op = "erase deleted sources"
	rows, err := s.pool.Query(ctx, `
		select id from sources s where deleted_at is not null
		  and (exists (select from comments where source_id = s.id) or exists (select from records where source_id = s.id))`)
	if err != nil {
		return 0, translate(op, err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, translate(op, err)
	}
	for _, id := range sources {
		for _, table := range []struct{ name, key string }{{"comments", "id"}, {"records", "object, record_id"}, {"set_aside", "object, record_id"}, {"erasures", "object, record_id"}} {
			for {
				tag, err := s.pool.Exec(ctx, `
					delete from `+table.name+` where source_id = $1 and (`+table.key+`) in (
						select `+table.key+` from `+table.name+` where source_id = $1 order by `+table.key+` limit $2)`, id, eraseComments)
				if err != nil {
					return removed, translate(op, err)
				}
				if table.name == "comments" {
					removed += tag.RowsAffected()
				}
				if tag.RowsAffected() < eraseComments {
					break
				}
			}
		}
	}
	return removed, nil
}
