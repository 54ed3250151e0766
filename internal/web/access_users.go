package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// People manages users; *access.Service does.
type People interface {
	Users(ctx context.Context) ([]store.Account, error)
	UserFor(ctx context.Context, who access.Principal, id, permission string, projects []store.Project) (*store.Account, error)
	UserByID(ctx context.Context, id string) (*store.Account, error)
	NewUser(ctx context.Context, email, name string, grants []store.Grant) (id string, err error)
	Change(ctx context.Context, userID string, add, remove []store.Grant) error
	SetDisabled(ctx context.Context, userID string, disabled bool) error
	RemoveUser(ctx context.Context, userID string) error
	PasswordLink(ctx context.Context, who access.Principal, userID string) (secret.Text, error)
	LinkedUser(ctx context.Context, link secret.Text, address string) (email string, err error)
	ChoosePassword(ctx context.Context, link, password secret.Text, address string, before secret.Text) (session secret.Text, err error)
	TokensOf(ctx context.Context, userID string) ([]store.Token, error)
	RevokeTokenOf(ctx context.Context, userID, id string) error
}

// usersAtATime is how many users a page lists; those who look for one among more search.
const usersAtATime = 200

type usersPage struct {
	accessPage
	Users    []userLine
	Query    string
	More     int64 // found, and not listed
	MayAdd   bool
	Form     *typed
	Give     grantChoices
	OpenID   bool
	LinkDays int
}

type userLine struct {
	store.Account
	Path   string
	Grants []grantLine
	Self   bool
}

// users lists the users whom the visitor may see. Who may see none gets their own account.
func (web *Web) users(v *visit) error {
	projects, err := web.store.Projects(v.r.Context())
	if err != nil {
		return err
	}
	if !listsUsers(v.who, projects) {
		http.Redirect(v.w, v.r, "/access/account", http.StatusSeeOther)
		return nil
	}
	v.projects = projects
	return web.renderUsers(v, nil)
}

func (web *Web) renderUsers(v *visit, form *typed) error {
	frame, err := web.accessFrame(v, "Users", "/access")
	if err != nil {
		return err
	}
	all, err := web.access.Users(v.r.Context())
	if err != nil {
		return err
	}
	data := usersPage{accessPage: frame, Query: v.r.URL.Query().Get("q"), MayAdd: v.who.CanGlobally(access.TenantAdmin), Form: form,
		Give: grantsToGive(*v.who, v.projects), OpenID: web.openid != nil, LinkDays: int(access.PasswordLinkLife / (24 * time.Hour))}
	wanted := strings.ToLower(strings.TrimSpace(data.Query))
	for _, u := range all {
		if !access.SeesUser(*v.who, u, v.projects, access.UsersRead) || !strings.Contains(u.Email, wanted) {
			continue
		}
		if len(data.Users) == usersAtATime {
			data.More++
			continue
		}
		data.Users = append(data.Users, userLine{Account: u, Path: userPath(u.ID), Grants: seenGrants(*v.who, u), Self: u.ID == v.who.UserID})
	}
	return web.render(v, form.answer(), "users", data)
}

func userPath(id string) string { return "/access/users/" + id }

// seenGrants are a user's grants that a visitor may see.
func seenGrants(who access.Principal, u store.Account) []grantLine {
	var list []grantLine
	for _, g := range u.Grants {
		if access.SeesGrant(who, g) {
			list = append(list, toGrantLine(who, g))
		}
	}
	return list
}

// createUser adds a user, and shows the link with which the user chooses a password.
func (web *Web) createUser(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	var grants []store.Grant
	if form.Value("role") != "" {
		g, err := typedGrant(form)
		if err == nil {
			err = access.MayChange(*v.who, []store.Grant{g}, nil)
		}
		if err != nil && !form.refuse("role", err) {
			return err
		}
		grants = append(grants, g)
	}
	var id string
	if form.sound() {
		e := store.AuditEvent{Type: store.EventUserCreated, Details: map[string]any{"email": form.Value("email"), "granted": access.NoteGrants(grants)}}
		err := web.recorded(v, e, func(ctx context.Context) (err error) {
			id, err = web.access.NewUser(ctx, form.Value("email"), "", grants)
			return err
		})
		field := "email"
		switch {
		case fault.Is(err, fault.Conflict):
			err = fault.New(fault.Conflict, "there is a user with this address already")
		case fault.Is(err, fault.NotFound):
			field = "role" // its project
		}
		if err != nil && !form.refuse(field, err) {
			return err
		}
	}
	if !form.sound() {
		return web.renderUsers(v, form)
	}
	if v.user, err = web.access.UserByID(v.r.Context(), id); err != nil {
		return err
	}
	return web.showLink(v, "The user is there.")
}
