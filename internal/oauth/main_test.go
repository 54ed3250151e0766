package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(refresherURL) != "" {
		os.Exit(refresher())
	}
	os.Exit(storetest.Main(m))
}

const (
	consumerSecret = "consumer-secret-5f1d09"
	tokenPath      = "/services/oauth2/token"
	revokePath     = "/services/oauth2/revoke"
	lena           = "lena@acme.example" // another user of the first org
)

// bench is a simulator, a database and the service between them.
type bench struct {
	*testing.T
	sim  *simforce.Server
	url  string
	db   *store.Store
	seed *storetest.Seed
	wire *wire
	svc  *oauth.Service
	id   string // the integration
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, wire: &wire{}}
	public := "http://app.example"
	var err error
	b.sim, err = simforce.New(simforce.Options{ConsumerSecret: consumerSecret, CallbackURLs: []string{public + oauth.CallbackPath}})
	require.NoError(t, err)
	web := httptest.NewServer(b.sim)
	t.Cleanup(web.Close)
	b.url = web.URL
	b.sim.SetBaseURL(web.URL)
	b.db, b.seed = storetest.NewSeed(t)
	b.svc = b.service(b.db)
	b.svc.PublicURL = public
	b.id = b.apply("prod")
	return b
}

// service is another process's service over db.
func (b *bench) service(db *store.Store) *oauth.Service {
	b.Helper()
	u, err := url.Parse(b.url)
	require.NoError(b, err)
	hosts, err := salesforce.NewHostPolicy([]string{u.Host})
	require.NoError(b, err)
	return &oauth.Service{Store: db, Hosts: hosts, Transport: b.wire}
}

// second opens the database of b.db with a pool of its own.
func (b *bench) second() *store.Store {
	b.Helper()
	u, err := url.Parse(storetest.ServerURL(b))
	require.NoError(b, err)
	u.Path = "/" + b.seed.Strings(`select current_database()`)[0]
	db, err := store.Open(b.Context(), u.String(), store.Options{Keys: storetest.Keys(b), MaxConns: 4})
	require.NoError(b, err)
	b.Cleanup(db.Close)
	return db
}

func (b *bench) apply(name string) string {
	b.Helper()
	result, err := b.db.ApplyIntegration(b.Context(), config.Integration{
		Project: "support", Integration: name, Source: name + "-mail", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: b.url, LoginURL: b.url, ConsumerKey: "3MVG9simforce", ConsumerSecret: consumerSecret},
	})
	require.NoError(b, err)
	return result.IntegrationID
}

// link makes a one-time link and returns its hash.
func (b *bench) link() []byte {
	b.Helper()
	_, hash := oauth.NewSecret()
	require.NoError(b, b.db.CreateConnectLink(b.Context(), b.id, hash, time.Now().Add(oauth.LinkLife)))
	return hash
}

var browser = oauth.Hash("cookie of the browser")

// begin gives the address of the login page.
func (b *bench) begin(link []byte) string {
	b.Helper()
	address, err := b.svc.Begin(b.Context(), oauth.BeginParams{IntegrationID: b.id, LinkHash: link, BrowserHash: browser})
	require.NoError(b, err)
	return address
}

// consent lets a user answer, and gives what comes back with the browser.
func (b *bench) consent(address, username string, allow bool) oauth.FinishParams {
	b.Helper()
	back, err := simforce.Consent(b.Context(), address, username, allow)
	require.NoError(b, err)
	u, err := url.Parse(back)
	require.NoError(b, err)
	require.Equal(b, "http://app.example"+oauth.CallbackPath, u.Scheme+"://"+u.Host+u.Path)
	q := u.Query()
	b.wire.know(q.Get("code"), q.Get("state"))
	return oauth.FinishParams{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), ErrorDescription: q.Get("error_description"), BrowserHash: browser}
}

