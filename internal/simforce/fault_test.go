package simforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// raw asks one query without the transport's own gzip and reads what comes. Each
// has a connection of its own: on a used one the transport would ask again by
// itself when the server hangs up.
func (b *bench) raw(ctx context.Context, soql, encoding string) (*http.Response, []byte, error) {
	res, err := b.begun(ctx, soql, encoding)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	return res, body, err
}

// begun asks, and leaves the body to be read and closed.
func (b *bench) begun(ctx context.Context, soql, encoding string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/services/data/v66.0/query?q="+url.QueryEscape(soql), nil)
	require.NoError(b.t, err)
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Accept-Encoding", encoding)
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.Do(req)
}

func TestFaultClasses(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	b.create("Case", Row{"Subject": "Grüße"})
	const soql = "SELECT Id, Subject FROM Case"
	want := b.query(soql).body
	seen := map[string]bool{}
	for _, class := range FaultClasses() {
		require.False(t, seen[class.Name], class.Name)
		seen[class.Name] = true
		if len(class.On) > 0 && class.On[0] != "query" || class.Heavy {
			continue
		}
		require.NoError(t, b.FailNext(Fault{Class: class.Name}))
		encoding := "identity"
		if class.Name == "cut_gzip" {
			encoding = "gzip"
		}
		res, body, err := b.raw(t.Context(), soql, encoding)
		require.Equal(t, 1, b.Counters().Faults[class.Name], class.Name)
		require.Empty(t, b.Faults(), class.Name)
		switch class.Name {
		case "no_answer":
			require.Error(t, err)
		case "cut_connection":
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		case "cut_json":
			require.Equal(t, want[:len(want)/2], string(body))
			require.False(t, json.Valid(body))
		case "cut_gzip":
			require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
			require.True(t, bytes.HasPrefix(body, []byte{0x1f, 0x8b}))
		case "wrong_charset":
			require.Equal(t, "application/json;charset=UTF-8", res.Header.Get("Content-Type"))
			require.False(t, utf8.Valid(body))
		case "nul_escaped":
			require.Equal(t, want, strings.Replace(string(body), `\u0000`, "", 1))
			require.NotEqual(t, want, string(body))
		case "nul_raw":
			require.Equal(t, want, strings.Replace(string(body), "\x00", "", 1))
			require.False(t, json.Valid(body))
		case "login_redirect":
			require.Equal(t, http.StatusFound, res.StatusCode)
			require.NotEmpty(t, res.Header.Get("Location"))
		case "session_expired":
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			require.Equal(t, http.StatusUnauthorized, b.query(soql).status, "it has really ended")
			b.token, err = b.Login(SyncUser)
			require.NoError(t, err)
		case "html_200", "empty_200":
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.False(t, json.Valid(body))
		default:
			require.NoError(t, err, class.Name)
			require.GreaterOrEqual(t, res.StatusCode, 400, class.Name)
			require.NotEmpty(t, res.Header.Get("X-Request-Id"))
		}
		if strings.HasPrefix(class.Name, "empty_") {
			require.Empty(t, body)
		}
		require.Equal(t, want, b.query(soql).body, "the next one is well: "+class.Name)
	}
	// Only ASCII: the body comes in UTF-16, still not what the header says.
	b.create("Account", Row{"Name": "plain"})
	require.NoError(t, b.FailNext(Fault{Class: "wrong_charset"}))
	_, body, err := b.raw(t.Context(), "SELECT Name FROM Account", "identity")
	require.NoError(t, err)
	require.False(t, json.Valid(body))
	// Nothing to damage: the true answer comes and nothing is counted.
	require.NoError(t, b.FailNext(Fault{Class: "nul_raw"}))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Account").status)
	require.Equal(t, 1, b.Counters().Faults["nul_raw"])

	for _, bad := range []Fault{{Class: "nope"}, {Class: "xml", Status: 500}, {Class: "xml", Drop: true}, {DelayMS: -1}} {
		require.Error(t, b.FailNext(bad))
	}
	b.ResetCounters()
	require.Nil(t, b.Counters().Faults)
}

