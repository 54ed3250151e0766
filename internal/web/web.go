package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Store is what the pages read and the notifications they keep; *store.Store is one.
type Store interface {
	Projects(ctx context.Context) ([]store.Project, error)
	Sources(ctx context.Context, projects []string) ([]store.Source, error)
	Overviews(ctx context.Context, projects []string) ([]store.Overview, error)
	Backfills(ctx context.Context, integrationID string) ([]store.Backfill, error)
	Retransforms(ctx context.Context, integrationID string) ([]store.Retransform, error)
	NewestComments(ctx context.Context, sourceIDs []string, limit int) ([]store.CommentSummary, error)
	CommentsOver(ctx context.Context, sourceID string, from time.Time, stretch time.Duration, stretches int) ([]int64, error)
	IntegrationStore
	AddNotice(ctx context.Context, hash []byte, n store.Notice, lifetime time.Duration) error
	TakeNotice(ctx context.Context, hash []byte) (*store.Notice, error)
	FileVersions(ctx context.Context, integrationID string, limit int) ([]store.FileVersion, error)
	ConnectionStore
	SetupStore
	bill.Ledger
	AuditStore
	CommentStore
}

// Access signs people in; *access.Service is one.
type Access interface {
	SignIn(ctx context.Context, email string, password secret.Text, address string, before secret.Text) (secret.Text, error)
	Visit(ctx context.Context, session secret.Text) (who access.Principal, renewed secret.Text, err error)
	SignInAs(ctx context.Context, who access.Identity, create bool, before secret.Text) (secret.Text, error)
	CheckSignIn(address string) error
	SignOut(ctx context.Context, session secret.Text) error
	Authenticate(ctx context.Context, token secret.Text) (access.Principal, error)
	CheckGuess(address string) error
	WrongGuess(address string)
	People
	Own
}

// Options tune a Web.
type Options struct {
	// PublicURL is the outside base URL; cookies are Secure when it is https.
	PublicURL string
	// OpenID is where people may sign in besides; nil = nowhere.
	OpenID OpenID
	// Operator does what the buttons of an integration ask for.
	Operator Operator
	// Setup makes and changes integrations, and Checks are the rules that their files are held to.
	Setup  Setup
	Checks config.Checks
	// TemporalUI is where Temporal's own pages are, without a slash at the end, and TemporalNamespace the
	// namespace that workflows are in; "" = no page links there.
	TemporalUI, TemporalNamespace string
}

// Web answers with pages. It is an http.Handler.
type Web struct {
	store  Store
	access Access
	oauth  OAuth
	openid OpenID // nil = none
	hand   Operator
	setup  Setup
	checks config.Checks
	public string // the outside base URL, without a slash at the end
	secure bool   // the outside speaks https
	counts *counts
	// temporalUI and namespace say where Temporal shows workflows.
	temporalUI, namespace string

	mux   *http.ServeMux
	front http.Handler

	pages    *gate.Gate          // around pages with many comments
	live     *semaphore.Weighted // of pages that move
	stopping chan struct{}
}

// New makes a Web. Errors are fault.Invalid, for a PublicURL that is no URL.
func New(s Store, a Access, c OAuth, o Options) (*Web, error) {
	public, err := url.Parse(o.PublicURL)
	if err != nil || public.Host == "" {
		return nil, fault.New(fault.Invalid, "PUBLIC_URL %q is not a URL", o.PublicURL).WithHint("write it as https://sync.acme.example")
	}
	web := &Web{store: s, access: a, oauth: c, openid: o.OpenID, hand: o.Operator, setup: o.Setup, checks: o.Checks,
		public: strings.TrimSuffix(o.PublicURL, "/"), secure: public.Scheme == "https", counts: newCounts(), mux: http.NewServeMux(),
		temporalUI: o.TemporalUI, namespace: o.TemporalNamespace,
		pages: newPages(), live: semaphore.NewWeighted(mostLive), stopping: make(chan struct{})}
	for _, route := range routes {
		web.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) { web.serve(w, r, route) })
	}
	web.mux.HandleFunc(unknown, web.refuseUnknown)
	crossOrigin := http.NewCrossOriginProtection()
	// Behind a proxy that changes Host, the browser's Origin is still the outside one.
	if err := crossOrigin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "PUBLIC_URL %q is not an origin", o.PublicURL)
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(web.refuseForeign))
	web.front = crossOrigin.Handler(web.mux)
	return web, nil
}

// maxForm is more than any form here can hold.
const maxForm = 64 << 10

// ServeHTTP answers one request with a page, whatever happens.
func (web *Web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer request.Recover(w, r, func(err error) { web.fail(&visit{w: w, r: r}, err) })
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	// Not no-referrer: browsers then send "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if web.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	// Who it is, whoever signs in or connects says; from where, is known here.
	r = r.WithContext(store.WithActor(r.Context(), store.Actor{Address: request.Address(r), RequestID: request.Of(r.Context()).ID}))
	web.front.ServeHTTP(w, r)
}

// visit is one request on its way to its handler.
type visit struct {
	w   http.ResponseWriter
	r   *http.Request
	who *access.Principal // nil = not signed in

	// With onUser: whom the path names, and every project.
	user     *store.Account
	projects []store.Project
}

