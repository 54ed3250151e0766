package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// pages is a product and a Salesforce in one: a link that sets a cookie and leads to login,
// consent with the refusing button first, and back to the front page.
func pages(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /link", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "attempt", Value: "7", Path: "/"})
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<form method="post" action="consent"><input type="hidden" name="state" value="s&amp;1">
			<select name="user"><option value="a">A</option><option value="b" selected>B</option><option value="c">C</option></select>
			<input name="code"><button type="submit">Log in</button></form>`)
	})
	mux.HandleFunc("POST /consent", func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"state": {"s&1"}, "user": {"c"}, "code": {"demo"}}
		if err := r.ParseForm(); err != nil || r.PostForm.Encode() != want.Encode() {
			http.Error(w, "want "+want.Encode(), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `<form method="post" action="/decide"><button name="decision" value="deny">No</button>
			<button name="decision" value="allow">Yes</button></form>`)
	})
	mux.HandleFunc("POST /decide", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("attempt")
		if err != nil || c.Value != "7" || r.PostFormValue("decision") != "allow" {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, "/?notice=connected", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
	mux.HandleFunc("GET /text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<style>x</style><p>nothing to press</p>") })
	mux.HandleFunc("GET /circle", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<form action="/circle"></form>`) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestBrowserConsents(t *testing.T) {
	t.Parallel()
	server := pages(t)
	b, err := newBrowser(server.URL, map[string]string{"user": "c", "elsewhere": "x"})
	require.NoError(t, err)
	require.NoError(t, b.consent(t.Context(), server.URL+"/link"))
}

func TestBrowserSaysWhereItIsStuck(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/text":   "has no form: nothing to press",
		"/gone":   "says 404 Not Found",
		"/circle": "not back at",
	} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			server := pages(t)
			b, err := newBrowser(server.URL, map[string]string{"user": "c", "elsewhere": "x"})
			require.NoError(t, err)
			require.ErrorContains(t, b.consent(t.Context(), server.URL+path), want)
		})
	}
}
