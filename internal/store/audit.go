package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Who may act.
const (
	ActorUser       = "user"       // a person who is signed in
	ActorToken      = "token"      // a program with a user's token
	ActorStarter    = "starter"    // somebody at the command line
	ActorSalesforce = "salesforce" // an administrator there, by a link
	ActorSystem     = "system"     // nobody: the programs themselves
)

// Types of events. They are a contract with whoever evaluates the log.
const (
	EventIntegrationApplied      = "integration.applied"
	EventIntegrationDesired      = "integration.desired" // paused, resumed, disconnected, deleted: details say
	EventIntegrationDeleted      = "integration.deleted"
	EventIntegrationConnected    = "integration.connected"
	EventIntegrationDisconnected = "integration.disconnected"
	EventIntegrationSignalled    = "integration.signalled" // to its workflow, by hand
	EventLinkCreated             = "integration.link_created"
	EventSyncRequested           = "integration.sync_requested"
	EventResyncRequested         = "integration.resync_requested"
	EventBackfillRequested       = "integration.backfill_requested"
	EventBackfillSteered         = "integration.backfill_steered"
	EventRetransformRequested    = "integration.retransform_requested"
	EventRetransformCancelled    = "integration.retransform_cancelled"
	EventDeliveryRequested       = "integration.delivery_requested" // of all comments, once more
	EventKeysRotated             = "keys.rotated"
	EventKeyAbandoned            = "keys.abandoned" // lost, and with it what it sealed
	EventSignedIn                = "user.signed_in"
	EventPasswordChosen          = "user.password_chosen"
	EventPasswordLinkCreated     = "user.password_link_created"
	EventPasswordChanged         = "user.password_changed"
	EventSessionsEnded           = "user.sessions_ended"
	EventUserCreated             = "user.created"
	EventUserChanged             = "user.changed"
	EventUserDisabled            = "user.disabled"
	EventUserEnabled             = "user.enabled"
	EventUserRemoved             = "user.removed"
	EventTokenCreated            = "token.created"
	EventTokenRevoked            = "token.revoked"
	EventProjectCreated          = "project.created"
	EventProjectChanged          = "project.changed"
	EventProjectDeleted          = "project.deleted"
	EventSourceCreated           = "source.created"
	EventSourceChanged           = "source.changed"
	EventSourceDeleted           = "source.deleted"
	EventCommentsRead            = "comments.read"
	EventCommentsSearched        = "comments.searched"
	EventCommentsFollowed        = "comments.followed"
	EventCommentRevisionsRead    = "comments.revisions_read"
	EventCommentsWritten         = "comments.written"
	EventCommentsDeleted         = "comments.deleted"
	EventCommentsForgotten       = "comments.forgotten" // erased on request
	EventRawRead                 = "records.read_raw"
	EventUsageExported           = "usage.exported"
	EventAuditRead               = "audit.read"
)

// Actor is who does something. Its zero value is the system.
type Actor struct {
	Kind      string
	UserID    string // of a user, and of a token its user
	Token     string // the token's id
	Name      string
	Address   string
	RequestID string
}

// key names the actor in one word.
func (a Actor) key() string {
	switch {
	case a.Token != "":
		return a.Kind + ":" + a.Token
	case a.UserID != "":
		return a.Kind + ":" + a.UserID
	}
	return a.Kind + ":" + a.Name
}

// AuditEvent is something that was done.
type AuditEvent struct {
	Type     string
	Projects []string // ids
	Sources  []string
	Users    []string       // that it was done to
	Details  map[string]any // becomes JSON; never a secret, never a text
	// Names of ids that may be gone when the event is written; those that are there are read.
	Names map[string]string
}

type auditKey struct{}

// acting is what a context knows of the one who acts.
type acting struct {
	actor   Actor
	pending *Pending
}

func actingOf(ctx context.Context) acting {
	a, _ := ctx.Value(auditKey{}).(acting)
	if a.actor.Kind == "" {
		a.actor.Kind = ActorSystem
	}
	return a
}

