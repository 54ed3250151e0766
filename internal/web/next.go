package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// safeNext gives the path on this site that a visitor wanted, or "/" for anything
// that a browser could take for another site.
func safeNext(next string) string {
	if len(next) > 2048 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return "/"
	}
	// Browsers read \ as / and drop control characters before they look at what is left.
	if strings.ContainsFunc(next, func(r rune) bool {
		return r == '\\' || unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar
	}) {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/\\") {
		return "/"
	}
	if strings.HasPrefix(u.Path, "/sign-") { // signing in leads somewhere else than to signing in
		return "/"
	}
	return next
}

// sendToSignIn asks a visitor to sign in and remembers where to go on to. What
// was not a page to look at is not tried again by itself.
func (web *Web) sendToSignIn(v *visit) {
	if wantsEvents(v.r) { // a script asks, which could not follow
		http.Error(v.w, "sign in", http.StatusUnauthorized)
		return
	}
	to := "/sign-in"
	if v.r.Method == http.MethodGet {
		if next := safeNext(v.r.URL.RequestURI()); next != "/" {
			to += "?next=" + url.QueryEscape(next)
		}
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

type continuePage struct {
	page
	Next string
}

// goOn takes a visitor on after signing in, with a page in between: browsers hold every
// redirect after a form to form-action, and what comes next may lead to Salesforce.
func (web *Web) goOn(v *visit) error {
	next := safeNext(v.r.URL.Query().Get("next"))
	return web.render(v, http.StatusOK, "continue", continuePage{page: web.page(v, "Going on"), Next: next})
}
