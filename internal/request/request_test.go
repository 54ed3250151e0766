package request

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryRequestHasAnIDAndARecord(t *testing.T) {
	t.Parallel()
	var got Record
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Of(r.Context()).Route = "GET /x"
		Answer(w, r, http.StatusTeapot, "text/plain", []byte("hello"))
	}), func(r Record) { got = r })

	for given, taken := range map[string]bool{"": false, "abcdef-123": true, "bad id\nwith lines": false, strings.Repeat("x", 65): false} {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set(HeaderID, given)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		id := w.Header().Get(HeaderID)
		require.NotEmpty(t, id)
		require.Equal(t, taken, id == given, given)
		require.Equal(t, id, got.ID)
		require.Equal(t, "GET /x", got.Route)
		require.Equal(t, http.StatusTeapot, got.Status)
		require.EqualValues(t, 5, got.Bytes)
		require.Positive(t, got.Duration)
		require.Regexp(t, `^total;dur=\d+\.\d$`, w.Header().Get("Server-Timing"))
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	cause := errors.New("a secret place in the code")
	var got Record
	serve := func(before func(w http.ResponseWriter, r *http.Request)) http.Handler {
		return Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer Recover(w, r, func(error) { Answer(w, r, http.StatusInternalServerError, "text/plain", []byte("sorry")) })
			before(w, r)
			panic(cause)
		}), func(r Record) { got = r })
	}
	w := httptest.NewRecorder()
	serve(func(http.ResponseWriter, *http.Request) {}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "sorry", w.Body.String())
	var panicked *PanicError
	require.ErrorAs(t, got.Err, &panicked)
	require.NotEmpty(t, panicked.Stack)

	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}, "half an answer is cut off")
	require.Error(t, got.Err)
}

func TestAnswerCompresses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("words and words ", 1000)
	for _, tt := range []struct {
		accept, body string
		compressed   bool
	}{
		{"gzip", long, true},
		{"br, GZIP;q=0.5", long, true},
		{"*", long, true},
		{"gzip;q=0, *", long, false},
		{"deflate", long, false},
		{"", long, false},
		{"gzip", "short", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		w := httptest.NewRecorder()
		Answer(w, r, http.StatusOK, "text/plain", []byte(tt.body))
		require.Equal(t, tt.compressed, w.Header().Get("Content-Encoding") == "gzip", tt.accept)
		var body io.Reader = w.Body
		if tt.compressed {
			require.Less(t, w.Body.Len(), len(tt.body))
			var err error
			body, err = gzip.NewReader(w.Body)
			require.NoError(t, err)
		}
		raw, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, tt.body, string(raw))
	}
	r := httptest.NewRequest(http.MethodHead, "/", nil)
	w := httptest.NewRecorder()
	Answer(w, r, http.StatusOK, "text/plain", []byte("hello"))
	require.Empty(t, w.Body.String())
	require.Equal(t, "5", w.Header().Get("Content-Length"))
}
