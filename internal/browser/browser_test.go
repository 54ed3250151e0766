package browser

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// The checks can fail: a page that is bad in each of the ways is told so, and a good one is not.
func TestAPageIsHeldToWhatEveryPageMustKeep(t *testing.T) {
	t.Parallel()
	const good = `<!doctype html><html lang="en"><head><title>Good</title></head><body><main><h1>Good page</h1>
		<form action="/good"><label for="f">Name</label><input id="f" name="f"><button>Send it</button></form><a href="/other">Other</a></main></body></html>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'")
		body := good
		switch r.URL.Path {
		case "/bad":
			body = `<!doctype html><html><head><title>Bad</title></head><body><main><h1>Bad page</h1><img src="/x.png"><input name="q"><p>words</p></main></body></html>`
		case "/other":
			body = strings.ReplaceAll(good, "Good page", "Other page")
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if name := r.URL.Query().Get("f"); name != "" {
			body = strings.ReplaceAll(good, "Good page", "Hello, "+name)
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	b, err := Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	tab, err := b.Open()
	require.NoError(t, err)
	t.Cleanup(tab.Close)

	require.NoError(t, tab.Go(server.URL+"/good"))
	found, err := tab.Check()
	require.NoError(t, err)
	require.Empty(t, Serious(found), "%v", found)
	require.Empty(t, tab.Complaints())
	require.NoError(t, tab.Fill("Name", "Ann's friend"))
	require.NoError(t, tab.Press("Send it"))
	require.NoError(t, tab.See("Hello, Ann's friend"))
	require.NoError(t, tab.Press("Other"))
	require.NoError(t, tab.See("Other page"))
	require.NoError(t, tab.Click("#f"))
	require.NoError(t, tab.Key("x"+kb.Enter))
	require.NoError(t, tab.See("Hello, x"))
	require.NoError(t, tab.Show(390, 800, true))
	dark, err := Evaluate[bool](tab, `matchMedia("(prefers-color-scheme: dark)").matches && innerWidth === 390`)
	require.NoError(t, err)
	require.True(t, dark)
	picture := filepath.Join(t.TempDir(), "page.png")
	require.NoError(t, tab.Screenshot(picture, true))
	info, err := os.Stat(picture)
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(1000))
	require.Empty(t, tab.Complaints())

	require.NoError(t, tab.Go(server.URL+"/bad"))
	require.Contains(t, strings.Join(tab.Complaints(), "\n"), "Content Security Policy")
	found, err = tab.Check()
	require.NoError(t, err)
	var rules []string
	for _, f := range Serious(found) {
		rules = append(rules, f.Rule)
	}
	require.Contains(t, rules, "image-alt")
	require.Contains(t, rules, "label")
	require.Contains(t, rules, "html-has-lang")
	_, err = Evaluate[bool](tab, `setTimeout(() => { throw new Error("broken") }, 0) > 0`)
	require.NoError(t, err)
	require.NoError(t, tab.Go(server.URL+"/good"))
	require.Contains(t, strings.Join(tab.Complaints(), "\n"), "broken")
}
