package web

import (
	"context"
	"net/http"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

const (
	sessionCookie = "salesforcesync_session"
	noticeCookie  = "salesforcesync_notice"
)

// noticeLife is how long a notification waits to be seen.
const noticeLife = 10 * time.Minute

// cookieName binds a cookie to this very host where browsers allow it: the
// __Host- prefix needs https.
func (web *Web) cookieName(name string) string {
	if web.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sends a cookie; an empty value deletes it.
func (web *Web) setCookie(w http.ResponseWriter, name string, value secret.Text, life time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure where the outside speaks https
		Name: web.cookieName(name), Value: value.Reveal(), Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: web.secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (web *Web) cookie(r *http.Request, name string) secret.Text {
	c, err := r.Cookie(web.cookieName(name))
	if err != nil {
		return ""
	}
	return secret.Text(c.Value)
}

// SessionOf gives the browser session that a request carries, "" when there is none.
func (web *Web) SessionOf(r *http.Request) secret.Text { return web.cookie(r, sessionCookie) }

// notify leaves a notification that this browser sees once, on its next first
// page, whether signed in or not. level is success or error.
func (web *Web) notify(ctx context.Context, w http.ResponseWriter, level, message string) error {
	value, hash := access.NewOneTime()
	if err := web.store.AddNotice(ctx, hash, store.Notice{Level: level, Message: message}, noticeLife); err != nil {
		return err
	}
	web.setCookie(w, noticeCookie, value, noticeLife)
	return nil
}

// takeNotice gives the notification that waits for this browser and removes it;
// nil when there is none. A browser that only fetches ahead does not use it up.
func (web *Web) takeNotice(v *visit) (*store.Notice, error) {
	value := web.cookie(v.r, noticeCookie)
	if value == "" || v.r.Method != http.MethodGet || v.r.Header.Get("Sec-Purpose") != "" {
		return nil, nil
	}
	web.setCookie(v.w, noticeCookie, "", 0)
	hash, ok := access.HashOneTime(value)
	if !ok {
		return nil, nil
	}
	notice, err := web.store.TakeNotice(v.r.Context(), hash)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return notice, err
}