func (web *Web) serve(w http.ResponseWriter, r *http.Request, route route) {
	record := request.Of(r.Context())
	record.Route = r.Pattern
	v := &visit{w: w, r: r}
	if session := web.SessionOf(r); session != "" && route.needs != nothing {
		who, renewed, err := web.access.Visit(r.Context(), session)
		switch {
		case err == nil:
			v.who, record.Who = &who, who.Credential
			v.r = r.WithContext(store.WithActor(r.Context(), who.Actor(request.Address(r), request.Of(r.Context()).ID)))
			if renewed != "" {
				web.setCookie(w, sessionCookie, renewed, access.SessionLongest)
			}
		case !fault.Is(err, fault.Unauthenticated):
			web.fail(v, err)
			return
		}
	}
	if route.needs >= signedIn && v.who == nil {
		web.sendToSignIn(v)
		return
	}
	if err := web.resolve(v, route); err != nil {
		web.fail(v, err)
		return
	}
	handle := route.handle
	if wantsEvents(r) && route.live != nil {
		if v.who == nil {
			web.sendToSignIn(v)
			return
		}
		record.Route += " live"
		handle = func(web *Web, v *visit) error { return web.follow(v, route.live) }
	}
	if err := handle(web, v); err != nil && !errors.Is(err, errAnswered) {
		web.fail(v, err)
	}
}

// resolve checks what is not a right on the project that the path names, and reads the user whom it names.
func (web *Web) resolve(v *visit, route route) (err error) {
	switch route.needs {
	case onInstallation:
		if !v.who.CanGlobally(route.permission) {
			return fault.New(fault.Forbidden, "this needs the permission %s", route.permission)
		}
	case onUser:
		if v.projects, err = web.store.Projects(v.r.Context()); err != nil {
			return err
		}
		v.user, err = web.access.UserFor(v.r.Context(), *v.who, v.r.PathValue("user"), route.permission, v.projects)
	}
	return err
}

const unknown = "/"

func (web *Web) refuseUnknown(w http.ResponseWriter, r *http.Request) {
	request.Of(r.Context()).Route = "unknown"
	v := &visit{w: w, r: r}
	other := http.MethodGet
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		other = http.MethodPost
	}
	if _, pattern := web.mux.Handler(&http.Request{Method: other, URL: r.URL, Host: r.Host}); pattern != unknown {
		w.Header().Set("Allow", other)
		web.problem(v, Problem{Status: http.StatusMethodNotAllowed, Title: "This page does not work that way",
			What: "The address is right, but it does not take " + r.Method + " requests.", Do: "Start again from the first page."})
		return
	}
	web.problem(v, Problem{Status: http.StatusNotFound, Title: "Nothing here",
		What: "There is no page at this address.", Do: "Check the address, or start from the first page."})
}

// refuseForeign answers a form that was not sent from our own pages.
func (web *Web) refuseForeign(w http.ResponseWriter, r *http.Request) {
	request.Of(r.Context()).Route = "cross-origin"
	web.problem(&visit{w: w, r: r}, Problem{Status: http.StatusForbidden, Title: "Sent from somewhere else",
		What: "The request came from another site, so nothing was done.", Do: "If this was you, open this site itself and try there."})
}

// fail turns an error into a page. The visitor learns what concerns the visitor;
// the rest goes into the record.
func (web *Web) fail(v *visit, err error) {
	if v.r.Context().Err() != nil { // the visitor has gone on to another page, and nothing is wrong
		return
	}
	var tooLarge *http.MaxBytesError
	p := Problem{Status: http.StatusInternalServerError, Title: "Something broke on our side",
		What: "The page could not be made. Nothing you did is lost.", Do: "Try again. If it stays, give the operator the request id below."}
	switch kind := fault.KindOf(err); {
	case errors.As(err, &tooLarge):
		p = Problem{Status: http.StatusRequestEntityTooLarge, Title: "Too much", What: "The form held more than it can.", Do: "Send less."}
	case wrongKeys(err):
		request.Of(v.r.Context()).Err = err
	case kind == fault.Unauthenticated:
		web.sendToSignIn(v)
		return
	case kind == fault.Forbidden:
		p = Problem{Status: http.StatusForbidden, Title: "You may not do this", What: sentence(err), Do: "Ask an administrator for the right."}
	case kind == fault.NotFound:
		p = Problem{Status: http.StatusNotFound, Title: "Nothing here", What: sentence(err), Do: "Check the address, or start from the first page."}
	case kind == fault.Invalid:
		p = Problem{Status: http.StatusBadRequest, Title: "That does not fit", What: sentence(err), Do: "Go back and correct it."}
	case kind == fault.RateLimited:
		v.w.Header().Set("Retry-After", fmt.Sprint(int(fault.RetryAfterOf(err).Seconds())+1))
		p = Problem{Status: http.StatusTooManyRequests, Title: "Too many requests", What: sentence(err), Do: "Wait a little and try again."}
	case kind == fault.Transient:
		request.Of(v.r.Context()).Err = err
		v.w.Header().Set("Retry-After", "5")
		p = Problem{Status: http.StatusServiceUnavailable, Title: "Just a moment",
			What: "There is more to do right now than this server can.", Do: "Try again in a few seconds."}
	case kind == fault.Unreachable:
		request.Of(v.r.Context()).Err = err
		v.w.Header().Set("Retry-After", "5")
		p = Problem{Status: http.StatusServiceUnavailable, Title: "Just a moment",
			What: "The database does not answer right now. Synced data is safe.", Do: "Try again in a few seconds."}
	default:
		request.Of(v.r.Context()).Err = err
	}
	web.problem(v, p)
}

// wrongKeys reports whether our own key ring is at fault, and not the visitor's input.
func wrongKeys(err error) bool {
	return errors.Is(err, secret.ErrUnknownKey) || errors.Is(err, secret.ErrCannotOpen)
}

// sentence makes a sentence of a fault's own message, without its cause.
func sentence(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) || f.Message == "" {
		return "The request is not valid."
	}
	return strings.ToUpper(f.Message[:1]) + f.Message[1:] + "."
}
