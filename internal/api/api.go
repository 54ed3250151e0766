package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Store is what the API reads and writes; *store.Store is one.
type Store interface {
	Projects(ctx context.Context) ([]store.Project, error)
	ProjectByName(ctx context.Context, name string) (*store.Project, error)
	Sources(ctx context.Context, projects []string) ([]store.Source, error)
	SourceByName(ctx context.Context, project, name string) (*store.Source, error)
	SourceByID(ctx context.Context, id string) (*store.Source, error)
	Comments(ctx context.Context, q store.CommentQuery) ([]store.StoredComment, bool, error)
	Comment(ctx context.Context, sourceID, id string) (*store.StoredComment, error)
	ChangesFrom(ctx context.Context, q store.ChangeQuery) (store.Changes, error)
	SearchComments(ctx context.Context, q store.CommentSearch) ([]store.StoredComment, *store.CommentKey, error)
	WordsLag(ctx context.Context, sourceID string) (time.Duration, error)
	Threads(ctx context.Context, sourceID string, after *store.CommentKey, limit int) ([]store.Thread, *store.CommentKey, error)
	ThreadComments(ctx context.Context, threadID string, q store.CommentQuery) ([]store.StoredComment, bool, error)
	Revisions(ctx context.Context, sourceID, commentID string, before, limit int) ([]store.Revision, bool, error)
	CountMatching(ctx context.Context, sourceID string, f store.CountFilter) (int64, error)
	ListIntegrations(ctx context.Context, project string) ([]store.Integration, error)
	IntegrationStatus(ctx context.Context, project, name string) (store.IntegrationStatus, error)
	Backfills(ctx context.Context, integrationID string) ([]store.Backfill, error)
	Retransforms(ctx context.Context, integrationID string) ([]store.Retransform, error)
	Delivery(ctx context.Context, project, integration string) (*store.Delivery, error)
	Behind(ctx context.Context, d *store.Delivery) (store.Backlog, error)
	LoadTarget(ctx context.Context, project, integration string) (*store.Target, error)
	ListSetAside(ctx context.Context, sourceID, object string, after store.SetAsideAt, limit int) ([]store.SetAside, bool, error)
	CountSetAside(ctx context.Context, sourceID string) (map[string]int64, error)
	StoredByID(ctx context.Context, sourceID, object string, ids []string) ([]store.StoredRecord, error)
	StoredRecordOf(ctx context.Context, sourceID, recordID string) (object string, record store.StoredRecord, err error)
	ObjectPlan(ctx context.Context, sourceID, object string) ([]byte, error)
	RawReader(ctx context.Context, sourceID, object string) *store.RawReader

	bill.Ledger
	KnowsIntegration(ctx context.Context, project, name string) (bool, error)

	CreateProject(ctx context.Context, p store.NewProject) (*store.Project, error)
	UpdateProject(ctx context.Context, name string, title, description *string) (*store.Project, error)
	DeleteProject(ctx context.Context, name string, force bool) error
	CountResources(ctx context.Context, project string) (store.Resources, error)
	CreateSource(ctx context.Context, project, name string, f store.SourceFields) (*store.Source, error)
	UpdateSource(ctx context.Context, id string, f store.SourceFields) (*store.Source, error)
	DeleteSource(ctx context.Context, id string) error
	SyncComments(ctx context.Context, b store.CommentBatch) (store.Written, error)
	CreateComments(ctx context.Context, b store.CommentBatch) (store.Written, error)
	CommentsByID(ctx context.Context, sourceID string, ids []string) (map[string]store.StoredComment, error)
	DeleteComments(ctx context.Context, sourceID string, ids []string) (int64, error)
	AuditPending(ctx context.Context) error
	AuditOften(ctx context.Context, e store.AuditEvent, sourceID string, rows int64) error
	AuditEvents(ctx context.Context, q store.AuditQuery) ([]store.AuditRecord, bool, error)
	Quotas(ctx context.Context) ([]store.QuotaUse, error)
}

// Access tells who is asking; *access.Service is one.
type Access interface {
	Authenticate(ctx context.Context, token secret.Text) (access.Principal, error)
	Session(ctx context.Context, session secret.Text) (access.Principal, error)
	Users(ctx context.Context) ([]store.Account, error)
	UserByID(ctx context.Context, id string) (*store.Account, error)
	UserFor(ctx context.Context, who access.Principal, id, permission string, projects []store.Project) (*store.Account, error)
	NewUser(ctx context.Context, email, username string, grants []store.Grant) (string, error)
	Change(ctx context.Context, userID string, add, remove []store.Grant) error
	RemoveUser(ctx context.Context, userID string) error
	OwnTokens(ctx context.Context, who access.Principal) ([]store.Token, error)
	CreateOwnToken(ctx context.Context, who access.Principal, t access.NewToken) (store.Token, secret.Text, error)
	RevokeOwnToken(ctx context.Context, who access.Principal, id string) error
}

