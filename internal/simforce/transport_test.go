package simforce

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 40})
	client := &http.Client{Transport: b.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	const soql = "SELECT Id, Subject, TextBody FROM EmailMessage ORDER BY Id"
	ask := func(ctx context.Context) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://acme.my.salesforce.com/services/data/v66.0/query?q="+url.QueryEscape(soql), nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+b.token)
		return client.Do(req)
	}
	read := func() (int, string, error) {
		res, err := ask(t.Context())
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}
	want := b.query(soql)
	status, body, err := read()
	require.NoError(t, err)
	require.Equal(t, []any{http.StatusOK, want.body}, []any{status, body})
	res, err := ask(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.header.Get("Date"), res.Header.Get("Date"))
	require.NoError(t, res.Body.Close())
	_, err = res.Body.Read(make([]byte, 1))
	require.Error(t, err)

	for class, ends := range map[string]error{"no_answer": io.EOF, "cut_connection": io.ErrUnexpectedEOF} {
		require.NoError(t, b.FailNext(Fault{Class: class}))
		_, _, err = read()
		require.ErrorIs(t, err, ends, class)
	}
	require.NoError(t, b.FailNext(Fault{Class: "login_redirect"}))
	status, _, err = read()
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, status)

	// A body that never ends is given up by whoever reads it.
	require.NoError(t, b.FailNext(Fault{Class: "endless_body"}))
	res, err = ask(t.Context())
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, res.Body, 20<<20)
	require.NoError(t, err)
	require.Equal(t, int64(20<<20), n)
	require.NoError(t, res.Body.Close())
	require.NoError(t, b.FailNext(Fault{Class: "stalled_body"}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err = ask(ctx)
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, res.Body.Close())
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LatencyMS = 60_000 }))
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = ask(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LatencyMS = 0 }))

	// Posts, and the control endpoint, which takes it for this machine.
	v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {b.opts.ConsumerKey}, "client_secret": {b.opts.ConsumerSecret}}
	res, err = client.PostForm("http://login.salesforce.com/services/oauth2/token", v)
	require.NoError(t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Contains(t, string(text), "invalid_grant")
	res, err = client.Post("http://acme.my.salesforce.com/_sim/write", "application/json", strings.NewReader(`{"count":3}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, res.Body.Close())
	require.Eventually(t, func() bool { return b.inflight.Load() == 0 }, time.Minute, time.Millisecond, "every call has ended")
}

func BenchmarkTransport(b *testing.B) {
	s, token, _ := filled(b, 300, true)
	client := &http.Client{Transport: s.Transport()}
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://x/services/data/v66.0/query?q=SELECT+COUNT()+FROM+Case", nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
		_ = res.Body.Close()
	}
}
