package web

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	adminEmail = "admin@example.com"
	password   = "a long enough password"
)

type bench struct {
	t      *testing.T
	db     *store.Store
	seed   *storetest.Seed
	access *access.Service
	web    *Web
	server *httptest.Server
	seen   []string // every page that any browser was shown

	temporal *temporalFake
}

func setup(t *testing.T) *bench {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	b := &bench{t: t, db: db, seed: seed, access: access.New(db)}
	_, err := b.access.EnsureAdministrator(t.Context(), adminEmail, password)
	require.NoError(t, err)
	b.temporal = &temporalFake{}
	hand := handOf(t, db, b.temporal, &oauth.Service{Store: db}, nil)
	b.web, err = New(db, b.access, noOAuth{}, Options{PublicURL: "http://sync.example.com", Operator: hand, Setup: hand, Checks: checksOf(t, nil)})
	require.NoError(t, err)
	b.web.counts.patience = time.Minute
	b.server = httptest.NewServer(request.Handler(b.web, func(r request.Record) {
		if r.Err != nil {
			t.Log(r.Route, r.Err)
		}
	}))
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) user(email string, grants ...store.Grant) {
	b.t.Helper()
	_, err := b.access.CreateUser(b.t.Context(), email, password, grants)
	require.NoError(b.t, err)
}

// noOperator does nothing.
type noOperator struct{}

func (noOperator) Pause(context.Context, string, string) error                  { return nil }
func (noOperator) Resume(context.Context, string, string) error                 { return nil }
func (noOperator) SyncNow(context.Context, string, string) error                { return nil }
func (noOperator) Backfill(context.Context, string, string, string) error       { return nil }
func (noOperator) ResumeBackfill(context.Context, string, string, string) error { return nil }
func (noOperator) DeliverAgain(context.Context, string, string) error           { return nil }
func (noOperator) Disconnect(context.Context, string, string) error             { return nil }
func (noOperator) Delete(context.Context, string, string, bool) error           { return nil }

// noOAuth refuses every authorization, as one does that nobody began.
type noOAuth struct{}

func (noOAuth) refuse() (oauth.Outcome, error) {
	return oauth.Outcome{}, fault.New(fault.Invalid, "this authorization is not known here").WithHint("begin again")
}
func (o noOAuth) Begin(context.Context, oauth.BeginParams) (string, error) {
	_, err := o.refuse()
	return "", err
}
func (o noOAuth) Finish(context.Context, oauth.FinishParams) (oauth.Outcome, error) {
	return o.refuse()
}
func (o noOAuth) Confirm(context.Context, string, []byte) (oauth.Outcome, error) { return o.refuse() }
func (o noOAuth) Decline(context.Context, string, []byte) (oauth.Outcome, error) { return o.refuse() }

// browser keeps cookies and stops at redirects.
type browser struct {
	b      *bench
	client *http.Client
}

func (b *bench) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(b.t, err)
	return &browser{b: b, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type view struct {
	*http.Response
	html string
}

func (br *browser) get(path string) view {
	br.b.t.Helper()
	req, err := http.NewRequestWithContext(br.b.t.Context(), http.MethodGet, br.b.server.URL+path, nil)
	require.NoError(br.b.t, err)
	return br.send(req)
}

// stream asks for what moves of a page; the caller closes the body.
func (br *browser) stream(path, shown string) *http.Response {
	br.b.t.Helper()
	ctx, cancel := context.WithCancel(br.b.t.Context())
	br.b.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, br.b.server.URL+path, nil)
	require.NoError(br.b.t, err)
	req.Header.Set("Accept", eventsType)
	if shown != "" {
		req.Header.Set("Last-Event-ID", shown)
	}
	res, err := br.client.Do(req)
	require.NoError(br.b.t, err)
	return res
}

// event is one server-sent event.
type event struct{ name, id, data string }

// nextEvent reads the next event, as the HTML standard has it.
func nextEvent(t *testing.T, lines *bufio.Scanner) event {
	t.Helper()
	var e event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data += value + "\n"
		case "":
			if e.name != "" {
				return e
			}
		}
	}
	require.FailNow(t, "the stream ended", "%v", lines.Err())
	return e
}

// live is the moving part of a page as it is now.
func (br *browser) live(path string) string {
	br.b.t.Helper()
	res := br.stream(path, "")
	defer res.Body.Close()
	require.Equal(br.b.t, http.StatusOK, res.StatusCode)
	e := nextEvent(br.b.t, bufio.NewScanner(res.Body))
	require.Equal(br.b.t, "part", e.name)
	br.b.seen = append(br.b.seen, e.data)
	return e.data
}

// post sends a form as a browser does from one of our own pages.
func (br *browser) post(path string, form url.Values) view {
	br.b.t.Helper()
	req, err := http.NewRequestWithContext(br.b.t.Context(), http.MethodPost, br.b.server.URL+path, strings.NewReader(form.Encode()))
	require.NoError(br.b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return br.send(req)
}

func (br *browser) send(req *http.Request) view {
	br.b.t.Helper()
	res, err := br.client.Do(req)
	require.NoError(br.b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(br.b.t, err)
	require.Contains(br.b.t, res.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'")
	require.NotContains(br.b.t, res.Header.Get("Content-Security-Policy"), "unsafe")
	require.Equal(br.b.t, "same-origin", res.Header.Get("Referrer-Policy"), "addresses hold links, states and codes")
	require.Equal(br.b.t, "DENY", res.Header.Get("X-Frame-Options"))
	require.NotEmpty(br.b.t, res.Header.Get(request.HeaderID))
	if res.StatusCode < 300 || res.StatusCode > 399 {
		br.b.seen = append(br.b.seen, string(raw))
	}
	return view{Response: res, html: string(raw)}
}

func (br *browser) signIn(email, next string) view {
	br.b.t.Helper()
	return br.post("/sign-in", url.Values{"email": {email}, "password": {password}, "next": {next}})
}

func (br *browser) session() secret.Text {
	u, _ := url.Parse(br.b.server.URL)
	for _, c := range br.client.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return secret.Text(c.Value)
		}
	}
	return ""
}