func TestHeavyFaults(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.FailNext(Fault{Class: "endless_body"}))
	res, body, err := b.raw(t.Context(), "SELECT Id FROM Case", "identity")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Len(t, body, 8<<20, "more than a reader would want")

	require.NoError(t, b.FailNext(Fault{Class: "stalled_body"}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err = b.begun(ctx, "SELECT Id FROM Case", "identity")
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, 1))
	require.NoError(t, err, "something comes")
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, context.Canceled, "and no more")

	require.NoError(t, b.FailNext(Fault{DelayMS: 1, PathPrefix: "/services/data"}))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	require.Equal(t, map[string]int{"endless_body": 1, "stalled_body": 1, "delay": 1}, b.Counters().Faults)
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Rotation = "on" }))
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	for _, class := range []string{"token_unavailable", "token_server_error", "token_in_process", "token_rate_limit", "token_html_503", "token_empty_503",
		"token_expired", "token_ip_restricted", "token_login_hours", "token_not_approved", "token_inactive_user", "token_inactive_org", "token_bad_client_id",
		"token_bad_secret", "token_app_not_found"} {
		require.NoError(t, b.FailNext(Fault{Class: class}))
		require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status, "data requests pass by")
		require.GreaterOrEqual(t, b.refreshWith(tok.RefreshToken).status, 400, class)
	}
	require.NoError(t, b.FailNext(Fault{Class: "token_html_200"}))
	require.True(t, strings.HasPrefix(b.refreshWith(tok.RefreshToken).body, "<html>"))
	next := b.refreshWith(tok.RefreshToken).tokens(t)
	require.NotEqual(t, tok.RefreshToken, next["refresh_token"], "none of them used the token up")
	require.NoError(t, b.FailNext(Fault{Class: "token_empty_503", Stage: "after"}))
	b.refreshWith(next["refresh_token"])
	require.Contains(t, b.refreshWith(next["refresh_token"]).oauthError(t), "invalid_grant", "after the work the rotation is lost")
	tok, err = b.Grant(SyncUser)
	require.NoError(t, err)
	require.NoError(t, b.FailNext(Fault{Class: "token_cut_json"}))
	half := b.refreshWith(tok.RefreshToken)
	require.Equal(t, http.StatusOK, half.status)
	require.False(t, json.Valid([]byte(half.body)))
	require.Contains(t, b.refreshWith(tok.RefreshToken).oauthError(t), "invalid_grant")
}

func TestChaos(t *testing.T) {
	t.Parallel()
	run := func(c Chaos) (*bench, int) {
		b := start(t, Options{Generate: 5})
		require.NoError(t, b.SetChaos(c))
		failures := 0
		for range 600 {
			res, body, err := b.raw(t.Context(), "SELECT Id, Subject FROM EmailMessage", "gzip")
			if err != nil || res.StatusCode != http.StatusOK || !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
				failures++
			}
			if err == nil && res.StatusCode == http.StatusUnauthorized {
				b.token, err = b.Login(SyncUser)
				require.NoError(t, err)
			}
		}
		return b, failures
	}
	c := Chaos{Rate: 0.3, Seed: 7}
	b, failures := run(c)
	hit := b.Counters().Faults
	total := 0
	for name, n := range hit {
		total += n
		class := faultClass(name)
		require.False(t, class.Lasting || class.Heavy, name)
	}
	require.InDelta(t, 180, total, 60)
	require.Greater(t, failures, 100)
	for _, class := range FaultClasses() {
		if !class.Lasting && !class.Heavy && (len(class.On) == 0 || class.On[0] == "query") {
			require.Contains(t, hit, class.Name)
		}
	}
	again, _ := run(c)
	require.Equal(t, hit, again.Counters().Faults, "the seed decides")

	require.NoError(t, b.SetChaos(Chaos{Rate: 1, Classes: []string{"total_requests"}, Most: 2, PathPrefix: "/services/data/v66.0/query"}))
	require.Equal(t, http.StatusOK, b.get("/limits").status)
	require.Equal(t, http.StatusForbidden, b.query("SELECT Id FROM Case").status)
	require.Equal(t, http.StatusForbidden, b.query("SELECT Id FROM Case").status)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	require.NoError(t, b.SetChaos(Chaos{}))
	require.Error(t, b.SetChaos(Chaos{Rate: 2}))
	require.Error(t, b.SetChaos(Chaos{Rate: 1, Classes: []string{"nope"}}))
}