// Options tune an API.
type Options struct {
	// Session gives the browser session of a request, "" when there is none. nil =
	// only tokens are taken. Sessions are good for reading only: a page elsewhere can make
	// a browser send them along.
	Session func(r *http.Request) secret.Text
	// RequestsPerSecond and Burst limit each credential; 0 = 200 and 400.
	RequestsPerSecond float64
	Burst             int
	// Listener hears of comments that changed, for callers who wait for them; nil = they look now and then.
	Listener *store.Listener
}

// API answers everything under /api and /auth. It is an http.Handler.
type API struct {
	store   Store
	access  Access
	session func(r *http.Request) secret.Text
	limits  *limits
	mux     *http.ServeMux
	named   *http.ServeMux // for paths that name what they are about in one segment

	counting *counting
	pages    *gate.Gate // around the routes that are large
	batches  *gate.Gate // around what reads a large body
	listener *store.Listener
}

// batchesAtATime is how many large bodies are in memory at a time: one may be 64 MiB, about three
// times over.
const batchesAtATime = 4

// pagesAtATime is how many pages of comments are in memory at a time: one may hold
// 256 comments of any size, three times over.
const pagesAtATime = 8

// New makes an API.
func New(s Store, a Access, o Options) *API { return newAPI(s, a, o, routes) }

func newAPI(s Store, a Access, o Options, routes []route) *API {
	if o.RequestsPerSecond == 0 {
		o.RequestsPerSecond, o.Burst = 200, 400
	}
	if o.Session == nil {
		o.Session = func(*http.Request) secret.Text { return "" }
	}
	api := &API{
		store: s, access: a, session: o.Session, limits: newLimits(o.RequestsPerSecond, o.Burst),
		mux: http.NewServeMux(), named: http.NewServeMux(),
		counting: newCounting(s), pages: gate.New("make a page of comments", pagesAtATime, gate.Patience),
		batches:  gate.New("take a large batch", batchesAtATime, gate.Patience),
		listener: o.Listener,
	}
	if api.listener == nil {
		api.listener = store.NewListener()
	}
	for _, route := range routes {
		if _, known := route.recording(); !known {
			panic("nobody has said what " + route.method + " " + route.patterns[0] + " leaves in the audit log: add it to recordings")
		}
		for _, pattern := range route.patterns {
			mux := api.mux
			if strings.Contains(pattern, "{name}/") {
				mux = api.named
			}
			mux.HandleFunc(route.method+" "+pattern, func(w http.ResponseWriter, r *http.Request) { api.serve(w, r, route) })
		}
	}
	api.mux.HandleFunc(http.MethodGet+" "+documentPath, serveDocument)
	api.mux.HandleFunc(unknown, api.refuseUnknown)
	api.named.HandleFunc(unknown, api.refuseUnknown)
	return api
}

// muxOf is where the request's path is looked up. /sources/{name}/comments/{id} and
// /sources/{project}/{source}/comments are as long as each other, and a mux refuses to hold both; what a
// project cannot be called (p%2Fs, id:<hex>) tells them apart.
func (a *API) muxOf(r *http.Request) *http.ServeMux {
	const before = "/api/v1/sources/" // as many segments as in front of any name
	parts := strings.SplitN(r.URL.EscapedPath(), "/", strings.Count(before, "/")+2)
	if len(parts) < strings.Count(before, "/")+2 {
		return a.mux
	}
	name := parts[len(parts)-2]
	if unescaped, err := url.PathUnescape(name); err == nil && (strings.Contains(unescaped, "/") || strings.HasPrefix(unescaped, "id:")) {
		return a.named
	}
	return a.mux
}

// Serves reports whether a path is the API's to answer, found or not.
func Serves(urlPath string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(urlPath, "/"), "/")
	return first == "api" || first == "auth"
}

// ServeHTTP answers one request, in the documented shape whatever happens.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer request.Recover(w, r, func(err error) { a.fail(w, r, err) })
	w.Header().Set("Cache-Control", "no-store")
	r = withOneSlash(r)
	// ServeMux would answer an unclean path with a redirect in HTML.
	escaped := r.URL.EscapedPath()
	if clean := path.Clean(escaped); escaped != clean && escaped != clean+"/" {
		a.fail(w, r, fault.New(fault.NotFound, "there is nothing at this path: it has an empty or dotted segment"))
		return
	}
	body, err := openBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	r.Body = body
	a.muxOf(r).ServeHTTP(w, r)
}

