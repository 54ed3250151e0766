package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
)

// The installation is what the vendor calls a tenant, and the only one there is.
const (
	tenantID   = "0000000000000001"
	tenantName = "default"
)

// Pages of the audit log.
const (
	defaultEvents = 256
	maxEvents     = 1024
)

// begin says who acts, to whatever the handler calls, and gives the route's event to the first
// transaction that changes something.
func (c *call) begin(route route) context.Context {
	ctx := store.WithActor(c.r.Context(), c.who.Actor(request.Address(c.r), request.Of(c.r.Context()).ID))
	if what, _ := route.recording(); what.event != "" && !what.often {
		ctx, c.event = store.WithPending(ctx, c.what(what.event))
	}
	c.r = c.r.WithContext(ctx)
	return ctx
}

// what is an event with what the path names.
func (c *call) what(event string) store.AuditEvent {
	e := store.AuditEvent{Type: event, Details: map[string]any{}, Names: map[string]string{}}
	projectID := c.projectID
	if c.source != nil {
		projectID = c.source.ProjectID
		e.Sources, e.Names[c.source.ID] = []string{c.source.ID}, c.source.Project+"/"+c.source.Name
	}
	if projectID != "" {
		e.Projects, e.Names[projectID] = []string{projectID}, c.project
	} else { // it need not be there yet
		for _, name := range []string{"project", "source", "name"} {
			if value := c.r.PathValue(name); value != "" {
				e.Details[name] = value
			}
		}
	}
	if c.user != nil {
		e.Users = []string{c.user.ID}
	}
	for _, name := range []string{"integration", "object", "id", "token"} {
		if value := c.r.PathValue(name); value != "" {
			e.Details[name] = value
		}
	}
	return e
}

// record writes what a call that went well leaves in the audit log, if nothing did yet. What cannot be
// recorded is not answered.
func (a *API) record(ctx context.Context, c *call, route route) error {
	what, _ := route.recording()
	switch {
	case what.event == "":
		return nil
	case !what.often:
		return a.store.AuditPending(ctx)
	}
	subject := ""
	if c.source != nil {
		subject = c.source.ID
	}
	e := c.what(what.event)
	delete(e.Details, "object") // one event stands for many records
	delete(e.Details, "id")
	return a.store.AuditOften(ctx, e, subject, c.rows)
}

// queryAudit gives a page of the audit log, newest first, in the vendor's shape: every id that an
// event has is in one of the lookups.
func (a *API) queryAudit(c *call) (reply, error) {
	q, err := readAuditQuery(c.r)
	if err != nil {
		return nil, err
	}
	events, more, err := a.store.AuditEvents(c.r.Context(), q)
	if err != nil {
		return nil, err
	}
	c.rows = int64(len(events))
	found := newAuditNames()
	list := make([]wireEvent, len(events))
	for i, e := range events {
		list[i] = found.event(e)
	}
	out := reply{
		"audit_events": list, "datasets": []struct{}{}, "triggers": []struct{}{},
		"tenants":  []wireNamed{{ID: tenantID, Name: tenantName}},
		"users":    sorted(found.users, func(u wireAuditUser) string { return u.ID }),
		"projects": sorted(found.projects, func(p wireNamed) string { return p.ID }),
		"sources":  sorted(found.sources, func(s wireNamed) string { return s.ID }),
	}
	if more {
		out["continuation"] = events[len(events)-1].Key().String()
	}
	return out, nil
}

func readAuditQuery(r *http.Request) (store.AuditQuery, error) {
	q := store.AuditQuery{Limit: defaultEvents}
	raw, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return q, err
	}
	if err != nil {
		return q, fault.Wrap(fault.Invalid, err, "the body did not arrive whole")
	}
	var body struct {
		Filter struct {
			Timestamp struct {
				Minimum *time.Time `json:"minimum"`
				Maximum *time.Time `json:"maximum"`
			} `json:"timestamp"`
		} `json:"filter"`
		Limit        *int    `json:"limit"`
		Continuation *string `json:"continuation"`
	}
	if len(strings.TrimSpace(string(raw))) > 0 {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil || d.More() {
			return q, fault.Wrap(fault.Invalid, err, `the body is not {"filter": {"timestamp": {"minimum", "maximum"}}, "limit", "continuation"}, with times in RFC 3339`)
		}
	}
	q.From, q.To = body.Filter.Timestamp.Minimum, body.Filter.Timestamp.Maximum
	if body.Limit != nil {
		if q.Limit = *body.Limit; q.Limit < 1 || q.Limit > maxEvents {
			return q, fault.New(fault.Invalid, "limit is %d, want 1 to %d", q.Limit, maxEvents)
		}
	}
	if body.Continuation != nil && *body.Continuation != "" {
		q.After, err = store.ReadAuditKey(*body.Continuation)
	}
	return q, err
}

