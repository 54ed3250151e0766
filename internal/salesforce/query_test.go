package salesforce

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestQueryNext(t *testing.T) {
	t.Parallel()
	const next = "/services/data/v66.0/query/0r8xx5R2yRjYJoUASW-2000"
	for name, c := range map[string]struct {
		status int
		body   string
		want   fault.Kind
	}{
		"good":            {200, onePage, ""},
		"lost":            {400, errorList("INVALID_QUERY_LOCATOR", "invalid query locator"), fault.Stale},
		"dead session":    {401, errorList("INVALID_SESSION_ID", "Session expired or invalid"), fault.Stale},
		"not found":       {404, errorList("NOT_FOUND", "x"), fault.Stale},
		"other refusal":   {400, errorList("UNHEARD_OF", "x"), fault.Stale},
		"passing":         {503, "", fault.Transient},
		"quota":           {403, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), fault.Quota},
		"broken":          {200, onePage[:50], fault.Transient},
		"page of nothing": {200, `{"totalSize":2,"done":true,"records":[]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, _ := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, next, r.URL.Path)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := client.QueryNext(t.Context(), next, QueryOptions{})
			require.Equal(t, c.want, fault.KindOf(err))
		})
	}
	client, _, seen := org(t, nil, func(http.ResponseWriter, *http.Request) {})
	for _, bad := range []string{"", "https://evil.example/services/data/v66.0/query/x", "//evil.example/services/data/x", "/services/data/../../x", "@evil.example/services/data/", "/services/apexrest/x", "/services/data/v66.0/query?q=x"} {
		_, err := client.QueryNext(t.Context(), bad, QueryOptions{})
		require.Equal(t, fault.Stale, fault.KindOf(err), bad)
	}
	require.Empty(t, *seen, "nothing was called")
}

func compositeOrg(t *testing.T, handle func(q string, part compositePart) (int, string)) (*Client, *[]Call) {
	c, _, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, http.MethodPost, r.Method)
		require.Equal(t, "/services/data/v66.0/composite", r.URL.Path)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		var ask compositeRequest
		require.NoError(t, json.NewDecoder(r.Body).Decode(&ask))
		require.LessOrEqual(t, len(ask.Requests), MaxSubqueries)
		require.False(t, ask.AllOrNone)
		var parts []string
		for _, part := range ask.Requests {
			u, err := url.Parse(part.URL)
			require.NoError(t, err)
			status, body := handle(u.Query().Get("q"), part)
			parts = append([]string{fmt.Sprintf(`{"body":%s,"httpHeaders":{},"httpStatusCode":%d,"referenceId":%q}`, body, status, part.ReferenceID)}, parts...)
		}
		w.Header().Set("X-Request-Id", "outer")
		_, _ = io.WriteString(w, `{"compositeResponse":[`+strings.Join(parts, ",")+`]}`)
	})
	return c, seen
}

func TestTogetherMatchesAnswersByReference(t *testing.T) {
	t.Parallel()
	c, seen := compositeOrg(t, func(q string, part compositePart) (int, string) {
		if strings.Contains(q, "Bad") {
			return 400, errorList("INVALID_TYPE", "sObject type 'Bad' is not supported")
		}
		if strings.Contains(q, "O2") {
			require.Contains(t, part.URL, "/queryAll?q=")
			require.Equal(t, "batchSize=200", part.Headers["Sforce-Query-Options"])
		}
		return 200, fmt.Sprintf(`{"totalSize":%d,"done":true,"records":[]}`, len(q))
	})
	asks := []Ask{Subquery{SOQL: "SELECT Id FROM O1"}, Subquery{"SELECT Id FROM O2 ", QueryOptions{All: true, BatchSize: 1}}, Subquery{SOQL: "SELECT Id FROM Bad"}}
	for range 4 {
		asks = append(asks, Subquery{SOQL: "SELECT Id FROM O3  "})
	}
	answers, err := c.Together(t.Context(), asks)
	require.NoError(t, err)
	require.Len(t, *seen, 2, "seven queries are two calls")
	require.Len(t, answers, 7)
	for i, r := range answers {
		if i == 2 {
			require.Equal(t, fault.Config, fault.KindOf(r.Err))
			require.ErrorContains(t, r.Err, "query Bad")
			require.ErrorContains(t, r.Err, "outer")
			continue
		}
		require.NoError(t, r.Err)
		require.Equal(t, len(asks[i].(Subquery).SOQL), r.Page.TotalSize, "answers are matched by reference, not by place")
	}
	answers, err = c.Together(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, answers)
}

func TestLongQueryTravelsInTheBody(t *testing.T) {
	t.Parallel()
	long := "SELECT Id FROM Case WHERE Subject = '" + strings.Repeat("x", 9000) + "'"
	c, _ := compositeOrg(t, func(q string, _ compositePart) (int, string) {
		require.Equal(t, long, q)
		return 200, onePage
	})
	page, err := c.Query(t.Context(), long, QueryOptions{})
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
}

func TestCompositeOddAnswers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"compositeResponse":[]}`,
		`{"compositeResponse":[{"body":` + onePage + `,"httpStatusCode":200,"referenceId":"q7"}]}`,
		`{"compositeResponse":[{"body":` + onePage + `,"httpStatusCode":200,"referenceId":"x"}]}`,
		`{"compositeResponse":[{"body":` + onePage + `,"httpStatusCode":200,"referenceId":"q0"},{"body":` + onePage + `,"httpStatusCode":200,"referenceId":"q0"}]}`,
		`{"compositeResponse":[{"body":null,"httpStatusCode":200,"referenceId":"q0"}]}`,
		`{"compositeResponse":[{"body":{"done":true},"httpStatusCode":200,"referenceId":"q0"}]}`,
		`{"compositeResponse":`, `[]`, ``,
	} {
		c, _, _ := org(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		_, err := c.Together(t.Context(), []Ask{Subquery{SOQL: "SELECT Id FROM A"}})
		require.Equal(t, fault.Transient, fault.KindOf(err), body)
	}
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	write := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	zipped := func(body string, cut int) http.HandlerFunc {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes()[:b.Len()-cut])
		}
	}
	cases := map[string]http.HandlerFunc{
		"empty": write(""), "spaces": write(" \n"), "html": write("<html>login</html>"), "text": write("OK"), "nul": write("\x00\x00"),
		"list": write("[]"), "null": write("null"), "wrong types": write(`{"totalSize":"2","done":true,"records":[]}`),
		"no done": write(`{"totalSize":2,"records":[]}`), "no records": write(`{"totalSize":2,"done":true}`), "null records": write(`{"totalSize":2,"done":true,"records":null}`),
		"no next": write(`{"totalSize":2,"done":false,"records":[]}`), "rows are numbers": write(`{"totalSize":2,"done":true,"records":[1]}`),
		"cut gzip": zipped(onePage, 40), "not gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, onePage)
		},
		"cut by length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, onePage[:100])
		},
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, onePage[:100])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"error list with 200": write(errorList("UNKNOWN_EXCEPTION", "x")),
	}
	for cut := 1; cut < len(onePage); cut += 7 {
		cases[fmt.Sprintf("cut after %d", cut)] = write(onePage[:cut])
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req-9")
				handler(w, r)
			})
			page, err := c.Query(t.Context(), "SELECT Id, Topsecret FROM Case", QueryOptions{})
			require.Equal(t, fault.Transient, fault.KindOf(err), err)
			require.Equal(t, Page{}, page)
			var e *fault.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "req-9", e.RequestID)
			require.Equal(t, "query Case", e.Op)
			require.NotContains(t, err.Error(), "Topsecret")
			require.NotContains(t, err.Error(), "token-1")
			require.Len(t, *seen, 1)
		})
	}
}
