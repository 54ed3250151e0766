package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
)

type signInPage struct {
	page
	Next    string
	Address string // what was typed before
	Problem string
	Hint    string
	OpenID  string // where signing in at the identity provider begins; "" = there is none
}

// signInForm shows the form, unless there is nothing to sign in for.
func (web *Web) signInForm(v *visit) error {
	next := safeNext(v.r.URL.Query().Get("next"))
	if v.who != nil {
		http.Redirect(v.w, v.r, next, http.StatusSeeOther)
		return nil
	}
	return web.renderSignIn(v, http.StatusOK, next, "", nil)
}

// renderSignIn shows the form, and with it what went wrong, if anything did.
func (web *Web) renderSignIn(v *visit, status int, next, address string, problem error) error {
	p := signInPage{page: web.page(v, "Sign in"), Next: next, Address: address}
	if problem != nil {
		p.Problem, p.Hint = sentence(problem), fault.HintOf(problem)
	}
	if web.openid != nil {
		p.OpenID = "/sign-in/openid?next=" + url.QueryEscape(next)
	}
	return web.render(v, status, "sign-in", p)
}

// leadsAway reports a path that may lead to Salesforce, where a redirect after a form may not end.
func leadsAway(next string) bool { return strings.HasPrefix(next, "/integrations/") }

// signIn checks the password, gives the browser a session of a new id and takes it
// to where it wanted to go.
func (web *Web) signIn(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return fault.Wrap(fault.Invalid, err, "the form did not arrive whole")
	}
	form := v.r.PostForm
	next := safeNext(form.Get("next"))
	session, err := web.access.SignIn(v.r.Context(), form.Get("email"), secret.Text(form.Get("password")),
		request.Address(v.r), web.SessionOf(v.r))
	request.Of(v.r.Context()).Tried(request.ByPassword, err)
	if fault.Is(err, fault.Unauthenticated, fault.RateLimited) {
		status := http.StatusUnauthorized
		if fault.Is(err, fault.RateLimited) {
			status = http.StatusTooManyRequests
			v.w.Header().Set("Retry-After", fmt.Sprint(int(fault.RetryAfterOf(err).Seconds())+1))
		}
		return web.renderSignIn(v, status, next, form.Get("email"), err)
	}
	if err != nil {
		return err
	}
	web.signedIn(v, session, next)
	return nil
}

// signOut ends the session, here and in the browser.
func (web *Web) signOut(v *visit) error {
	if err := web.access.SignOut(v.r.Context(), web.SessionOf(v.r)); err != nil {
		return err
	}
	web.setCookie(v.w, sessionCookie, "", 0)
	http.Redirect(v.w, v.r, "/sign-in", http.StatusSeeOther)
	return nil
}