func TestQueryLimits(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.SessionTTLSeconds = 86400 }))
	for range 10 {
		b.create("Case", Row{"Priority": "Low"})
		b.clock.add(time.Hour)
	}
	id := b.ids("SELECT Id FROM Case ORDER BY Id")[0]
	code := func(soql string) string {
		a := b.query(soql)
		if a.status == http.StatusOK {
			return ""
		}
		code, _ := a.error(t)
		return code
	}
	set := func(l QueryLimits) { require.NoError(t, b.SetKnobs(func(k *Knobs) { k.QueryLimits = l })) }
	set(QueryLimits{TimeoutSeconds: 3 * 3600})
	for where, want := range map[string]string{
		"": "QUERY_TIMEOUT",
		"WHERE SystemModstamp >= 2026-11-23T10:00:00Z LIMIT 1":                                                         "QUERY_TIMEOUT",
		"WHERE SystemModstamp >= 2026-11-23T18:00:00Z":                                                                 "",
		"WHERE SystemModstamp > 2026-11-23T10:00:00Z AND SystemModstamp <= 2026-11-23T13:00:00Z":                       "",
		"WHERE SystemModstamp >= 2026-11-23T10:00:00Z AND SystemModstamp <= 2026-11-23T13:00:01Z":                      "QUERY_TIMEOUT",
		"WHERE CreatedDate >= 2026-11-23T18:00:00Z AND Priority = 'Low'":                                               "",
		"WHERE SystemModstamp < 2026-11-23T12:00:00Z":                                                                  "",
		"WHERE SystemModstamp = 2026-11-23T12:00:00Z":                                                                  "",
		"WHERE SystemModstamp = 2026-11-23T12:00:00Z OR Priority = 'Low'":                                              "QUERY_TIMEOUT",
		"WHERE SystemModstamp = 2026-11-23T12:00:00Z OR SystemModstamp = 2026-11-23T13:00:00Z":                         "",
		"WHERE (SystemModstamp = 2026-11-23T18:00:00Z AND Id > '" + id + "') OR SystemModstamp > 2026-11-23T18:00:00Z": "",
		"WHERE NOT SystemModstamp > 2026-11-23T10:00:00Z":                                                              "QUERY_TIMEOUT",
		"WHERE Id = '" + id + "'": "",
		"WHERE Id > '" + id + "'": "",
		"WHERE Priority = 'Low'":  "QUERY_TIMEOUT",
	} {
		require.Equal(t, want, code("SELECT Id FROM Case "+where), where)
	}
	require.Equal(t, "QUERY_TIMEOUT", code("SELECT COUNT() FROM Case"))
	require.Equal(t, "", code("SELECT Id FROM EmailMessage"), "there are no rows")
	set(QueryLimits{TimeoutRows: 4})
	require.Equal(t, "QUERY_TIMEOUT", code("SELECT Id FROM Case LIMIT 1"))
	require.Equal(t, "QUERY_TIMEOUT", code("SELECT Id FROM Case WHERE SystemModstamp < 2026-11-23T15:00:00Z"))
	require.Equal(t, "", code("SELECT Id FROM Case WHERE SystemModstamp < 2026-11-23T14:00:00Z"))
	set(QueryLimits{TooLargeRows: 4, TimeoutRows: 2, Objects: []string{"case"}})
	require.Equal(t, "OPERATION_TOO_LARGE", code("SELECT Id FROM Case"))
	require.Equal(t, "QUERY_TIMEOUT", code("SELECT Id FROM Case WHERE SystemModstamp < 2026-11-23T13:00:00Z"))
	require.Equal(t, "", code("SELECT Id FROM User"))
	set(QueryLimits{TooLargeSeconds: 60})
	require.Equal(t, "OPERATION_TOO_LARGE", code("SELECT Id FROM Case"))

	part := map[string]any{"method": "GET", "url": "/services/data/v66.0/query?q=SELECT+Id+FROM+Case", "referenceId": "a"}
	var out compositeResult
	b.do(http.MethodPost, "/services/data/v66.0/composite", map[string]any{"compositeRequest": []any{part}}).into(t, &out)
	require.Equal(t, http.StatusBadRequest, out.Parts[0].HTTPStatusCode, "a part fails by itself")
	require.Contains(t, string(out.Parts[0].Body), "OPERATION_TOO_LARGE")
}

