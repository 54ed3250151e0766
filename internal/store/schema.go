package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// SchemaLookEvery is how often describe is asked whether anything changed.
const SchemaLookEvery = 15 * time.Minute

// Description is what describe last said of an object to the integration user.
type Description struct {
	Object       string          // Salesforce API name
	Visible      bool            // false: describe says that there is no such object
	Incomplete   bool            // a field that the file needs, or would like, is not in it
	Description  json.RawMessage // salesforce.Object, shortened; the last one seen when it is hidden now
	LastModified string          // Salesforce's own mark
	WholeAt      time.Time       // when all of it was last read; the zero time in what is saved means now
}

// Descriptions reads what describe last said of the integration's objects and their parents.
func (s *Store) Descriptions(ctx context.Context, integrationID string) ([]Description, error) {
	rows, err := s.pool.Query(ctx, `
		select object, visible, incomplete, description, last_modified, whole_at from descriptions
		where integration_id = $1 order by object`, integrationID)
	if err != nil {
		return nil, translate("read the descriptions", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Description])
	return list, translate("read the descriptions", err)
}

// SaveLook notes that describe was asked and said nothing new, and of which objects all
// was read. The next look is due after the usual time, or after retry if that is not 0.
func (s *Store) SaveLook(ctx context.Context, integrationID string, whole []Description, retry time.Duration) error {
	return s.inTx(ctx, "note the look at the schema", func(tx pgx.Tx) error {
		for _, d := range whole {
			if _, err := tx.Exec(ctx, `
				update descriptions set last_modified = $3, asked_at = now(), whole_at = now()
				where integration_id = $1 and object = $2`, integrationID, d.Object, d.LastModified); err != nil {
				return err
			}
		}
		ago := time.Duration(0)
		if retry > 0 {
			ago = SchemaLookEvery - retry
		}
		_, err := tx.Exec(ctx, `update integrations set schema_looked_at = now() - $2::interval where id = $1`, integrationID, ago)
		return err
	})
}

// The kinds of schema events.
const (
	ObjectHidden  = "object_hidden"
	ObjectVisible = "object_visible"
	FieldHidden   = "field_hidden"
	FieldVisible  = "field_visible"
	FieldsAdded   = "fields_added"
	FieldsRemoved = "fields_removed"
	TypeChanged   = "type_changed"
)

// SchemaEvent is a change of Salesforce's schema, or of the integration user's rights.
// One that is not resolved is an alert: what was read before is hidden now.
type SchemaEvent struct {
	Object     string     `json:"object"` // that has the field; may be a parent
	Field      string     `json:"field"`  // "" = the object itself; several, separated by commas, for FieldsAdded and FieldsRemoved
	Kind       string     `json:"kind"`
	Message    string     `json:"message"`
	Hint       string     `json:"hint"`
	At         time.Time  `json:"at"`
	ResolvedAt *time.Time `json:"resolved_at"`
}

const selectEvents = `select object, field, kind, message, hint, at, resolved_at from schema_events where integration_id = $1 `

// Alerts reads the integration's open alerts, oldest first.
func (s *Store) Alerts(ctx context.Context, integrationID string) ([]SchemaEvent, error) {
	return s.schemaEvents(ctx, selectEvents+`and resolved_at is null order by id`, integrationID)
}

// SchemaEvents reads the integration's latest events, newest first, resolved or not.
func (s *Store) SchemaEvents(ctx context.Context, integrationID string, limit int) ([]SchemaEvent, error) {
	return s.schemaEvents(ctx, selectEvents+`order by id desc limit $2`, integrationID, limit)
}

func (s *Store) schemaEvents(ctx context.Context, query string, args ...any) ([]SchemaEvent, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, translate("read the schema events", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SchemaEvent])
	return list, translate("read the schema events", err)
}

// CountAlerts counts the open alerts of all integrations that are to run, by kind.
func (s *Store) CountAlerts(ctx context.Context) (map[string]int64, error) {
	rows, err := s.pool.Query(ctx, `
		select e.kind, count(*) from schema_events e join integrations i on i.id = e.integration_id
		where e.resolved_at is null and i.desired = 'running' group by e.kind`)
	if err != nil {
		return nil, translate("count the alerts", err)
	}
	counts := map[string]int64{}
	var kind string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &n}, func() error { counts[kind] = n; return nil })
	return counts, translate("count the alerts", err)
}