// withOneSlash is r without the second slash that clients make of an endpoint that
// ends in one.
func withOneSlash(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.URL.Path, "//") {
		return r
	}
	trimmed := r.WithContext(r.Context())
	u := *r.URL
	u.Path = "/" + strings.TrimLeft(u.Path, "/")
	if u.RawPath != "" {
		u.RawPath = "/" + strings.TrimLeft(u.RawPath, "/")
	}
	trimmed.URL = &u
	return trimmed
}

// call is one request on its way to its handler.
type call struct {
	r       *http.Request
	who     access.Principal
	project string        // set with onProject and onSource
	source  *store.Source // set with onSource, and with onProject when the path names a source
	name    string        // set with onNewSource: what it is to be called
	file    *file         // set by a handler whose answer is not JSON; then it gives no reply
	leave   func()        // gives back the place of a large answer; nil while there is none

	projectID string         // set with project
	event     *store.Pending // of the audit log; nil when the route has none of its own
	rows      int64          // how many were read or written, where the audit log counts them

	user     *store.Account // set with onUser, and then all projects, too
	projects []store.Project
}

// file is an answer of any length, made while it is sent.
type file struct {
	contentType, name string
	write             func(io.Writer) error
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, route route) {
	ctx := r.Context()
	record := request.Of(ctx)
	record.Route = r.Pattern
	// Bad tokens count against the address they come from. Once there were too many, no more are
	// looked up, good or bad.
	address := "address:" + request.Address(r)
	if err := a.limits.check(address); err != nil {
		a.fail(w, r, err)
		return
	}
	who, err := a.authenticate(r)
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			if limited := a.limits.take(address); limited != nil {
				err = limited
			}
		}
		a.fail(w, r, err)
		return
	}
	record.Who = who.Credential
	if err := a.limits.take(who.Credential); err != nil {
		a.fail(w, r, err)
		return
	}
	c := &call{r: r, who: who}
	if err := a.resolve(ctx, c, route); err != nil {
		a.fail(w, r, err)
		return
	}
	ctx = c.begin(route)
	body, err := a.make(ctx, c, route)
	if err == nil {
		err = a.record(ctx, c, route)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if c.file != nil {
		if err := request.Stream(w, r, c.file.contentType, c.file.name, c.file.write); err != nil {
			a.fail(w, r, err)
		}
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		tag := etag(body)
		w.Header().Set("ETag", tag)
		if hasCurrent(r, tag) {
			request.NotModified(w, r)
			return
		}
	}
	request.Answer(w, r, http.StatusOK, contentType, body)
}

// make makes the body of a good answer. It does not send it: a caller who reads
// slowly must not keep the others out.
func (a *API) make(ctx context.Context, c *call, route route) ([]byte, error) {
	defer func() {
		if c.leave != nil {
			c.leave()
		}
	}()
	if route.answer == large {
		if err := a.enter(ctx, c); err != nil {
			return nil, err
		}
	}
	out, err := route.handle(a, c)
	if err != nil || c.file != nil {
		return nil, err
	}
	out["status"] = "ok"
	body, err := encode(out)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode the answer")
	}
	return body, nil
}

// enter waits until a large answer may be made; it may until the call is answered.
func (a *API) enter(ctx context.Context, c *call) (err error) {
	c.leave, err = a.pages.Enter(ctx)
	return err
}

// authenticate takes a bearer token, or the browser's session for what only reads.
func (a *API) authenticate(r *http.Request) (access.Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return access.Principal{}, fault.New(fault.Unauthenticated, "the Authorization header is not \"Bearer <token>\"")
		}
		return a.access.Authenticate(r.Context(), secret.Text(token))
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if session := a.session(r); session != "" {
			return a.access.Session(r.Context(), session)
		}
	}
	return access.Principal{}, fault.New(fault.Unauthenticated, "there is no token: send Authorization: Bearer <token>")
}

const unknown = "/"

func (a *API) refuseUnknown(w http.ResponseWriter, r *http.Request) {
	request.Of(r.Context()).Route = "unknown"
	if allowed := a.methodsAt(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(w, r, http.StatusMethodNotAllowed, "405 Method Not Allowed: this path takes "+strings.Join(allowed, ", "))
		return
	}
	a.refuse(w, r, http.StatusNotFound, "404 Not Found: there is nothing at this path")
}

// methodsAt lists the methods that would find a route at the request's path. The
// mux does not tell, because the pattern for unknown paths takes every method.
func (a *API) methodsAt(r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := a.muxOf(r).Handler(probe); pattern != unknown {
			allowed = append(allowed, method)
		}
	}
	slices.Sort(allowed)
	return allowed
}