func TestFaultInOnePart(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	part := func(ref, soql string) map[string]any {
		return map[string]any{"method": "GET", "url": "/services/data/v66.0/query?q=" + url.QueryEscape(soql), "referenceId": ref}
	}
	body := map[string]any{"compositeRequest": []any{part("a", "SELECT Id FROM Case"), part("b", "SELECT Id FROM Task"), part("c", "SELECT Id FROM User")}}
	ask := func() []int {
		var out compositeResult
		b.do(http.MethodPost, "/services/data/v66.0/composite", body).into(t, &out)
		var got []int
		for _, p := range out.Parts {
			got = append(got, p.HTTPStatusCode)
		}
		return got
	}
	require.NoError(t, b.FailNext(Fault{Class: "query_timeout", Contains: "FROM Task"}))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	require.Equal(t, []int{200, 400, 200}, ask())
	require.Equal(t, map[string]int{"query_timeout": 1}, b.Counters().Faults)
	require.Equal(t, []int{200, 200, 200}, ask())
	require.NoError(t, b.FailNext(Fault{Status: 503, Contains: "FROM User"}))
	require.Equal(t, http.StatusServiceUnavailable, b.do(http.MethodPost, "/services/data/v66.0/composite", body).status)
	require.NoError(t, b.SetChaos(Chaos{Rate: 1, Classes: []string{"operation_too_large"}}))
	require.Equal(t, []int{400, 200, 200}, ask())
	require.NoError(t, b.SetChaos(Chaos{Rate: 1, Classes: []string{"nul_escaped"}}))
	b.create("Case", Row{"Subject": "x"})
	body["compositeRequest"] = []any{part("a", "SELECT Subject FROM Case")}
	require.Contains(t, b.do(http.MethodPost, "/services/data/v66.0/composite", body).body, `\u0000x`)
}

func TestLongURI(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	long := func(n int) answer { return b.get("/limits?x=" + strings.Repeat("x", n)) }
	a := long(16_384)
	require.Equal(t, http.StatusRequestURITooLong, a.status)
	require.Contains(t, a.header.Get("Content-Type"), "text/html")
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.URIMax = 1000 }))
	require.Equal(t, http.StatusRequestURITooLong, long(1000).status)
	require.Equal(t, http.StatusOK, long(900).status)
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ConcurrentMax, k.ConcurrentOthers = 5, 4 }))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ConcurrentOthers = 5 }))
	a := b.query("SELECT Id FROM Case")
	require.Equal(t, http.StatusForbidden, a.status)
	code, message := a.error(t)
	require.Equal(t, "REQUEST_LIMIT_EXCEEDED ConcurrentRequests (Concurrent API Requests) Limit exceeded.", code+" "+message)
	require.Equal(t, 1, b.Counters().Faults["concurrent"])

	// Real requests count too: one that stalls takes the only place.
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ConcurrentMax, k.ConcurrentOthers = 1, 0 }))
	require.NoError(t, b.FailNext(Fault{Class: "stalled_body"}))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if _, _, err := b.raw(ctx, "SELECT Id FROM Case", "identity"); !errors.Is(err, context.Canceled) {
			t.Errorf("the stalled request ended with %v", err)
		}
	})
	require.Eventually(t, func() bool { return b.Counters().Faults["stalled_body"] == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, http.StatusForbidden, b.query("SELECT Id FROM Case").status)
	cancel()
	group.Wait()
	require.Eventually(t, func() bool { return b.query("SELECT Id FROM Case").status == http.StatusOK }, time.Minute, time.Millisecond)
}
