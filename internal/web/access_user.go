package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

type userPage struct {
	accessPage
	User     store.Account
	Grants   []grantLine
	Give     grantChoices // nothing without users-write anywhere
	Form     *typed
	Runs     bool // the visitor runs the installation
	Self     bool
	NoLink   string // why the visitor may make no password link; "" = they may
	Tokens   []tokenLine
	OpenID   bool
	Done     string // what has just been done; "" = nothing
	Link     string // a new password link, shown once
	LinkDays int
}

// user shows one user, as far as the visitor may see them.
func (web *Web) user(v *visit) error { return web.renderUser(v, &userPage{}) }

// renderUser shows the visit's user; data has what a form left.
func (web *Web) renderUser(v *visit, data *userPage) (err error) {
	if data.accessPage, err = web.accessFrame(v, v.user.Email, "/access"); err != nil {
		return err
	}
	data.User, data.Self = *v.user, v.user.ID == v.who.UserID
	data.Runs, data.OpenID, data.LinkDays = v.who.CanGlobally(access.TenantAdmin), web.openid != nil, int(access.PasswordLinkLife/(24*time.Hour))
	data.Grants = seenGrants(*v.who, *v.user)
	if access.SeesUser(*v.who, *v.user, v.projects, access.UsersWrite) {
		data.Give = grantsToGive(*v.who, v.projects)
	}
	if refusal := access.MayLink(*v.who, *v.user); refusal != nil {
		data.NoLink = sentence(refusal)
	}
	if data.Runs {
		tokens, err := web.access.TokensOf(v.r.Context(), v.user.ID)
		if err != nil {
			return err
		}
		data.Tokens = toTokenLines(tokens, userPath(v.user.ID)+"/tokens/", time.Now())
	}
	return web.render(v, data.Form.answer(), "user", data)
}

// changeGrants gives a user a role or permission, or takes one away.
func (web *Web) changeGrants(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	g, err := typedGrant(form)
	var add, remove []store.Grant
	if form.Value("do") == "remove" {
		remove = []store.Grant{g}
	} else {
		add = []store.Grant{g}
	}
	if err == nil {
		err = access.MayChange(*v.who, add, remove)
	}
	if err == nil {
		e := store.AuditEvent{Type: store.EventUserChanged, Users: []string{v.user.ID},
			Details: map[string]any{"granted": access.NoteGrants(add), "revoked": access.NoteGrants(remove)}}
		err = web.recorded(v, e, func(ctx context.Context) error { return web.access.Change(ctx, v.user.ID, add, remove) })
	}
	if err != nil {
		if !form.refuse("role", err) {
			return err
		}
		return web.renderUser(v, &userPage{Form: form})
	}
	what := access.NoteGrants([]store.Grant{g})[0]
	if remove != nil {
		return web.backToUser(v, v.user.Email+" does not have "+what+" any more.")
	}
	return web.backToUser(v, v.user.Email+" is "+what+" now.")
}

// backToUser answers a form. Who has just taken the last right that they could see of a user goes to the list.
func (web *Web) backToUser(v *visit, message string) error {
	path := userPath(v.user.ID)
	if _, err := web.access.UserFor(v.r.Context(), *v.who, v.user.ID, access.UsersRead, v.projects); fault.Is(err, fault.NotFound) {
		path = "/access"
	}
	return web.done(v, path, message)
}

// named reads the user whom the path names for somebody who runs the installation.
func (web *Web) named(v *visit) (err error) {
	v.user, err = web.access.UserFor(v.r.Context(), *v.who, v.r.PathValue("user"), access.TenantAdmin, nil)
	return err
}

// linkUser makes a link with which the user chooses a password.
func (web *Web) linkUser(v *visit) error {
	if err := web.named(v); err != nil {
		return err
	}
	return web.showLink(v, "The link is made. One that was made before does not work any more.")
}

// showLink makes a password link and shows it: with the answer itself, because it is kept nowhere.
func (web *Web) showLink(v *visit, done string) error {
	data := &userPage{Done: done}
	e := store.AuditEvent{Type: store.EventPasswordLinkCreated, Users: []string{v.user.ID}}
	err := web.recorded(v, e, func(ctx context.Context) error {
		link, err := web.access.PasswordLink(ctx, *v.who, v.user.ID)
		if err == nil {
			data.Link = web.public + passwordPath + "?link=" + url.QueryEscape(link.Reveal())
		}
		return err
	})
	if fault.Is(err, fault.Forbidden, fault.Conflict) { // the page says why
		return web.tell(v, userPath(v.user.ID), "error", sentence(err))
	}
	if err != nil {
		return err
	}
	return web.renderUser(v, data)
}

