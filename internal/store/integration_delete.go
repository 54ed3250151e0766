package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/flow"
)

// DeleteIntegration removes an integration: its file, connection, cursors, batches and
// raw records. Its source stays with its comments and what is known of their records, so
// that the same integration applied again costs no AI units for what is there.
//
// With erase the comments' texts, addresses and properties, the record states and what
// was set aside go too. The source and its ledger stay, because a bill outlives what was
// billed, and so does an empty row per comment: it keeps the number of its last
// revision, so that the same comment made anew is billed as the creation it is.
// fault.NotFound when there is no such integration.
func (s *Store) DeleteIntegration(ctx context.Context, integrationID string, erase bool) error {
	return s.inTx(ctx, "delete the integration", func(tx pgx.Tx) error {
		// Streams first: an Upsert that is under way finishes, a later one finds no stream.
		if _, err := tx.Exec(ctx, `select 1 from streams where integration_id = $1 order by id for update`, integrationID); err != nil {
			return err
		}
		var sourceID, project, name string
		if err := tx.QueryRow(ctx, `
			select i.source_id, p.name, i.name from integrations i join projects p on p.id = i.project_id
			where i.id = $1 for update of i`, integrationID).Scan(&sourceID, &project, &name); err != nil {
			return err
		}
		if err := auditedIntegration(ctx, tx, EventIntegrationDeleted, integrationID, map[string]any{"erased": erase}); err != nil {
			return err
		}
		if err := erasePending(ctx, tx, integrationID, sourceID); err != nil {
			return err
		}
		statements := []struct {
			sql string
			arg string
		}{
			{`delete from staged where stream_id in (select id from streams where integration_id = $1)`, integrationID},
			{`delete from outbox where workflow_id = $1 and delivered_at is null`, flow.WorkflowID(project, name)},
			{`select pg_notify('` + channelWake + `', $1)`, integrationID},
			{`delete from integrations where id = $1`, integrationID},
		}
		if erase {
			for _, sql := range eraseSource {
				statements = append(statements, struct{ sql, arg string }{sql, sourceID})
			}
		}
		for _, st := range statements {
			if _, err := tx.Exec(ctx, st.sql, st.arg); err != nil {
				return err
			}
		}
		return nil
	})
}

// erasePending ends what Erase had begun: nobody would go on with it. Raw copies go with
// the integration.
func erasePending(ctx context.Context, tx pgx.Tx, integrationID, sourceID string) error {
	rows, err := tx.Query(ctx, `
		select distinct o.name from erasures e join objects o on o.integration_id = $1 and o.name = e.object and o.spec->>'deleted' = 'erase'
		where e.source_id = $2 order by 1`, integrationID, sourceID)
	if err != nil {
		return err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, object := range objects {
		args := pgx.NamedArgs{"source": sourceID, "object": object, "limit": nil}
		for _, sql := range []string{lockObject, eraseDeleted} {
			if _, err := tx.Exec(ctx, sql, args); err != nil {
				return err
			}
		}
	}
	_, err = tx.Exec(ctx, `delete from erasures where source_id = $1`, sourceID)
	return err
}

var eraseSource = []string{
	`delete from revisions where source_id = $1`,
	`update comments set erased = true, deleted_at = coalesce(deleted_at, now()), last_modified = now(), changed = pg_current_xact_id(),
		envelope = '{}', properties = '{}', text_format = '', attachments = null, thread_id = null
	 where source_id = $1 and not erased`,
	`delete from records where source_id = $1`,
	`delete from set_aside where source_id = $1`,
}
