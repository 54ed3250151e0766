package salesforce

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// grant is a token source in memory. Each refresh makes "token-<generation>".
type grant struct {
	mu         sync.Mutex
	instance   string
	next       string // instance URL after the next refresh; "" = the same
	generation int64
	refreshes  int
	failToken  error
	failNew    error
}

func (g *grant) current() Token {
	return Token{Access: secret.Text(fmt.Sprintf("token-%d", g.generation)), InstanceURL: g.instance, Generation: g.generation}
}

func (g *grant) Token(context.Context) (Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current(), g.failToken
}

func (g *grant) Refresh(_ context.Context, used int64) (Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failNew != nil {
		return Token{}, g.failNew
	}
	if used == g.generation {
		g.refreshes++
		g.generation++
		if g.next != "" {
			g.instance = g.next
		}
	}
	return g.current(), nil
}

// org starts a server and a client of it. The calls that the client reports are in seen.
func org(t *testing.T, change func(*Options), h http.HandlerFunc) (c *Client, g *grant, seen *[]Call) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return orgAt(t, change, server.URL)
}

func orgAt(t *testing.T, change func(*Options), at ...string) (*Client, *grant, *[]Call) {
	t.Helper()
	var hosts []string
	for _, a := range at {
		hosts = append(hosts, strings.TrimPrefix(a, "http://"))
	}
	policy, err := NewHostPolicy(hosts)
	require.NoError(t, err)
	g := &grant{instance: at[0], generation: 1}
	var mu sync.Mutex
	seen := &[]Call{}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o := Options{Tokens: g, Hosts: policy, Transport: transport, Observe: func(c Call) {
		mu.Lock()
		defer mu.Unlock()
		*seen = append(*seen, c)
	}}
	if change != nil {
		change(&o)
	}
	return New(o), g, seen
}

const onePage = `{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/0r8xx5R2yRjYJoUASW-1","records":[{"attributes":{"type":"Case"},"Id":"1","Nested":{"a":[1,2]}}]}`

func TestQuery(t *testing.T) {
	t.Parallel()
	c, _, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "Bearer token-1", r.Header.Get("Authorization"))
		require.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		require.Equal(t, "/services/data/v66.0/queryAll", r.URL.Path)
		require.Equal(t, "SELECT Id FROM Case WHERE A = 'x+y & z'", r.URL.Query().Get("q"))
		require.Equal(t, "batchSize=2000", r.Header.Get("Sforce-Query-Options"))
		w.Header().Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
		w.Header().Set("Sforce-Limit-Info", "api-usage=18/5000, per-app-api-usage=17/250(appName=my-app)")
		w.Header().Set("X-Request-Id", "req-1")
		w.Header().Set("Set-Cookie", "BrowserId=x")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "\n "+onePage)
		_ = z.Close()
	})
	page, err := c.Query(t.Context(), "SELECT Id FROM Case WHERE A = 'x+y & z'", QueryOptions{All: true, BatchSize: 9999})
	require.NoError(t, err)
	require.Equal(t, 2, page.TotalSize)
	require.False(t, page.Done)
	require.Equal(t, "/services/data/v66.0/query/0r8xx5R2yRjYJoUASW-1", page.NextRecordsURL)
	require.Len(t, page.Rows, 1)
	require.JSONEq(t, `{"attributes":{"type":"Case"},"Id":"1","Nested":{"a":[1,2]}}`, string(page.Rows[0]))
	require.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), page.ServerTime.UTC())
	require.Equal(t, Usage{18, 5000, 17, 250}, page.Usage)
	require.Len(t, *seen, 1)
	require.Equal(t, "query", (*seen)[0].Kind)
	require.Equal(t, "req-1", (*seen)[0].RequestID)
	require.Equal(t, 200, (*seen)[0].Status)
	require.EqualValues(t, len(onePage)+2, (*seen)[0].Bytes)
}

func TestDeadSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	dead := func(w http.ResponseWriter) {
		w.WriteHeader(401)
		_, _ = io.WriteString(w, errorList("INVALID_SESSION_ID", "Session expired or invalid"))
	}
	t.Run("recovers", func(t *testing.T) {
		t.Parallel()
		c, g, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer token-2" {
				dead(w)
				return
			}
			_, _ = io.WriteString(w, `{"totalSize":5,"done":true,"records":[]}`)
		})
		n, err := c.Count(t.Context(), "SELECT COUNT() FROM Case")
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Equal(t, 1, g.refreshes)
		require.Equal(t, fault.Stale, (*seen)[0].Fault)
		require.Equal(t, "INVALID_SESSION_ID", (*seen)[0].Code)
	})
	t.Run("still dead", func(t *testing.T) {
		t.Parallel()
		c, g, seen := org(t, nil, func(w http.ResponseWriter, _ *http.Request) { dead(w) })
		_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
		require.Equal(t, fault.Transient, fault.KindOf(err))
		require.ErrorContains(t, err, "right after it was renewed")
		require.Equal(t, 1, g.refreshes)
		require.Len(t, *seen, 2)
	})
	t.Run("not for REST: no loop", func(t *testing.T) {
		t.Parallel()
		c, g, seen := org(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, errorList("INVALID_SESSION_ID", "This session is not valid for use with the REST API"))
		})
		_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
		require.Equal(t, fault.Permission, fault.KindOf(err))
		require.Zero(t, g.refreshes)
		require.Len(t, *seen, 1)
	})
	t.Run("grant is gone", func(t *testing.T) {
		t.Parallel()
		c, g, _ := org(t, nil, func(w http.ResponseWriter, _ *http.Request) { dead(w) })
		g.failNew = fault.New(fault.Reauthorize, "the grant was revoked")
		_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
		require.Equal(t, fault.Reauthorize, fault.KindOf(err))
		g.failToken = fault.New(fault.Reauthorize, "not connected")
		_, err = c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
		require.ErrorContains(t, err, "not connected")
	})
}

