package web

import (
	"context"
	"net/http"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

type accountPage struct {
	accessPage
	User     store.Account
	Grants   []grantLine
	May      []projectRights
	Globally []string
	Sessions []store.Session
	Form     *typed
}

// projectRights is what somebody may do on a project.
type projectRights struct {
	Project     string
	Permissions []string
}

// account shows the visitor's own account.
func (web *Web) account(v *visit) error { return web.renderAccount(v, nil) }

func (web *Web) renderAccount(v *visit, form *typed) error {
	frame, err := web.accessFrame(v, "My account", "/access/account")
	if err != nil {
		return err
	}
	user, err := web.access.UserByID(v.r.Context(), v.who.UserID)
	if err != nil {
		return err
	}
	data := accountPage{accessPage: frame, User: *user, Globally: v.who.GlobalPermissions(), Form: form}
	for _, g := range user.Grants {
		data.Grants = append(data.Grants, toGrantLine(*v.who, g))
	}
	for _, p := range v.projects {
		if may := v.who.Permissions(p.Name); len(may) > 0 {
			data.May = append(data.May, projectRights{p.Name, may})
		}
	}
	if data.Sessions, err = web.access.OwnSessions(v.r.Context(), *v.who, web.SessionOf(v.r)); err != nil {
		return err
	}
	return web.render(v, form.answer(), "account", data)
}

// changePassword gives the visitor another password; other browsers are signed out.
func (web *Web) changePassword(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	password, ok := form.newPassword()
	if !ok {
		return web.renderAccount(v, form)
	}
	var session secret.Text
	e := store.AuditEvent{Type: store.EventPasswordChanged, Users: []string{v.who.UserID}}
	err = web.recorded(v, e, func(ctx context.Context) (err error) {
		session, err = web.access.ChangePassword(ctx, *v.who, secret.Text(form.Value("present")), password, web.address(v))
		return err
	})
	if err != nil {
		field := "password"
		if fault.Is(err, fault.Unauthenticated, fault.RateLimited) {
			field = "present"
		}
		if !form.refuse(field, err) {
			return err
		}
		return web.renderAccount(v, form)
	}
	web.setCookie(v.w, sessionCookie, session, access.SessionLongest)
	return web.done(v, "/access/account", "You have a new password. Wherever else you were signed in, you are not any more.")
}

// endSessions signs the visitor out in other browsers, or everywhere.
func (web *Web) endSessions(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	here := web.SessionOf(v.r)
	which := form.Value("which")
	switch which {
	case "others":
	case "all":
		here = ""
	default:
		return fault.New(fault.Invalid, "the form does not say where to sign out")
	}
	e := store.AuditEvent{Type: store.EventSessionsEnded, Users: []string{v.who.UserID}, Details: map[string]any{"which": which}}
	err = web.recorded(v, e, func(ctx context.Context) error {
		_, err := web.access.EndOwnSessions(ctx, *v.who, here)
		return err
	})
	if err != nil {
		return err
	}
	if here == "" {
		web.setCookie(v.w, sessionCookie, "", 0)
		http.Redirect(v.w, v.r, "/sign-in", http.StatusSeeOther)
		return nil
	}
	return web.done(v, "/access/account", "You are signed out everywhere else.")
}

// address is where a visitor comes from, for those limits that are by address.
func (web *Web) address(v *visit) string { return request.Address(v.r) }
