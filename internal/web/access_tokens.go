package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Own manages what is a visitor's own; *access.Service does.
type Own interface {
	OwnTokens(ctx context.Context, who access.Principal) ([]store.Token, error)
	CreateOwnToken(ctx context.Context, who access.Principal, t access.NewToken) (store.Token, secret.Text, error)
	RevokeOwnToken(ctx context.Context, who access.Principal, id string) error
	OwnSessions(ctx context.Context, who access.Principal, session secret.Text) ([]store.Session, error)
	EndOwnSessions(ctx context.Context, who access.Principal, session secret.Text) (int64, error)
	ChangePassword(ctx context.Context, who access.Principal, present, next secret.Text, address string) (session secret.Text, err error)
}

// tokenLives are the lives of a token that a form offers, in days.
var tokenLives = []int{7, 30, 90, 365}

const defaultTokenLife = 90

type tokensPage struct {
	accessPage
	Tokens      []tokenLine
	Form        *typed
	Lives       []int
	Life        int      // that is chosen; 0 = for ever
	On          []string // places of a scope
	Permissions []string
	Made        string // the name of a new token
	Secret      string // the token itself, shown once
}

type tokenLine struct {
	store.Token
	State  string // "" = it works
	May    []string
	Revoke string // path of the form that ends it; "" = it has ended
}

func toTokenLines(tokens []store.Token, path string, now time.Time) []tokenLine {
	var lines []tokenLine
	for _, t := range tokens {
		line := tokenLine{Token: t}
		switch {
		case t.RevokedAt != nil:
			line.State = "revoked"
		case t.ExpiresAt != nil && !t.ExpiresAt.After(now):
			line.State = "expired"
		default:
			line.Revoke = path + t.ID + "/revoke"
		}
		if t.Scope != nil {
			line.May = access.NoteGrants(t.Scope)
		}
		lines = append(lines, line)
	}
	// What works comes first; both parts are the newest first.
	slices.SortStableFunc(lines, func(a, b tokenLine) int { return cmp.Compare(min(len(a.State), 1), min(len(b.State), 1)) })
	return lines
}

// tokens lists the visitor's own API tokens.
func (web *Web) tokens(v *visit) error {
	return web.renderTokens(v, &tokensPage{Life: defaultTokenLife})
}

func (web *Web) renderTokens(v *visit, data *tokensPage) (err error) {
	if data.accessPage, err = web.accessFrame(v, "API tokens", "/access/tokens"); err != nil {
		return err
	}
	tokens, err := web.access.OwnTokens(v.r.Context(), *v.who)
	if err != nil {
		return err
	}
	data.Tokens, data.Lives = toTokenLines(tokens, "/access/tokens/", time.Now()), tokenLives
	data.On, data.Permissions = ownScopes(*v.who, v.projects)
	return web.render(v, data.Form.answer(), "tokens", data)
}

// ownScopes are the permissions that somebody has anywhere, and the places.
func ownScopes(who access.Principal, projects []store.Project) (places, permissions []string) {
	everywhere := false
	for _, permission := range access.Permissions() {
		all := who.CanEverywhere(permission) || who.CanGlobally(permission)
		everywhere = everywhere || all
		if all || len(who.ProjectsWith(projects, permission)) > 0 {
			permissions = append(permissions, permission)
		}
	}
	if everywhere {
		places = append(places, everyProject)
	}
	for _, p := range projects {
		if who.Knows(p.Name) {
			places = append(places, p.Name)
		}
	}
	return places, permissions
}