func TestInstanceMoves(t *testing.T) {
	t.Parallel()
	fresh := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"totalSize":1,"done":true,"records":[]}`)
	}))
	t.Cleanup(fresh.Close)
	for name, answer := range map[string]func(http.ResponseWriter){
		"with a 401":      func(w http.ResponseWriter) { w.WriteHeader(401) },
		"with a redirect": func(w http.ResponseWriter) { w.Header().Set("Location", fresh.URL); w.WriteHeader(302) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			t.Cleanup(old.Close)
			c, g, _ := orgAt(t, nil, old.URL, fresh.URL)
			g.next = fresh.URL
			_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
			require.NoError(t, err)
			require.Equal(t, 1, g.refreshes)
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	t.Cleanup(foreign.Close)
	c, g, seen := org(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", foreign.URL)
		w.WriteHeader(301)
	})
	_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), "instance_url")
	require.Equal(t, 1, g.refreshes)
	require.Len(t, *seen, 2)

	// the newest token may name a host that nobody allowed
	g.next = foreign.URL
	_, err = c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), "SALESFORCE_EXTRA_HOSTS")
}

// compositeOrg answers each part by what handle says of its query.
// Every broken body is a passing fault with its request id, and none is a short page.
func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"totalSize":2,"done":true,"records":[`)
		row := []byte(`{"Id":"` + strings.Repeat("x", 4000) + `"},`)
		for {
			if _, err := z.Write(row); err != nil {
				return
			}
		}
	}
	c, _, seen := org(t, func(o *Options) { o.MaxBody = 1 << 20 }, endless)
	_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.ErrorContains(t, err, "larger than 1048576 bytes")
	require.True(t, TooBroad(err))
	require.EqualValues(t, 1<<20, (*seen)[0].Bytes)

	// an answer of exactly the limit is fine
	exact := `{"totalSize":2,"done":true,"records":[]}`
	c, _, _ = org(t, func(o *Options) { o.MaxBody = int64(len(exact)) }, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, exact) })
	_, err = c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.NoError(t, err)

	// an endless error body neither
	c, _, _ = org(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
		for {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
				return
			}
		}
	})
	_, err = c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.Equal(t, fault.Transient, fault.KindOf(err))
}

func TestSilence(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	hang := func(r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	for name, c := range map[string]struct {
		change  func(*Options)
		handler http.HandlerFunc
		says    string
	}{
		"before the answer": {func(o *Options) { o.AnswerTimeout = 20 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) { hang(r) }, "no byte came"},
		"in the answer": {func(o *Options) { o.IdleTimeout = 20 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, onePage[:60])
			_ = http.NewResponseController(w).Flush()
			hang(r)
		}, "no byte came"},
		"for the whole call": {func(o *Options) { o.CallTimeout = 20 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) { hang(r) }, "did not finish"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _, _ := org(t, c.change, c.handler)
			_, err := client.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
			require.ErrorContains(t, err, c.says)
			require.Equal(t, fault.Transient, fault.KindOf(err))
			require.Equal(t, CodeSilent, codeOf(err))
		})
	}
}

func TestCancelAndUnreachable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, _, _ := org(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Query(ctx, "SELECT Id FROM Case", QueryOptions{})
	require.ErrorIs(t, err, context.Canceled)

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, _, seen := orgAt(t, nil, gone.URL)
	_, err = c.Query(t.Context(), "SELECT Topsecret FROM Case", QueryOptions{})
	require.ErrorContains(t, err, "cannot reach")
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.NotContains(t, err.Error(), "Topsecret")
	require.Zero(t, (*seen)[0].Status)
}

// A page that streams slowly is fine as long as bytes come.
func TestSlowBodyIsNotSilent(t *testing.T) {
	t.Parallel()
	c, _, _ := org(t, func(o *Options) { o.IdleTimeout = 2 * time.Second }, func(w http.ResponseWriter, _ *http.Request) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range len(onePage) {
			if i%10 == 0 {
				<-tick.C
			}
			_, _ = io.WriteString(w, onePage[i:i+1])
			_ = http.NewResponseController(w).Flush()
		}
	})
	_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.NoError(t, err)
}

func TestTokenErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	c, g, _ := org(t, nil, func(http.ResponseWriter, *http.Request) {})
	g.failToken = errors.New("boom")
	_, err := c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.ErrorContains(t, err, "query Case: get the token: boom")
	g.failToken = nil
	g.instance = "http://\x7f"
	_, err = c.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
	require.Equal(t, fault.Config, fault.KindOf(err))
}
