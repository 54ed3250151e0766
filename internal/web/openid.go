package web

import (
	"context"
	"net/http"
	"net/url"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/openid"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
)

// OpenID signs people in at an identity provider; *openid.Provider is one.
type OpenID interface {
	Begin(ctx context.Context, next string) (to string, key secret.Text, err error)
	Finish(ctx context.Context, a openid.Answer) (who openid.Identity, next string, err error)
	LetsIn(email string) bool
}

// openIDCookie binds a sign-in to the browser that began it.
const openIDCookie = "salesforcesync_openid"

// noOpenID is the answer where no identity provider is set up.
func noOpenID() error { return fault.New(fault.NotFound, "there is no page at this address") }

// openIDBegin sends the browser to the identity provider.
func (web *Web) openIDBegin(v *visit) error {
	if web.openid == nil {
		return noOpenID()
	}
	if err := web.access.CheckSignIn(request.Address(v.r)); err != nil {
		return err
	}
	next := safeNext(v.r.URL.Query().Get("next"))
	to, key, err := web.openid.Begin(v.r.Context(), next)
	if err != nil {
		return web.refuseOpenID(v, next, err)
	}
	web.setCookie(v.w, openIDCookie, key, openid.AttemptLife)
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// openIDCallback is where the identity provider sends the browser back to.
func (web *Web) openIDCallback(v *visit) error {
	if web.openid == nil {
		return noOpenID()
	}
	q := v.r.URL.Query()
	key := web.cookie(v.r, openIDCookie)
	web.setCookie(v.w, openIDCookie, "", 0)
	who, next, err := web.openid.Finish(v.r.Context(), openid.Answer{
		State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error"), Key: key,
	})
	var session secret.Text
	if err == nil {
		session, err = web.access.SignInAs(v.r.Context(), access.Identity(who), web.openid.LetsIn(who.Email), web.SessionOf(v.r))
	}
	request.Of(v.r.Context()).Tried(request.ByProvider, err)
	if err != nil {
		return web.refuseOpenID(v, safeNext(next), err)
	}
	web.signedIn(v, session, safeNext(next))
	return nil
}

// refuseOpenID shows the form again, with what went wrong: a password may still do.
func (web *Web) refuseOpenID(v *visit, next string, err error) error {
	status := http.StatusUnauthorized
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.Transient:
		status = http.StatusServiceUnavailable
		v.w.Header().Set("Retry-After", "5")
	default:
		return err
	}
	request.Of(v.r.Context()).Err = err // why a token does not verify is for the operator to know
	return web.renderSignIn(v, status, next, "", err)
}

// signedIn gives the browser its session and takes it to where it wanted to go.
func (web *Web) signedIn(v *visit, session secret.Text, next string) {
	web.setCookie(v.w, sessionCookie, session, access.SessionLongest)
	if leadsAway(next) {
		next = "/continue?next=" + url.QueryEscape(next)
	}
	http.Redirect(v.w, v.r, next, http.StatusSeeOther)
}
