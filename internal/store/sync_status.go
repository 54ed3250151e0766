package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetStatus writes what state an integration is in and why, for people. Since
// moves only when the state does. Unknown integrations are ignored: they were
// deleted meanwhile.
func (s *Store) SetStatus(ctx context.Context, project, integration, status, reason, hint string, until time.Time) error {
	_, err := s.pool.Exec(ctx, `
		update integrations i set
			status = $3, status_reason = $4, status_hint = $5, status_until = $6,
			status_since = case when i.status = $3 then i.status_since else now() end
		from projects p
		where p.id = i.project_id and p.name = $1 and i.name = $2
		  -- Work that is ending must not say that a paused integration syncs.
		  and ($3 not in ('syncing', 'idle') or i.desired = 'running')
		  and (i.status, i.status_reason, i.status_hint, i.status_until) is distinct from ($3, $4, $5, $6::timestamptz)`,
		project, integration, status, reason, hint, nullTime(until))
	return translate("write the status", err)
}

// SetWatched notes that Salesforce was asked for news just now.
func (s *Store) SetWatched(ctx context.Context, integrationID string) error {
	_, err := s.pool.Exec(ctx, `update integrations set watched_at = now() where id = $1`, integrationID)
	return translate("note the watch", err)
}

// SetObjectFault writes one object's own trouble; an empty kind clears it.
func (s *Store) SetObjectFault(ctx context.Context, project, integration, object, kind, message, hint string, retryAt time.Time) error {
	_, err := s.pool.Exec(ctx, `
		update objects o set
			fault_kind = $4, fault_message = $5, fault_hint = $6, retry_at = $7,
			fault_since = case when $4 = '' then null when o.fault_kind = $4 then o.fault_since else now() end
		from integrations i join projects p on p.id = i.project_id
		where o.integration_id = i.id and p.name = $1 and i.name = $2 and o.name = $3`,
		project, integration, object, kind, message, hint, nullTime(retryAt))
	return translate("write the object's fault", err)
}

// CheckedObject is the verdict of a check on one object.
type CheckedObject struct {
	Name         string
	Plan         []byte // JSON; nil when there is a problem
	Problem      string
	Hint         string
	ViewAll      ViewAll      // "" is unknown
	Dependencies []Dependency // Hi is where a new dependency starts
	Reread       *Reread      // what can be read now and could not before; nil for nothing
}

// Reread names records that were read without a field that can be read now.
type Reread struct {
	Since  int64 // those whose read began at this number of the read order or later; 0 = every record
	Reason string
}

// Check is the outcome of a check of spec version SpecVersion.
type Check struct {
	SpecVersion int64
	Begun       time.Time // the database's time when it began: a grant since then may be of another user
	Objects     []CheckedObject
	Schema      *Schema // nil leaves what is known of the schema alone
}

