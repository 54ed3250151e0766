package tenant

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	hosts := Hosts{"localhost:8080", "10.0.0.7:443"}
	for text, want := range map[string]string{
		"https://cloud.uipath.com/acme/prod/reinfer_":   "https://cloud.uipath.com/acme/prod/reinfer_",
		" cloud.uipath.com/acme/prod/reinfer_/ ":        "https://cloud.uipath.com/acme/prod/reinfer_",
		"HTTPS://Acme.Reinfer.IO/":                      "https://acme.reinfer.io",
		"http://localhost:8080":                         "http://localhost:8080",
		"https://10.0.0.7":                              "https://10.0.0.7",
		"https://cloud.uipath.com:8443/a%2Fb/reinfer_/": "https://cloud.uipath.com:8443/a%2Fb/reinfer_",
	} {
		got, err := hosts.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for text, says := range map[string]string{
		"":                                   "no host",
		"http://cloud.uipath.com":            "plain http",
		"https://127.0.0.1":                  "not the name of a host",
		"https://[::1]:443":                  "not the name of a host",
		"https://localhost":                  "not the name of a host",
		"https://metadata":                   "not the name of a host",
		"https://a.localhost.":               "not the name of a host",
		"http://10.0.0.7":                    "plain http",
		"ftp://cloud.uipath.com":             "https://",
		"https://me:secret@cloud.uipath.com": "user name",
		"https://cloud.uipath.com/x?y=1":     "behind its path",
		"https://cloud.uipath.com/x#y":       "behind its path",
		"https://cloud.uipath.com/x/api":     "/api",
		"https://cloud.uipath.com/x/api/v1/": "/api",
		"https://%zz":                        "not a web address",
	} {
		_, err := hosts.Parse(text)
		require.Equal(t, fault.Invalid, fault.KindOf(err), text)
		require.Contains(t, err.Error()+fault.HintOf(err), says, text)
		require.NotContains(t, err.Error()+fault.HintOf(err), "secret")
	}
}

func TestEncodesWhatTheAPITakes(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 1, 2, 3, 456789000, time.FixedZone("", 3600))
	c := comment.Comment{ID: "0a", Timestamp: at, Messages: []comment.Message{{Body: comment.Text{Text: "<b>\u2028"}}},
		Properties:  comment.Properties{"number:N": 3.0, "string:S": "x"},
		Attachments: []comment.Attachment{{Name: "a.pdf", Size: 10, ContentType: ".pdf", Reference: "ours", ContentHash: "ours"}}}
	raw, err := Encode(c)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"0a","timestamp":"2024-01-01T00:02:03.456789Z","messages":[{"body":{"text":"<b>\u2028"}}],
		"user_properties":{"number:N":3,"string:S":"x"},"attachments":[{"name":"a.pdf","size":10,"content_type":".pdf"}]}`, string(raw))
	require.Contains(t, string(raw), `"number:N":3.0`, "a number is a float on the wire")
	require.Equal(t, "ours", c.Attachments[0].Reference, "what was given is left alone")
	require.Equal(t, 3.0, c.Properties["number:N"])
}

func TestDeletesFitAnAddress(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1, FitDeletes([]string{strings.Repeat("%", 1024)}))
	require.Equal(t, 1, FitDeletes([]string{strings.Repeat("%", 1024), strings.Repeat("%", 1024)}))
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = "0a"
	}
	require.Equal(t, MostDeletes, FitDeletes(ids))
	require.Equal(t, 8, FitDeletes(ids[32:]))
}

// answering is a target that always answers in the same way.
func answering(t *testing.T, handler http.HandlerFunc) (*Client, Target) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := New(Hosts{strings.TrimPrefix(server.URL, "http://")})
	return c, Target{Endpoint: server.URL, Project: "p", Source: "s", Token: "re_secret"}
}

func TestAnswersThatNeverEndAreBounded(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	require.NoError(t, z.Close())
	c, to := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	_, err := c.Sync(t.Context(), to, nil)
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Contains(t, err.Error(), "far too long")

	c, to = answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c.http.Timeout = 50 * time.Millisecond
	_, err = c.Sync(t.Context(), to, nil)
	require.Equal(t, fault.Transient, fault.KindOf(err), "a tenant that is slow is tried again")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Count(ended, to)
	require.ErrorIs(t, err, context.Canceled, "that somebody stopped us is not the tenant's failure")
}

func TestWhatTheTenantSaysIsQuotedShortAndWithoutTheToken(t *testing.T) {
	t.Parallel()
	c, to := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		message, _ := json.Marshal("re_secret\x00 \xff" + strings.Repeat("long ", 500))
		_, _ = io.WriteString(w, `{"status":"error","message":`+string(message)+`}`)
	})
	_, err := c.Sync(t.Context(), to, nil)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.NotContains(t, err.Error(), "re_secret")
	require.NotContains(t, err.Error(), "\x00")
	require.Less(t, len(err.Error()), 1000)
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, "the tenant refuses what was sent", f.Message)
	require.Equal(t, "HTTP 400", f.Code)
}

func TestEndpointsAreCheckedBeforeEachCall(t *testing.T) {
	t.Parallel()
	_, to := answering(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called") })
	_, err := New(nil).Count(t.Context(), to)
	require.Equal(t, fault.Config, fault.KindOf(err), "what was allowed when it was applied may not be any more")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-3": 0, "soon": 0, "999999999": longestWait, "99999999999999999999": 0,
		"Wed, 21 Oct 2015 07:28:00 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": longestWait,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}), text)
	}
}
