package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

const (
	appSecret = "consumer-secret-77ab31"
	lena      = "lena@acme.example" // another user of the first org
	authPath  = "/integrations/support/salesforce-prod/oauth2/authenticate"
)

// connector is the door with real OAuth in it and a simulated Salesforce behind it.
type connector struct {
	*bench
	sim  *simforce.Server
	id   string // of support/salesforce-prod
	wire *wire

	instance string // where Salesforce is

	mu      sync.Mutex
	records []request.Record
}

func connecting(t *testing.T) *connector {
	t.Helper()
	c := &connector{bench: setup(t), wire: &wire{known: []string{appSecret}}}
	front := httptest.NewUnstartedServer(nil)
	public := "http://" + front.Listener.Addr().String()
	var err error
	c.sim, err = simforce.New(simforce.Options{ConsumerSecret: appSecret, CallbackURLs: []string{public + oauth.CallbackPath}, Generate: 1})
	require.NoError(t, err)
	behind := httptest.NewServer(c.sim)
	t.Cleanup(behind.Close)
	c.sim.SetBaseURL(behind.URL)
	hosts, err := salesforce.NewHostPolicy([]string{strings.TrimPrefix(behind.URL, "http://")})
	require.NoError(t, err)

	auth := &oauth.Service{Store: c.db, Hosts: hosts, PublicURL: public, Transport: c.wire, Roles: access.RolesWith(access.IntegrationsWrite)}
	extra := []string{strings.TrimPrefix(behind.URL, "http://")}
	c.instance = behind.URL
	hand := handOf(t, c.db, c.temporal, auth, auth)
	c.web, err = New(c.db, c.access, auth, Options{PublicURL: public, Operator: hand, Setup: hand, Checks: checksOf(t, extra)})
	require.NoError(t, err)
	front.Config.Handler = request.Handler(c.web, func(r request.Record) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.records = append(c.records, r)
	})
	front.Start()
	t.Cleanup(front.Close)
	c.server = front
	c.id = c.apply("salesforce-prod", behind.URL)
	t.Cleanup(c.leaksNothing)
	return c
}

func (c *connector) apply(name, instance string) string {
	c.t.Helper()
	r, err := c.db.ApplyIntegration(c.t.Context(), config.Integration{
		Project: "support", Integration: name, Source: name + "-mail", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: instance, LoginURL: instance, ConsumerKey: "3MVG9simforce", ConsumerSecret: appSecret},
	})
	require.NoError(c.t, err)
	return r.IntegrationID
}

// leaksNothing requires that no page and no record of a request held a secret.
func (c *connector) leaksNothing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var told strings.Builder
	for _, r := range c.records {
		fmt.Fprintf(&told, "%+v %v\n", r, r.Err)
	}
	for _, known := range c.wire.secrets() {
		for _, spelled := range []string{known, url.QueryEscape(known)} {
			require.NotContains(c.t, told.String(), spelled, "in the record of a request")
			for _, page := range c.seen {
				require.NotContains(c.t, page, spelled, "on a page")
			}
		}
	}
}

// link makes a one-time link for an integration and returns its secret.
func (c *connector) link(integrationID string) string {
	c.t.Helper()
	text, hash := oauth.NewSecret()
	require.NoError(c.t, c.db.CreateConnectLink(c.t.Context(), integrationID, hash, time.Now().Add(oauth.LinkLife)))
	c.wire.know(text)
	return text
}

// linkPath is where a new link for the integration leads.
func (c *connector) linkPath() string { return authPath + "?link=" + c.link(c.id) }

// begin opens the authenticate address and returns Salesforce's login page.
func (br *browser) begin(path string) string {
	br.b.t.Helper()
	v := br.get(path)
	require.Equal(br.b.t, http.StatusFound, v.StatusCode, v.html)
	require.Contains(br.b.t, v.Header.Get("Location"), "/services/oauth2/authorize?")
	return v.Header.Get("Location")
}

// consent answers at Salesforce and returns the path that the browser is sent back to.
func (c *connector) consent(login, username string, allow bool) string {
	c.t.Helper()
	back, err := simforce.Consent(c.t.Context(), login, username, allow)
	require.NoError(c.t, err)
	path, found := strings.CutPrefix(back, c.server.URL)
	require.True(c.t, found, back)
	u, err := url.Parse(back)
	require.NoError(c.t, err)
	require.Equal(c.t, oauth.CallbackPath, u.Path)
	c.wire.know(u.Query().Get("state"), u.Query().Get("code"))
	return path
}

// connect walks the whole way with a new link.
func (c *connector) connect(br *browser, username string) view {
	c.t.Helper()
	return br.get(c.consent(br.begin(c.linkPath()), username, true))
}

// refused requires a page with advice, the request's id and nothing connected by it.
func (c *connector) refused(v view, status int, says ...string) {
	c.t.Helper()
	require.Equal(c.t, status, v.StatusCode, v.html)
	require.Contains(c.t, v.html, "What to do")
	require.Contains(c.t, v.html, v.Header.Get(request.HeaderID))
	require.Empty(c.t, v.Header.Get("Location"))
	for _, s := range says {
		require.Contains(c.t, v.html, s)
	}
}

func (c *connector) connection() *store.Connection {
	c.t.Helper()
	got, err := c.db.LoadConnection(c.t.Context(), c.id)
	require.NoError(c.t, err)
	return got
}

func (c *connector) knobs(change func(*simforce.Knobs)) {
	c.t.Helper()
	require.NoError(c.t, c.sim.SetKnobs(change))
}

func (c *connector) spent(link string) bool {
	c.t.Helper()
	err := c.db.CheckConnectLink(c.t.Context(), c.id, oauth.Hash(link))
	if err != nil {
		require.True(c.t, fault.Is(err, fault.Unauthenticated), "%v", err)
	}
	return err != nil
}

// wire remembers the secrets that go between us and the token endpoint.
type wire struct {
	mu    sync.Mutex
	known []string
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
	return w.known
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if form, err := url.ParseQuery(string(body)); err == nil {
			w.know(form.Get("code_verifier"), form.Get("refresh_token"), form.Get("token"))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.URL.Path != "/services/oauth2/token" {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(body, &got) // an error page is no JSON
	w.know(got.Access, got.Refresh)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