// createToken makes a token and shows it: with the answer itself, because it is kept nowhere.
func (web *Web) createToken(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	data := &tokensPage{Form: form}
	wanted := access.NewToken{Name: form.Value("name")}
	if data.Life, err = strconv.Atoi(cmp.Or(form.Value("days"), strconv.Itoa(defaultTokenLife))); err != nil || data.Life != 0 && !slices.Contains(tokenLives, data.Life) {
		data.Life = defaultTokenLife
		form.refuse("days", fault.New(fault.Invalid, "a token cannot live that long").WithHint("choose one of the list"))
	} else if data.Life > 0 {
		wanted.Expires = time.Now().Add(time.Duration(data.Life) * 24 * time.Hour)
	}
	e := store.AuditEvent{Type: store.EventTokenCreated, Details: map[string]any{"name": wanted.Name}}
	if form.Value("may") == "some" {
		if wanted.Scope, err = typedScope(form); err != nil && !form.refuse("scope", err) {
			return err
		}
		e.Details["scope"] = access.NoteGrants(wanted.Scope)
	}
	if form.sound() {
		var made store.Token
		var token secret.Text
		err := web.recorded(v, e, func(ctx context.Context) (err error) {
			made, token, err = web.access.CreateOwnToken(ctx, *v.who, wanted)
			return err
		})
		field := "name"
		if fault.Is(err, fault.Forbidden, fault.NotFound) {
			field = "scope"
		}
		if err != nil && !form.refuse(field, err) {
			return err
		}
		if err == nil {
			data.Form, data.Life = nil, defaultTokenLife
			data.Made, data.Secret = made.Name, token.Reveal()
		}
	}
	return web.renderTokens(v, data)
}

// typedScope reads the permissions that a token is to have, and where.
func typedScope(form *typed) ([]store.Grant, error) {
	scope := []store.Grant{}
	for _, permission := range form.values["permission"] {
		at := projectOf(form.Value("project"))
		if access.IsGlobal(permission) {
			at = "" // it is nowhere else
		}
		g, err := access.Grant(at, permission)
		if err != nil {
			return nil, err
		}
		scope = append(scope, g)
	}
	if len(scope) == 0 {
		return nil, fault.New(fault.Invalid, "no permission was chosen: the token could do nothing").WithHint("choose some, or all that you may do")
	}
	return scope, nil
}

// revokeToken ends a token of the visitor's own.
func (web *Web) revokeToken(v *visit) error {
	return web.revoke(v, "/access/tokens", func(ctx context.Context, id string) error { return web.access.RevokeOwnToken(ctx, *v.who, id) })
}

// revokeTokenOf ends a token of somebody else's.
func (web *Web) revokeTokenOf(v *visit) error {
	if err := web.named(v); err != nil {
		return err
	}
	return web.revoke(v, userPath(v.user.ID), func(ctx context.Context, id string) error { return web.access.RevokeTokenOf(ctx, v.user.ID, id) })
}

func (web *Web) revoke(v *visit, back string, end func(ctx context.Context, id string) error) error {
	id := v.r.PathValue("token")
	e := store.AuditEvent{Type: store.EventTokenRevoked, Details: map[string]any{"token": id}}
	if v.user != nil {
		e.Users = []string{v.user.ID}
	}
	if err := web.recorded(v, e, func(ctx context.Context) error { return end(ctx, id) }); err != nil {
		return err
	}
	return web.done(v, back, "The token is revoked: whatever used it is refused from now on.")
}

type rolesPage struct {
	accessPage
	Roles       []access.Role
	Permissions []rolesLine
}

type rolesLine struct {
	Permission string
	Has        []bool // by role
}

// roles shows what each role brings.
func (web *Web) roles(v *visit) error {
	frame, err := web.accessFrame(v, "Roles", "/access/roles")
	if err != nil {
		return err
	}
	data := rolesPage{accessPage: frame, Roles: access.Roles()}
	for _, permission := range access.Permissions() {
		line := rolesLine{Permission: permission}
		for _, role := range data.Roles {
			line.Has = append(line.Has, slices.Contains(role.Permissions, permission))
		}
		data.Permissions = append(data.Permissions, line)
	}
	return web.render(v, http.StatusOK, "roles", data)
}
