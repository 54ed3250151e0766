package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// objects brings the objects' rows and live streams in line with the file. Rows keep
// the spelling of a name under which records were stored, whatever the file's case.
func (a *applying) objects(ctx context.Context) error {
	stored, err := a.storedObjects(ctx)
	if err != nil {
		return err
	}
	var kept []keptObject
	for position, o := range a.spec.Objects {
		name, known := stored[strings.ToLower(o.Object)]
		delete(stored, strings.ToLower(o.Object))
		switch {
		case !known:
			name = o.Object
			a.result.Added = append(a.result.Added, name)
		case a.readsAgain(o):
			a.result.Reread = append(a.result.Reread, name)
		}
		kept = append(kept, keptObject{name, position, o, !known || a.readsAgain(o)})
	}
	for _, name := range sortedValues(stored) {
		a.result.Removed = append(a.result.Removed, name)
		if err := a.removeObject(ctx, name); err != nil {
			return err
		}
	}
	if len(a.result.Reread) > 0 {
		a.result.Epoch++
		// Every stream follows, so that one number tells whether work is of today.
		if _, err := a.tx.Exec(ctx, `update streams set epoch = $2 where integration_id = $1`, a.result.IntegrationID, a.result.Epoch); err != nil {
			return err
		}
	}
	for _, o := range kept {
		if err := a.putObject(ctx, o); err != nil {
			return err
		}
		if err := a.askErasures(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

type keptObject struct {
	name     string
	position int
	spec     config.Object
	restart  bool
}

func (a *applying) storedObjects(ctx context.Context) (map[string]string, error) {
	rows, err := a.tx.Query(ctx, `select name from objects where integration_id = $1`, a.result.IntegrationID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names[strings.ToLower(name)] = name
	}
	return names, rows.Err()
}

// readsAgain reports whether what was read of an object before does not hold for o.
func (a *applying) readsAgain(o config.Object) bool {
	before, known := a.before.FindObject(o.Object)
	if !known || a.moved || !before.ReadsSame(o) || a.spec.CommentRetention.Longer(a.before.CommentRetention) {
		return true
	}
	from, to := a.before.StartFrom, a.spec.StartFrom
	return (from == nil) != (to == nil) || (from != nil && !from.Equal(*to))
}

func (a *applying) putObject(ctx context.Context, o keptObject) error {
	id := a.result.IntegrationID
	spec, err := json.Marshal(o.spec)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write object %s as JSON", o.name)
	}
	if !o.restart {
		_, err := a.tx.Exec(ctx, `update objects set position = $3, spec = $4 where integration_id = $1 and name = $2`, id, o.name, o.position, spec)
		return err
	}
	if _, err := a.tx.Exec(ctx, `
		insert into objects (integration_id, name, position, spec) values ($1, $2, $3, $4)
		on conflict (integration_id, name) do update set
			position = excluded.position, spec = excluded.spec, state = 'unchecked', problem = '', hint = '', plan = null,
			fault_kind = '', fault_message = '', fault_hint = '', fault_since = null, retry_at = null`,
		id, o.name, o.position, spec); err != nil {
		return err
	}
	// Parents are followed anew from where the check puts them; lanes besides live
	// were laid out for the rows as they were.
	if _, err := a.tx.Exec(ctx, `delete from dependencies where integration_id = $1 and object = $2`, id, o.name); err != nil {
		return err
	}
	if err := a.endBackfills(ctx, o.name); err != nil {
		return err
	}
	if err := a.removeStreams(ctx, o.name, "live"); err != nil {
		return err
	}
	if _, err := a.tx.Exec(ctx, `delete from completeness where stream_id in
		(select id from streams where integration_id = $1 and object = $2)`, id, o.name); err != nil {
		return err
	}
	_, err = a.tx.Exec(ctx, `
		insert into streams (integration_id, object, lane, epoch) values ($1, $2, 'live', $3)
		on conflict (integration_id, object, lane, part) do update set
			epoch = excluded.epoch, hi_stamp = null, hi_id = null,
			verify_from = null, verified_to = null, verify_after = now(), salesforce_rows = null, counted_at = null,
			settled_to = null, settled_order = null,
			compare_after = now(), deletes_to = null, sweep_stamp = null, sweep_id = null, swept_at = null,
			stored_rows = null, counted_to = null`,
		id, o.name, a.result.Epoch)
	return err
}

// askErasures lets the policy erase, when it is new, reach records that were deleted before.
func (a *applying) askErasures(ctx context.Context, o keptObject) error {
	if before, known := a.before.FindObject(o.spec.Object); o.spec.Deleted != config.DeletedErase || known && !a.moved && before.Deleted == config.DeletedErase {
		return nil
	}
	tag, err := a.tx.Exec(ctx, askErasures, a.sourceID, o.name)
	a.result.Erase += tag.RowsAffected()
	return err
}

// endBackfills cancels what was laid out for the rows as they were; the live lane's first
// look opens another first load when there are many. Its jobs are ended by whoever looks next.
func (a *applying) endBackfills(ctx context.Context, object string) error {
	_, err := a.tx.Exec(ctx, `
		update backfills set state = 'cancelled', finished_at = now() where integration_id = $1 and object = $2 and state = 'open'`,
		a.result.IntegrationID, object)
	return err
}

func (a *applying) removeObject(ctx context.Context, name string) error {
	if err := a.endBackfills(ctx, name); err != nil {
		return err
	}
	if err := a.removeStreams(ctx, name, ""); err != nil {
		return err
	}
	for _, table := range []string{"rechecks", "dependencies", "deletions"} {
		if _, err := a.tx.Exec(ctx, `delete from `+table+` where integration_id = $1 and object = $2`, a.result.IntegrationID, name); err != nil {
			return err
		}
	}
	_, err := a.tx.Exec(ctx, `delete from objects where integration_id = $1 and name = $2`, a.result.IntegrationID, name)
	return err
}

// removeStreams deletes an object's streams except one lane, with their batches and
// raw records; the unlogged table has no foreign key to do it.
func (a *applying) removeStreams(ctx context.Context, object, exceptLane string) error {
	const chosen = ` integration_id = $1 and object = $2 and lane <> $3`
	if _, err := a.tx.Exec(ctx, `delete from staged where stream_id in (select id from streams where`+chosen+`)`,
		a.result.IntegrationID, object, exceptLane); err != nil {
		return err
	}
	_, err := a.tx.Exec(ctx, `delete from streams where`+chosen, a.result.IntegrationID, object, exceptLane)
	return err
}

func sortedValues(m map[string]string) []string {
	return slices.Sorted(maps.Values(m))
}
