package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// AuditKey is an event's place in the log.
type AuditKey struct {
	At time.Time
	ID int64
}

// String writes the place as one word, for an address or a client that comes back.
func (k AuditKey) String() string {
	raw, _ := json.Marshal(k) // times read from PostgreSQL always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ReadAuditKey reads what String wrote; fault.Invalid for anything else.
func ReadAuditKey(text string) (*AuditKey, error) {
	var key AuditKey
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &key) != nil || key.ID < 1 || key.At.Year() > 9999 {
		return nil, fault.New(fault.Invalid, "continuation is not one of this log: send it as it was received")
	}
	return &key, nil
}

// AuditQuery asks for a page of the log, newest first. From and To are inclusive, nil is open; After is
// the last event of the page before. Of the others "" is any.
type AuditQuery struct {
	From, To *time.Time
	Actor    string // the name of who acted, whole
	Type     string // an event, or the part of several before the dot: integration
	Project  string // by the name it had
	After    *AuditKey
	Limit    int
}

// AuditRecord is an event of the log.
type AuditRecord struct {
	ID       int64
	Type     string
	At       time.Time
	Actor    Actor
	Projects []string
	Sources  []string
	Users    []string
	Names    map[string]string // of these ids and of the actor's, as they were then
	Details  json.RawMessage
	// Requests and Rows are of an event that stands for many; else nil.
	Requests, Rows *int64
}

// Key is the event's place in the log.
func (r AuditRecord) Key() AuditKey { return AuditKey{At: r.At, ID: r.ID} }

// EventID is the event's id as the API shows it.
func (r AuditRecord) EventID() string { return fmt.Sprintf("%016x", r.ID) }

// AuditEvents lists a page of the log, newest first. more says that there are others.
func (s *Store) AuditEvents(ctx context.Context, q AuditQuery) (page []AuditRecord, more bool, err error) {
	const op = "read the audit log"
	args := pgx.NamedArgs{"from": q.From, "to": q.To, "actor": q.Actor, "type": q.Type, "project": q.Project, "limit": q.Limit + 1, "at": nil, "id": nil}
	where := `true`
	if q.From != nil {
		where += ` and e.at >= @from`
	}
	if q.To != nil {
		where += ` and e.at <= @to`
	}
	if q.Actor != "" {
		where += ` and e.actor_name in (@actor, lower(@actor))`
	}
	switch {
	case q.Type == "":
	case strings.Contains(q.Type, "."):
		where += ` and e.type = @type`
	default:
		where += ` and split_part(e.type, '.', 1) = @type`
	}
	if q.Project != "" {
		where += ` and exists (select from unnest(e.project_ids) id where e.names ->> id = @project)`
	}
	if q.After != nil {
		where += ` and (e.at, e.id) < (@at, @id)`
		args["at"], args["id"] = q.After.At, q.After.ID
	}
	rows, err := s.pool.Query(ctx, `
		select e.id, e.type, e.at, e.actor, coalesce(e.actor_user_id, ''), coalesce(e.actor_token, ''), e.actor_name, e.address, e.request_id,
		       e.project_ids, e.source_ids, e.user_ids, e.names, e.details, c.requests, c.rows
		  from audit_events e left join audit_counts c on c.event = e.id
		 where `+where+` order by e.at desc, e.id desc limit @limit`, args)
	if err != nil {
		return nil, false, translate(op, err)
	}
	page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (AuditRecord, error) {
		var r AuditRecord
		err := row.Scan(&r.ID, &r.Type, &r.At, &r.Actor.Kind, &r.Actor.UserID, &r.Actor.Token, &r.Actor.Name, &r.Actor.Address, &r.Actor.RequestID,
			&r.Projects, &r.Sources, &r.Users, &r.Names, &r.Details, &r.Requests, &r.Rows)
		return r, err
	})
	if err != nil {
		return nil, false, translate(op, err)
	}
	if len(page) > q.Limit {
		return page[:q.Limit], true, nil
	}
	return page, false, nil
}

// QuotaUse is how much there is of something that the comments API has a quota for.
type QuotaUse struct {
	Kind string
	Used int64
}

// estimateFrom is the number of comments from which on PostgreSQL's estimate of it is good enough: counting
// ten million takes seconds.
const estimateFrom = 1_000_000

// Quotas counts what there is, by the kinds of the comments API.
func (s *Store) Quotas(ctx context.Context) ([]QuotaUse, error) {
	rows, err := s.pool.Query(ctx, `
		select 'comments', case when (select reltuples from pg_class where oid = 'comments'::regclass) >= $1
			then (select reltuples::bigint from pg_class where oid = 'comments'::regclass)
			else (select count(*) from comments where deleted_at is null) end
		union all select 'integrations', (select count(*) from integrations)
		union all select 'projects', (select count(*) from projects)
		union all select 'sources', (select count(*) from sources)
		union all select 'users', (select count(*) from users where disabled_at is null)`, estimateFrom)
	if err != nil {
		return nil, translate("count what there is", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[QuotaUse])
	return list, translate("count what there is", err)
}