// authorize runs the flow up to the callback.
func (b *bench) authorize(username string) oauth.FinishParams {
	b.Helper()
	return b.consent(b.begin(b.link()), username, true)
}

// connect runs the whole flow.
func (b *bench) connect() {
	b.Helper()
	_, err := b.svc.Finish(b.Context(), b.authorize(simforce.SyncUser))
	require.NoError(b, err)
}

func (b *bench) connection() *store.Connection {
	b.Helper()
	c, err := b.db.LoadConnection(b.Context(), b.id)
	require.NoError(b, err)
	return c
}

func (b *bench) knobs(change func(*simforce.Knobs)) {
	b.Helper()
	require.NoError(b, b.sim.SetKnobs(change))
}

func (b *bench) fail(f simforce.Fault) {
	b.Helper()
	require.NoError(b, b.sim.FailNext(f))
}

func (b *bench) count(kind string) int { return b.sim.Counters().Kinds[kind] }

// active asks the simulator whether a token of either kind still works.
func (b *bench) active(token string) bool {
	b.Helper()
	require.NotEmpty(b, token)
	resp, err := http.PostForm(b.url+"/services/oauth2/introspect", url.Values{
		"token": {token}, "client_id": {"3MVG9simforce"}, "client_secret": {consumerSecret}})
	require.NoError(b, err)
	defer resp.Body.Close()
	var got struct{ Active bool }
	require.NoError(b, json.NewDecoder(resp.Body).Decode(&got))
	return got.Active
}

// refused requires an error of the kind that holds no secret the wire has seen.
func (b *bench) refused(err error, kind fault.Kind) {
	b.Helper()
	require.Error(b, err)
	require.Equal(b, kind, fault.KindOf(err), "%v", err)
	b.clean(err)
}

func (b *bench) clean(err error) {
	b.Helper()
	text := fmt.Sprintf("%v %+v %#v %s", err, err, err, fault.HintOf(err))
	for _, known := range b.wire.secrets() {
		require.NotContains(b, text, known)
		require.NotContains(b, text, url.QueryEscape(known))
	}
}

func (b *bench) outbox() []string {
	return b.seed.Strings(`select workflow_id || ' ' || signal from outbox order by id`)
}

// wire carries requests to the simulator, remembers the secrets it sees, and lets a
// test put itself between.
type wire struct {
	mu    sync.Mutex
	known []string
	after func(*http.Request, *http.Response) (*http.Response, error)
}

func (w *wire) set(after func(*http.Request, *http.Response) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = after
}

func (w *wire) know(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		if v != "" {
			w.known = append(w.known, v)
		}
	}
}

func (w *wire) secrets() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{consumerSecret}, w.known...)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		if form, err := url.ParseQuery(string(body)); err == nil {
			for _, key := range []string{"code", "code_verifier", "client_secret", "refresh_token", "token"} {
				w.know(form.Get(key))
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.URL.Path == tokenPath {
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		var got struct {
			Access    string `json:"access_token"`
			Refresh   string `json:"refresh_token"`
			Signature string `json:"signature"`
		}
		_ = json.Unmarshal(body, &got) // not every answer is JSON
		w.know(got.Access, got.Refresh, got.Signature)
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.mu.Lock()
	after := w.after
	w.mu.Unlock()
	if after != nil {
		return after(r, resp)
	}
	return resp, nil
}

// answer replaces a response.
func answer(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// without takes a field out of a JSON response.
func without(field string) func(*http.Request, *http.Response) (*http.Response, error) {
	return func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.URL.Path != tokenPath {
			return resp, nil
		}
		var got map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			return nil, err
		}
		resp.Body.Close()
		delete(got, field)
		raw, err := json.Marshal(got)
		return answer(r, resp.StatusCode, "application/json", string(raw)), err
	}
}

func await(ctx context.Context, t *testing.T, n int, each func(i int) error) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = each(i) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		require.FailNow(t, "not everybody came back")
	}
	return errs
}
