package web

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// nameForm is what names of projects and integrations are made of.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// OAuth connects integrations to Salesforce; *oauth.Service is one.
type OAuth interface {
	Begin(ctx context.Context, p oauth.BeginParams) (string, error)
	Finish(ctx context.Context, p oauth.FinishParams) (oauth.Outcome, error)
	Confirm(ctx context.Context, confirm string, browserHash []byte) (oauth.Outcome, error)
	Decline(ctx context.Context, confirm string, browserHash []byte) (oauth.Outcome, error)
}

// browserCookie binds an authorization to the browser that began it.
const (
	browserCookie = "salesforcesync_oauth"
	browserLife   = time.Hour
)

// authenticate sends the browser to Salesforce's login and consent. It takes a
// signed-in user or a bearer token with integrations-write, or the one-time link;
// a browser with none of these gets sign-in and is then taken on. Opening the link
// does not spend it: mail scanners open links.
func (web *Web) authenticate(v *visit) error {
	ctx := v.r.Context()
	project, name := v.r.PathValue("project"), v.r.PathValue("integration")
	who, err := web.principal(v)
	if err != nil {
		return err
	}
	link := v.r.URL.Query().Get("link")
	if who == nil && link == "" {
		web.sendToSignIn(v)
		return nil
	}
	begin := oauth.BeginParams{}
	if !nameForm.MatchString(project) || !nameForm.MatchString(name) {
		if link != "" {
			return web.refuse(v, who, true, project, name)
		}
		return fault.New(fault.NotFound, "there is no integration %.200s/%.200s", project, name)
	}
	if link != "" {
		if err := web.access.CheckGuess(request.Address(v.r)); err != nil {
			return err
		}
	}
	switch c, err := web.store.LoadConnectionByName(ctx, project, name); {
	case fault.Is(err, fault.NotFound):
		if link != "" || !who.Can(project, access.IntegrationsWrite) {
			return web.refuse(v, who, link != "", project, name)
		}
		return fault.New(fault.NotFound, "there is no integration %s/%s", project, name)
	case err != nil:
		return err
	default:
		begin.IntegrationID = c.IntegrationID
	}
	switch {
	case link != "":
		begin.LinkHash = oauth.Hash(link)
		if err := web.store.CheckConnectLink(ctx, begin.IntegrationID, begin.LinkHash); err != nil {
			if !fault.Is(err, fault.Unauthenticated) {
				return err
			}
			web.access.WrongGuess(request.Address(v.r))
			web.problem(v, Problem{Status: http.StatusForbidden, Title: "This link does not work", What: sentence(err), Do: hintSentence(err)})
			return nil
		}
	case who.Can(project, access.IntegrationsWrite):
		begin.UserID = who.UserID
	default:
		return web.refuse(v, who, false, project, name)
	}

	browser := web.cookie(v.r, browserCookie)
	hash, ok := access.HashOneTime(browser)
	if !ok {
		browser, hash = access.NewOneTime()
	}
	web.setCookie(v.w, browserCookie, browser, browserLife)
	web.rememberNext(v, project, name)
	begin.BrowserHash = hash
	to, err := web.oauth.Begin(ctx, begin)
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, to, http.StatusFound)
	return nil
}

// nextCookie has where a browser goes on after a grant: a page of the integration that it came from.
const nextCookie = "salesforcesync_next"

// rememberNext keeps where to go on after the grant, when it is a page of the same integration.
func (web *Web) rememberNext(v *visit, project, name string) {
	next := safeNext(v.r.URL.Query().Get("next"))
	switch {
	case isPageOf(next, project, name):
		web.setCookie(v.w, nextCookie, secret.Text(next), browserLife)
	case web.cookie(v.r, nextCookie) != "": // of another authorization
		web.setCookie(v.w, nextCookie, "", 0)
	}
}

// nextOf is where the browser wanted to go on after a grant for the integration; "" = nowhere in particular.
func (web *Web) nextOf(v *visit, project, name string) string {
	next := safeNext(web.cookie(v.r, nextCookie).Reveal())
	if !isPageOf(next, project, name) {
		return ""
	}
	return next
}

func isPageOf(path, project, name string) bool {
	page := integrationPath(project, name)
	return path == page || strings.HasPrefix(path, page+"/") && !strings.HasPrefix(path, page+"/oauth2/")
}

// principal is who asks: the browser's session, else the bearer token.
func (web *Web) principal(v *visit) (*access.Principal, error) {
	scheme, token, _ := strings.Cut(v.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return v.who, nil
	}
	if err := web.access.CheckGuess(request.Address(v.r)); err != nil {
		return nil, err
	}
	who, err := web.access.Authenticate(v.r.Context(), secret.Text(strings.TrimSpace(token)))
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			web.access.WrongGuess(request.Address(v.r))
			v.w.Header().Set("WWW-Authenticate", `Bearer realm="salesforcesync"`)
			web.problem(v, Problem{Status: http.StatusUnauthorized, Title: "The token is not valid", What: sentence(err), Do: "Make a new one with starter token create."})
			return nil, errAnswered
		}
		return nil, err
	}
	return &who, nil
}

// refuse answers alike whether the integration exists or not. Who has no right at all on the project is told
// what is told of one that does not exist.
func (web *Web) refuse(v *visit, who *access.Principal, link bool, project, name string) error {
	if link {
		web.access.WrongGuess(request.Address(v.r))
		web.problem(v, Problem{Status: http.StatusForbidden, Title: "This link does not work",
			What: "This link is not valid for this integration.", Do: "Ask whoever sent it for a new one."})
		return nil
	}
	if !who.Knows(project) {
		return fault.New(fault.NotFound, "there is no integration %.200s/%.200s", project, name)
	}
	web.problem(v, Problem{Status: http.StatusForbidden, Title: "You may not do this",
		What: "Connecting " + project + "/" + name + " to Salesforce needs the permission integrations-write on its project.",
		Do:   "Ask an administrator for the right, or for a one-time link made with starter connect."})
	return nil
}

// ConnectionStore is what the OAuth routes read; *store.Store is one.
type ConnectionStore interface {
	LoadConnectionByName(ctx context.Context, project, integration string) (*store.Connection, error)
	CheckConnectLink(ctx context.Context, integrationID string, hash []byte) error
}

// hintSentence makes a sentence of a fault's hint.
func hintSentence(err error) string {
	hint := fault.HintOf(err)
	if hint == "" {
		return ""
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}