// wireEvent is an event in the vendor's shape, and below it what is ours.
type wireEvent struct {
	ID        string    `json:"event_id"`
	Type      string    `json:"event_type"`
	Timestamp timestamp `json:"timestamp"`
	ActorUser string    `json:"actor_user_id"` // made up for whoever is no user here; in users like the others
	ActorOf   string    `json:"actor_tenant_id"`
	Tenants   []string  `json:"tenant_ids"`
	Users     []string  `json:"user_ids"`
	Sources   []string  `json:"source_ids"`
	Datasets  []string  `json:"dataset_ids"`
	Triggers  []string  `json:"trigger_ids"`
	Projects  []string  `json:"project_ids"`

	Actor    wireActor       `json:"actor"`
	Details  json.RawMessage `json:"details"`
	Requests *int64          `json:"requests,omitempty"` // of an event that stands for many
	Rows     *int64          `json:"rows,omitempty"`
}

type wireActor struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	TokenID   string `json:"token_id,omitempty"`
	Address   string `json:"address,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

type wireNamed struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	TenantID string `json:"tenant_id,omitempty"`
}

type wireAuditUser struct {
	ID          string `json:"id"`
	TenantID    string `json:"tenant_id"`
	Username    string `json:"username"`
	Email       string `json:"email"`
	DisplayName string `json:"display_name"`
}

// auditNames gathers what the ids of a page's events stand for.
type auditNames struct {
	users    map[string]wireAuditUser
	projects map[string]wireNamed
	sources  map[string]wireNamed
}

func newAuditNames() *auditNames {
	return &auditNames{users: map[string]wireAuditUser{}, projects: map[string]wireNamed{}, sources: map[string]wireNamed{}}
}

func (l *auditNames) event(e store.AuditRecord) wireEvent {
	w := wireEvent{
		ID: e.EventID(), Type: e.Type, Timestamp: timestamp(e.At), ActorUser: l.actor(e), ActorOf: tenantID, Tenants: []string{tenantID},
		Users: e.Users, Sources: e.Sources, Datasets: []string{}, Triggers: []string{}, Projects: e.Projects,
		Actor:   wireActor{e.Actor.Kind, e.Actor.Name, e.Actor.Token, e.Actor.Address, e.Actor.RequestID},
		Details: e.Details, Requests: e.Requests, Rows: e.Rows,
	}
	for _, id := range e.Users {
		l.user(id, e.Names[id])
	}
	for _, id := range e.Projects {
		l.projects[id] = wireNamed{id, e.Names[id], tenantID}
	}
	for _, id := range e.Sources {
		l.sources[id] = wireNamed{id, e.Names[id], tenantID}
	}
	return w
}

func (l *auditNames) user(id, email string) {
	name, _, _ := strings.Cut(email, "@")
	l.users[id] = wireAuditUser{ID: id, TenantID: tenantID, Username: name, Email: email, DisplayName: email}
}

// actor gives the id of who acted. Clients want every actor to be a user with an email: whoever is none
// here gets an id made of what is known of him, the same every time.
func (l *auditNames) actor(e store.AuditRecord) string {
	if e.Actor.UserID != "" {
		l.user(e.Actor.UserID, e.Actor.Name)
		return e.Actor.UserID
	}
	sum := sha256.Sum256([]byte(e.Actor.Kind + "\x00" + e.Actor.Name))
	id := hex.EncodeToString(sum[:8])
	name := e.Actor.Kind
	if e.Actor.Name != "" {
		name = fmt.Sprintf("%s %s", e.Actor.Kind, e.Actor.Name)
	}
	l.users[id] = wireAuditUser{ID: id, TenantID: tenantID, Username: name, Email: e.Actor.Kind + "@localhost", DisplayName: name}
	return id
}

func sorted[T any](found map[string]T, id func(T) string) []T {
	list := slices.AppendSeq([]T{}, maps.Values(found))
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(id(a), id(b)) })
	return list
}

// noLimit is what the vendor's clients can take at most.
const noLimit = 1<<32 - 1

// listQuotas says of what there is how much. Nothing here has a limit of its own; what AI units may be
// used is said by caps.
func (a *API) listQuotas(c *call) (reply, error) {
	if tenant := c.r.PathValue("tenant"); tenant != "" && tenant != tenantName && tenant != tenantID {
		return nil, fault.New(fault.NotFound, "there is no tenant %.100q: this installation is %q", tenant, tenantName)
	}
	uses, err := a.store.Quotas(c.r.Context())
	if err != nil {
		return nil, err
	}
	list := make([]wireQuota, len(uses))
	for i, u := range uses {
		list[i] = wireQuota{Kind: u.Kind, Limit: noLimit, Used: u.Used}
	}
	return reply{"quotas": list}, nil
}

type wireQuota struct {
	Kind  string `json:"quota_kind"`
	Limit int64  `json:"hard_limit"`
	Used  int64  `json:"current_max_usage"`
}
