package simforce

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const testCallback = "http://app.example/external/salesforce/oauth2/callback"

// clock is a time tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a simulator behind a real listener with a stopped clock.
type bench struct {
	*Server
	t     *testing.T
	clock *clock
	url   string
	token string
}

func start(t *testing.T, o Options) *bench {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	if o.Clock == nil {
		o.Clock = c.now
	}
	if o.CallbackURLs == nil {
		o.CallbackURLs = []string{testCallback}
	}
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.SetBaseURL(web.URL)
	b := &bench{Server: s, t: t, clock: c, url: web.URL}
	b.token, err = s.Login(SyncUser)
	require.NoError(t, err)
	return b
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

// errors gives code and message of a REST error.
func (a answer) error(t *testing.T) (code, message string) {
	t.Helper()
	var list []struct{ ErrorCode, Message string }
	a.into(t, &list)
	require.Len(t, list, 1)
	return list[0].ErrorCode, list[0].Message
}

func (b *bench) do(method, path string, body any, header ...string) answer {
	b.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(b.t, err)
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, b.url+path, in)
	require.NoError(b.t, err)
	if b.token != "" {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	return answer{res.StatusCode, res.Header, string(raw)}
}

func (b *bench) get(path string, header ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, "/services/data/v66.0"+path, nil, header...)
}

func (b *bench) query(soql string, header ...string) answer {
	b.t.Helper()
	return b.get("/query?q="+url.QueryEscape(soql), header...)
}

type pageOf struct {
	TotalSize      int
	Done           bool
	NextRecordsURL string `json:"nextRecordsUrl"`
	Records        []map[string]any
}

// rows runs a query to its last page.
func (b *bench) rows(soql string) []map[string]any {
	b.t.Helper()
	a := b.query(soql)
	var out []map[string]any
	for {
		require.Equal(b.t, http.StatusOK, a.status, a.body)
		var p pageOf
		a.into(b.t, &p)
		out = append(out, p.Records...)
		if p.Done {
			require.Empty(b.t, p.NextRecordsURL)
			return out
		}
		a = b.do(http.MethodGet, p.NextRecordsURL, nil)
	}
}

func (b *bench) ids(soql string) []string {
	b.t.Helper()
	var out []string
	for _, r := range b.rows(soql) {
		out = append(out, r["Id"].(string))
	}
	return out
}

// create writes a record and returns its id.
func (b *bench) create(object string, fields Row) string {
	b.t.Helper()
	row, err := b.CreateRecord(object, Write{Fields: fields})
	require.NoError(b.t, err)
	return row["Id"].(string)
}

// token request in form encoding.
func (b *bench) form(path string, values url.Values, header ...string) answer {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(values.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	return answer{res.StatusCode, res.Header, string(raw)}
}