// disableUser lets a user in no more, or again.
func (web *Web) disableUser(v *visit) error {
	if err := web.named(v); err != nil {
		return err
	}
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	e, done := store.AuditEvent{Type: store.EventUserDisabled, Users: []string{v.user.ID}}, v.user.Email+" is not let in any more, and was signed out. Tokens rest."
	disabled := form.Value("disabled") == "yes"
	switch {
	case !disabled && form.Value("disabled") != "no":
		return fault.New(fault.Invalid, "the form does not say whether to disable or to enable the user")
	case !disabled:
		e.Type, done = store.EventUserEnabled, v.user.Email+" is let in again, and tokens work again."
	}
	err = web.recorded(v, e, func(ctx context.Context) error { return web.access.SetDisabled(ctx, v.user.ID, disabled) })
	return web.toldOr(v, err, userPath(v.user.ID), userPath(v.user.ID), done)
}

// removeUser deletes a user.
func (web *Web) removeUser(v *visit) error {
	if err := web.named(v); err != nil {
		return err
	}
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	if form.Value("sure") != "yes" {
		return fault.New(fault.Invalid, "the form does not say that you are sure")
	}
	e := store.AuditEvent{Type: store.EventUserRemoved, Users: []string{v.user.ID}, Names: map[string]string{v.user.ID: v.user.Email}}
	err = web.recorded(v, e, func(ctx context.Context) error { return web.access.RemoveUser(ctx, v.user.ID) })
	return web.toldOr(v, err, userPath(v.user.ID), "/access", v.user.Email+" is removed, with its tokens.")
}

// toldOr answers a form of one button: with what was done, or with why it was not.
func (web *Web) toldOr(v *visit, err error, back, path, done string) error {
	if fault.Is(err, fault.Conflict, fault.Invalid) {
		text := sentence(err)
		if hint := hintSentence(err); hint != "" {
			text += " " + hint
		}
		return web.tell(v, back, "error", text)
	}
	if err != nil {
		return err
	}
	return web.done(v, path, done)
}

// passwordPath is where a link leads with which somebody chooses a password.
const passwordPath = "/password"

type passwordPage struct {
	page
	Address string // whose password it is
	Link    string
	Form    *typed
}

// passwordForm asks for a new password. To open the link does not spend it.
func (web *Web) passwordForm(v *visit) error {
	return web.renderPassword(v, secret.Text(v.r.URL.Query().Get("link")), nil)
}

func (web *Web) renderPassword(v *visit, link secret.Text, form *typed) error {
	email, err := web.access.LinkedUser(v.r.Context(), link, web.address(v))
	if err != nil {
		return web.refuseLink(v, err)
	}
	return web.render(v, form.answer(), "password", passwordPage{page: page{Title: "Choose a password"}, Address: email, Link: link.Reveal(), Form: form})
}

func (web *Web) refuseLink(v *visit, err error) error {
	if !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	web.problem(v, Problem{Status: http.StatusGone, Title: "This link does not work", What: sentence(err), Do: hintSentence(err),
		Retry: "/sign-in", RetryLabel: "Sign in"})
	return nil
}

// choosePassword spends the link, and signs in.
func (web *Web) choosePassword(v *visit) error {
	form, err := readTyped(v)
	if err != nil {
		return err
	}
	link := secret.Text(form.Value("link"))
	password, ok := form.newPassword()
	if !ok {
		return web.renderPassword(v, link, form)
	}
	session, err := web.access.ChoosePassword(v.r.Context(), link, password, web.address(v), web.SessionOf(v.r))
	if fault.Is(err, fault.Invalid) && form.refuse("password", err) {
		return web.renderPassword(v, link, form)
	}
	if err != nil {
		return web.refuseLink(v, err)
	}
	web.signedIn(v, session, "/")
	return nil
}

// newPassword reads a password that was typed twice.
func (t *typed) newPassword() (secret.Text, bool) {
	if t.Value("password") != t.Value("again") {
		t.refuse("again", fault.New(fault.Invalid, "the two passwords differ").WithHint("type the same one twice"))
		return "", false
	}
	return secret.Text(t.Value("password")), true
}
