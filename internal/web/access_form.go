package web

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// typed is what was typed into a form that is shown again, and what is wrong with it.
type typed struct {
	values url.Values
	wrong  map[string]string // by field
	status int               // of the answer that shows it
}

// readTyped reads the form of a request.
func readTyped(v *visit) (*typed, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the form did not arrive whole")
	}
	return &typed{values: v.r.PostForm, wrong: map[string]string{}}, nil
}

// Value is what was typed into a field. A nil form is an empty one.
func (t *typed) Value(field string) string {
	if t == nil {
		return ""
	}
	return t.values.Get(field)
}

// Chosen reports whether a value of a field that takes several was chosen.
func (t *typed) Chosen(field, value string) bool {
	return t != nil && slices.Contains(t.values[field], value)
}

// Wrong says what is wrong with a field; "" = nothing.
func (t *typed) Wrong(field string) string {
	if t == nil {
		return ""
	}
	return t.wrong[field]
}

// fieldProblem is what is wrong with one field.
type fieldProblem struct{ Field, Text string }

// Problems lists what is wrong, for the top of the page.
func (t *typed) Problems() []fieldProblem {
	if t == nil {
		return nil
	}
	var list []fieldProblem
	for _, field := range slices.Sorted(maps.Keys(t.wrong)) {
		list = append(list, fieldProblem{field, t.wrong[field]})
	}
	return list
}

// refuse names what is wrong at a field. It reports false for an error that is not about what was typed.
func (t *typed) refuse(field string, err error) bool {
	status := map[fault.Kind]int{
		fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusBadRequest, fault.Conflict: http.StatusConflict,
		fault.Forbidden: http.StatusForbidden, fault.Unauthenticated: http.StatusForbidden, fault.RateLimited: http.StatusTooManyRequests,
	}[fault.KindOf(err)]
	if status == 0 {
		return false
	}
	text := sentence(err)
	if hint := hintSentence(err); hint != "" {
		text += " " + hint
	}
	t.wrong[field], t.status = text, status
	return true
}

// sound reports whether nothing is wrong yet.
func (t *typed) sound() bool { return len(t.wrong) == 0 }

// answer is the status of the page that shows the form.
func (t *typed) answer() int {
	if t == nil || t.status == 0 {
		return http.StatusOK
	}
	return t.status
}

// AuditStore keeps what is done; *store.Store is one.
type AuditStore interface {
	AuditPending(ctx context.Context) error
	AuditOften(ctx context.Context, e store.AuditEvent, sourceID string, rows int64) error
	AuditEvents(ctx context.Context, q store.AuditQuery) ([]store.AuditRecord, bool, error)
}

// recorded does something that leaves an event in the audit log, with the first transaction that changes
// something: what cannot be recorded is not done.
func (web *Web) recorded(v *visit, e store.AuditEvent, do func(ctx context.Context) error) error {
	ctx, _ := store.WithPending(v.r.Context(), e)
	if err := do(ctx); err != nil {
		return err
	}
	return web.store.AuditPending(ctx)
}

// accessPlaces are the pages below Access that a visitor may see.
func (web *Web) accessPlaces(v *visit, projects []store.Project) []place {
	var list []place
	if listsUsers(v.who, projects) {
		list = append(list, place{Label: "Users", Path: "/access"})
	}
	list = append(list, place{Label: "Roles", Path: "/access/roles"}, place{Label: "API tokens", Path: "/access/tokens"})
	if v.who.CanGlobally(access.AuditRead) {
		list = append(list, place{Label: "Audit log", Path: "/access/audit"})
	}
	return append(list, place{Label: "My account", Path: "/access/account"})
}

// accessPage is the frame of the pages below Access.
type accessPage struct {
	page
	Here []place
}

// accessFrame makes the frame, with the notification that waits for this browser.
func (web *Web) accessFrame(v *visit, title, path string) (accessPage, error) {
	if v.projects == nil {
		var err error
		if v.projects, err = web.store.Projects(v.r.Context()); err != nil {
			return accessPage{}, err
		}
	}
	frame, err := web.open(v, title)
	p := accessPage{page: frame, Here: web.accessPlaces(v, v.projects)}
	for i := range p.Here {
		p.Here[i].Here = p.Here[i].Path == path
	}
	return p, err
}

// listsUsers reports whether somebody may see any user but themselves.
func listsUsers(who *access.Principal, projects []store.Project) bool {
	return who.CanGlobally(access.TenantAdmin) || who.CanEverywhere(access.UsersRead) || len(who.ProjectsWith(projects, access.UsersRead)) > 0
}