// Schema is what a check found out about Salesforce's schema and the user's rights.
type Schema struct {
	Described []Description // of every object and parent that was asked for; the others are forgotten
	Alerts    []SchemaEvent // everything that is to be open; what is open besides is resolved
	News      []SchemaEvent // what happened and needs nobody
	Report    json.RawMessage
	Answered  int64 // Target.CheckRequests when the check began
}

func saveSchema(ctx context.Context, tx pgx.Tx, integrationID string, c Schema) error {
	objects := make([]string, 0, len(c.Described))
	for _, d := range c.Described {
		objects = append(objects, d.Object)
		if _, err := tx.Exec(ctx, `
			insert into descriptions (integration_id, object, visible, incomplete, description, last_modified)
			values ($1, $2, $3, $4, $5, $6)
			on conflict (integration_id, object) do update set
				visible = excluded.visible, incomplete = excluded.incomplete, last_modified = excluded.last_modified,
				description = case when excluded.visible then excluded.description else descriptions.description end,
				asked_at = now(), whole_at = now()`,
			integrationID, d.Object, d.Visible, d.Incomplete, d.Description, d.LastModified); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `delete from descriptions where integration_id = $1 and not object = any($2)`, integrationID, objects); err != nil {
		return err
	}
	open := make([]string, 0, len(c.Alerts))
	for _, e := range c.Alerts {
		open = append(open, e.Object+"\x1f"+e.Field+"\x1f"+e.Kind)
		if _, err := tx.Exec(ctx, `
			insert into schema_events (integration_id, object, field, kind, message, hint) values ($1, $2, $3, $4, $5, $6)
			on conflict (integration_id, object, field, kind) where resolved_at is null
			do update set message = excluded.message, hint = excluded.hint
			where (schema_events.message, schema_events.hint) is distinct from (excluded.message, excluded.hint)`,
			integrationID, e.Object, e.Field, e.Kind, e.Message, e.Hint); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `
		update schema_events set resolved_at = now()
		where integration_id = $1 and resolved_at is null
		  and not object || chr(31) || field || chr(31) || kind = any($2)`, integrationID, open); err != nil {
		return err
	}
	for _, e := range c.News {
		if _, err := tx.Exec(ctx, `
			insert into schema_events (integration_id, object, field, kind, message, hint, resolved_at)
			values ($1, $2, $3, $4, $5, $6, now())`,
			integrationID, e.Object, e.Field, e.Kind, e.Message, e.Hint); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		update integrations set schema_looked_at = now(), checks_answered = greatest(checks_answered, $2),
			check_report = coalesce($3, check_report),
			check_reported_at = case when $3::jsonb is null then check_reported_at else now() end
		where id = $1`, integrationID, c.Answered, nullBytes(c.Report))
	return err
}

// RequestCheck asks for a check as soon as possible and wakes whoever watches. It returns
// the number of the request: a report with at least that number in Answered answers it.
func (s *Store) RequestCheck(ctx context.Context, integrationID string) (request int64, err error) {
	err = s.inTx(ctx, "ask for a check", func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `update integrations set check_requests = check_requests + 1 where id = $1 returning check_requests`,
			integrationID).Scan(&request); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
	return request, err
}

// checkAgain asks for a check when the last one refused an object or found something hidden: whoever
// asks for news, or lets an integration go on, may have given a right back, and would else wait for the
// next check without knowing it. Where nothing is wrong there is nothing to ask for.
func checkAgain(ctx context.Context, tx pgx.Tx, integrationID string) error {
	_, err := tx.Exec(ctx, `
		update integrations i set check_requests = i.check_requests + 1
		where i.id = $1 and (
			exists (select from objects o where o.integration_id = i.id and o.state = 'config_invalid')
			or exists (select from schema_events e where e.integration_id = i.id and e.resolved_at is null))`, integrationID)
	return err
}

// StoredReport is the report of an integration's last check; Report is null before the first.
type StoredReport struct {
	Report   json.RawMessage
	At       *time.Time
	Answered int64
}

// CheckReport reads the report of the integration's last check.
func (s *Store) CheckReport(ctx context.Context, integrationID string) (StoredReport, error) {
	var r StoredReport
	err := s.pool.QueryRow(ctx, `select check_report, check_reported_at, checks_answered from integrations where id = $1`, integrationID).
		Scan(&r.Report, &r.At, &r.Answered)
	if err = translate("read the report of the last check", err); fault.Is(err, fault.NotFound) {
		return r, fault.New(fault.NotFound, "the integration is gone")
	}
	return r, err
}
