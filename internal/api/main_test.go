package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/request"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// bench is an API on a database of its own, with a source support/emails, and
// callers with different rights.
type bench struct {
	t       *testing.T
	db      *store.Store
	seed    *storetest.Seed
	access  *access.Service
	server  *httptest.Server
	source  string // the id of support/emails
	written string // the id of sales/calls, which no integration feeds
	tokens  map[string]string
	users   map[string]string // ids
	records chan request.Record
	record  request.Record // of the last request that was answered
}

func setup(t *testing.T, o Options) *bench {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	b := &bench{t: t, db: db, seed: seed, access: access.New(db), tokens: map[string]string{"bad": "sfsync_" + strings.Repeat("A", 43)}, users: map[string]string{}}
	project := seed.Project("support")
	b.source = seed.Source(project, "emails")
	seed.Integration(project, b.source, "prod", "idle", "", "")
	b.written = seed.Source(seed.Project("sales"), "calls")
	b.user("reader", store.Grant{Project: "support", Permission: access.SourcesRead})
	b.user("sensitive", store.Grant{Project: "support", Permission: access.SourcesReadSensitive})
	b.user("everywhere", store.Grant{Permission: access.SourcesReadSensitive}, store.Grant{Permission: access.IntegrationsRead},
		store.Grant{Permission: access.AuditRead}, store.Grant{Permission: access.TenantQuotaRead})
	b.user("elsewhere", store.Grant{Project: "sales", Permission: access.SourcesRead})
	b.user("editor", store.Grant{Project: "support", Permission: access.SourcesAddComments})
	b.user("writer", store.Grant{Project: "sales", Permission: access.SourcesAddComments}, store.Grant{Project: "sales", Permission: access.SourcesRead})
	b.user("nothing")
	b.user("root", store.Grant{Role: access.Administrator})
	b.serve(New(db, b.access, o))
	return b
}

// serve puts a handler behind b.server in place of the one before.
func (b *bench) serve(h http.Handler) {
	b.records = make(chan request.Record, 1)
	records := b.records
	b.server = httptest.NewServer(request.Handler(h, func(r request.Record) { records <- r }))
	b.t.Cleanup(b.server.Close)
}

func (b *bench) user(name string, grants ...store.Grant) {
	b.t.Helper()
	id, err := b.access.CreateUser(b.t.Context(), name+"@example.com", "", grants)
	require.NoError(b.t, err)
	b.users[name] = id
	token, err := b.access.CreateToken(b.t.Context(), name+"@example.com", "test", time.Time{})
	require.NoError(b.t, err)
	b.tokens[name] = token.Reveal()
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// do sends a request as the named caller ("" = nobody) and checks what every
// answer has: JSON with a status that goes with the code, an id and a timing.
func (b *bench) do(method, path, who, body string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if who != "" {
		require.Contains(b.t, b.tokens, who)
		req.Header.Set("Authorization", "Bearer "+b.tokens[who])
	}
	return b.send(req)
}

func (b *bench) send(req *http.Request) answer {
	b.t.Helper()
	res, err := http.DefaultTransport.RoundTrip(req) // no redirect is followed, none may come
	require.NoError(b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	b.record = <-b.records
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if req.Method == http.MethodHead {
		return a
	}
	require.Equal(b.t, contentType, res.Header.Get("Content-Type"), "%s %s: %s", req.Method, req.URL, raw)
	require.NoError(b.t, json.Unmarshal(raw, &a.body), "%s %s: %s", req.Method, req.URL, raw)
	if a.status == http.StatusOK {
		require.Equal(b.t, "ok", a.body["status"], a.raw)
	} else {
		require.Equal(b.t, "error", a.body["status"], a.raw)
		require.NotEmpty(b.t, a.body["message"], a.raw)
	}
	described(b.t, b.record.Route, a.status, raw)
	require.NotEmpty(b.t, res.Header.Get(request.HeaderID))
	require.Contains(b.t, res.Header.Get("Server-Timing"), "total;dur=")
	return a
}

// get is do that must succeed.
func (b *bench) get(path, who string) map[string]any {
	b.t.Helper()
	a := b.do(http.MethodGet, path, who, "")
	require.Equal(b.t, http.StatusOK, a.status, "%s: %s", path, a.raw)
	return a.body
}

func ids(t *testing.T, body map[string]any) []string {
	t.Helper()
	list, ok := body["comments"].([]any)
	require.True(t, ok, body)
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = item.(map[string]any)["id"].(string)
	}
	return out
}

func session(s *secret.Text) func(*http.Request) secret.Text {
	return func(*http.Request) secret.Text { return *s }
}