// SaveCheck stores the outcome of a check in one transaction. A dependency that is
// there already keeps its position. When every object was judged for this version, the
// integration counts as checked as of Begun.
func (s *Store) SaveCheck(ctx context.Context, integrationID string, c Check) error {
	return s.inTx(ctx, "save the check", func(tx pgx.Tx) error {
		// In the order in which grants, applies and batches lock: streams, connection, integration.
		if _, err := tx.Exec(ctx, `select 1 from streams where integration_id = $1 order by id for update`, integrationID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `select 1 from connections where integration_id = $1 for update`, integrationID); err != nil {
			return err
		}
		var now int64
		if err := tx.QueryRow(ctx, `select spec_version from integrations where id = $1 for update`, integrationID).Scan(&now); err != nil {
			return err
		}
		if now != c.SpecVersion {
			return nil // the file changed meanwhile: the next check judges that
		}
		for _, o := range c.Objects {
			if err := saveChecked(ctx, tx, integrationID, o); err != nil {
				return err
			}
		}
		if c.Schema != nil {
			if err := saveSchema(ctx, tx, integrationID, *c.Schema); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `
			update integrations set checked_version = $2, checked_at = $3 where id = $1`, integrationID, c.SpecVersion, c.Begun)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update connections set deletes_held = false
			where integration_id = $1 and deletes_held and granted_at <= $2`, integrationID, c.Begun)
		return err
	})
}

func saveChecked(ctx context.Context, tx pgx.Tx, integrationID string, o CheckedObject) error {
	state := "ok"
	if o.Problem != "" {
		state = "config_invalid"
	}
	if _, err := tx.Exec(ctx, `
		update objects set state = $3, problem = $4, hint = $5, view_all = coalesce(nullif($7, ''), 'unknown'),
			plan = case when $3 = 'ok' then $6::jsonb else plan end,
			fault_kind = '', fault_message = '', fault_hint = '', fault_since = null, retry_at = null
		where integration_id = $1 and name = $2`,
		integrationID, o.Name, state, o.Problem, o.Hint, nullBytes(o.Plan), string(o.ViewAll)); err != nil {
		return err
	}
	if state != "ok" {
		return nil
	}
	paths := make([]string, 0, len(o.Dependencies))
	for _, d := range o.Dependencies {
		paths = append(paths, d.Path+"\x1f"+d.Parent)
		if _, err := tx.Exec(ctx, `
			insert into dependencies (integration_id, object, path, parent, hi_stamp, hi_id)
			values ($1, $2, $3, $4, $5, $6)
			on conflict do nothing`,
			integrationID, o.Name, d.Path, d.Parent, d.Hi.Stamp, d.Hi.ID); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `
		delete from dependencies where integration_id = $1 and object = $2 and not (path || chr(31) || parent = any($3))`,
		integrationID, o.Name, paths); err != nil {
		return err
	}
	if o.Reread == nil {
		return nil
	}
	return reread(ctx, tx, integrationID, o.Name, *o.Reread)
}

// manyRereads is where a resync, which reads pages in order, costs fewer calls than
// records read by Id.
const manyRereads = 1000

// reread asks for records to be read again, and those of batches under way as soon as
// these are applied. Bulk jobs that were asked for do not bring what can be read now: their parts
// are asked for anew. The object's streams are locked.
func reread(ctx context.Context, tx pgx.Tx, integrationID, object string, r Reread) error {
	if _, err := tx.Exec(ctx, `
		update batches b set read_again = true from streams st
		where st.integration_id = $1 and st.object = $2 and b.stream_id = st.id and b.epoch = st.epoch and b.state <> 'applied'`,
		integrationID, object); err != nil {
		return err
	}
	// The jobs are ended as those that nobody waits for; one that is being asked for is looked for.
	if _, err := tx.Exec(ctx, `
		update backfill_parts p set`+withoutJob+`, look_at = now()
		from backfills f, streams st
		where f.id = p.backfill_id and f.integration_id = $1 and f.object = $2 and f.state = 'open' and st.id = p.stream_id
		  and p.api = 'bulk' and p.state in ('asked', 'running', 'ready') and st.finished_at is null`,
		integrationID, object); err != nil {
		return err
	}
	var records int64
	var from, until *time.Time
	if err := tx.QueryRow(ctx, `
		select count(*), min(r.stamp), max(r.stamp) from records r join integrations i on i.source_id = r.source_id
		where i.id = $1 and r.object = $2 and r.read_begin >= $3 and r.state not in ('deleted', 'erased')`,
		integrationID, object, r.Since).Scan(&records, &from, &until); err != nil {
		return err
	}
	if records == 0 {
		return nil
	}
	if records > manyRereads {
		return requestResync(ctx, tx, integrationID, object, *from, *until, r.Reason)
	}
	_, err := tx.Exec(ctx, `
		insert into rechecks as k (integration_id, object, record_id, reason)
		select i.id, r.object, r.record_id, 'repair' from records r join integrations i on i.source_id = r.source_id
		where i.id = $1 and r.object = $2 and r.read_begin >= $3 and r.state not in ('deleted', 'erased')
		on conflict (integration_id, object, record_id) do update set
			asked = excluded.asked, not_before = least(k.not_before, excluded.not_before)`,
		integrationID, object, r.Since)
	return err
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func nullBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