// WithActor says who does what is done with the context.
func WithActor(ctx context.Context, a Actor) context.Context {
	before := actingOf(ctx)
	before.actor = a
	return context.WithValue(ctx, auditKey{}, before)
}

// Pending is an event that is to be written with the first transaction that changes something, by
// whatever function of the store, or by [Store.AuditPending] when nothing did.
type Pending struct {
	mu      sync.Mutex
	event   AuditEvent
	noted   bool // the transaction that is under way has written it
	written bool
}

// WithPending makes e the event of what is done with the context.
func WithPending(ctx context.Context, e AuditEvent) (context.Context, *Pending) {
	a := actingOf(ctx)
	a.pending = &Pending{event: e}
	return context.WithValue(ctx, auditKey{}, a), a.pending
}

// Note adds a detail. It does nothing once the event is written, nor to nil.
func (p *Pending) Note(key string, value any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	details := maps.Clone(p.event.Details)
	if details == nil {
		details = map[string]any{}
	}
	details[key] = value
	p.event.Details = details
}

// take gives the event, unless it is written.
func (p *Pending) take() (AuditEvent, bool) {
	if p == nil {
		return AuditEvent{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.event, !p.written
}

func (p *Pending) set(noted, written bool) {
	if p != nil {
		p.mu.Lock()
		p.noted, p.written = noted, p.written || written
		p.mu.Unlock()
	}
}

// within writes the event with a transaction that has changed something, unless a function that knew
// more about it did.
func (p *Pending) within(ctx context.Context, tx pgx.Tx) error {
	e, open := p.take()
	if !open {
		return nil
	}
	p.mu.Lock()
	noted := p.noted
	p.mu.Unlock()
	var changed bool
	if err := tx.QueryRow(ctx, `select pg_current_xact_id_if_assigned() is not null`).Scan(&changed); err != nil || !changed || noted {
		return err
	}
	if _, err := writeEvent(ctx, tx, actingOf(ctx).actor, e); err != nil {
		return err
	}
	p.set(true, false)
	return nil
}

// over is called when a transaction has ended.
func (p *Pending) over(committed bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = p.written || committed && p.noted
	p.noted = false
}

// Audit writes an event in a transaction of its own.
func (s *Store) Audit(ctx context.Context, e AuditEvent) error {
	_, err := writeEvent(ctx, s.pool, actingOf(ctx).actor, e)
	return translate("write the audit log", err)
}

// AuditPending writes the context's event, if no transaction did.
func (s *Store) AuditPending(ctx context.Context) error {
	a := actingOf(ctx)
	e, open := a.pending.take()
	if !open {
		return nil
	}
	err := s.Audit(ctx, e)
	if err == nil {
		a.pending.set(false, true)
	}
	return err
}

// audited writes e with a transaction, in place of the context's event, whose ids and details it takes
// over: whoever makes the change knows best what it is.
func audited(ctx context.Context, tx pgx.Tx, e AuditEvent) error {
	a := actingOf(ctx)
	if p, open := a.pending.take(); open {
		e.Projects, e.Sources, e.Users = union(e.Projects, p.Projects), union(e.Sources, p.Sources), union(e.Users, p.Users)
		if e.Names == nil {
			e.Names = p.Names
		}
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		for key, value := range p.Details {
			if _, said := e.Details[key]; !said {
				e.Details[key] = value
			}
		}
	}
	_, err := writeEvent(ctx, tx, a.actor, e)
	if err == nil {
		a.pending.set(true, false)
	}
	return err
}

func union(a, b []string) []string {
	for _, id := range b {
		if !slices.Contains(a, id) {
			a = append(slices.Clone(a), id)
		}
	}
	return a
}

// auditedIntegration is audited for something done to an integration.
func auditedIntegration(ctx context.Context, tx pgx.Tx, kind, integrationID string, details map[string]any) error {
	e := AuditEvent{Type: kind, Details: map[string]any{}}
	var project, source, name string
	err := tx.QueryRow(ctx, `
		select i.project_id, i.source_id, p.name || '/' || i.name from integrations i join projects p on p.id = i.project_id where i.id = $1`,
		integrationID).Scan(&project, &source, &name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // whoever did it says that there is none
	}
	if err != nil {
		return err
	}
	maps.Copy(e.Details, details)
	e.Projects, e.Sources, e.Details["integration"] = []string{project}, []string{source}, name
	return audited(ctx, tx, e)
}

// auditedUser is audited for a user who has just shown to be one.
func auditedUser(ctx context.Context, tx pgx.Tx, kind, userID string) error {
	a := actingOf(ctx).actor
	a.Kind, a.UserID, a.Token = ActorUser, userID, ""
	if err := tx.QueryRow(ctx, `select email from users where id = $1`, userID).Scan(&a.Name); err != nil {
		return err
	}
	return audited(WithActor(ctx, a), tx, AuditEvent{Type: kind, Users: []string{userID}})
}

// spanDetails says which rows of an object are asked for.
func spanDetails(object string, from, until time.Time) map[string]any {
	d := map[string]any{"object": object}
	if !from.IsZero() {
		d["from"] = from.UTC()
	}
	if !until.IsZero() {
		d["until"] = until.UTC()
	}
	return d
}

// writer runs a statement that gives a row.
type writer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func writeEvent(ctx context.Context, q writer, a Actor, e AuditEvent) (id int64, err error) {
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	if e.Names == nil {
		e.Names = map[string]string{}
	}
	err = q.QueryRow(ctx, `
		insert into audit_events (type, actor, actor_user_id, actor_token, actor_name, address, request_id, project_ids, source_ids, user_ids, names, details)
		select @type, @actor, nullif(@user, ''), nullif(@token, ''), @name, @address, @request, @projects, @sources, @users, @names::jsonb || coalesce((
			select jsonb_object_agg(id, name) from (
				select id, name from projects where id = any(@projects)
				union all select s.id, p.name || '/' || s.name from sources s join projects p on p.id = s.project_id where s.id = any(@sources)
				union all select id, email from users where id = any(@users) or id = @user) n), '{}'), @details
		returning id`, pgx.NamedArgs{
		"type": e.Type, "actor": a.Kind, "user": a.UserID, "token": a.Token, "name": a.Name, "address": a.Address, "request": a.RequestID,
		"projects": notNil(e.Projects), "sources": notNil(e.Sources), "users": notNil(e.Users), "details": e.Details, "names": e.Names}).Scan(&id)
	return id, err
}

func notNil(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}

// AuditOften counts an event of which there are many alike: the first of a caller, a source and an hour is
// written as an event, the others raise its numbers. sourceID may be "".
func (s *Store) AuditOften(ctx context.Context, e AuditEvent, sourceID string, rows int64) error {
	const op = "write the audit log"
	a := actingOf(ctx).actor
	for range 2 {
		// A crash of PostgreSQL may forget the last second's counting, which is worth not waiting for the disk.
		tag, err := s.pool.Exec(ctx, `
			update audit_counts set requests = requests + 1, rows = rows + $4
			from (select set_config('synchronous_commit', 'off', true)) soon
			where actor = $1 and type = $2 and subject = $3 and hour = date_trunc('hour', now())`, a.key(), e.Type, sourceID, rows)
		if err != nil || tag.RowsAffected() > 0 {
			return translate(op, err)
		}
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			id, err := writeEvent(ctx, tx, a, e)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `
				insert into audit_counts (event, type, actor, subject, hour, requests, rows) values ($1, $2, $3, $4, date_trunc('hour', now()), 1, $5)`,
				id, e.Type, a.key(), sourceID, rows)
			return err
		})
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != uniqueViolation {
			return translate(op, err)
		}
		// Somebody else was first: count on theirs.
	}
	return nil
}
