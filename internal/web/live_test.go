package web

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A page that is open shows what has changed, and nothing is sent again that it shows already.
func TestAPageMoves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source := b.seed.Source(b.seed.Project("support"), "emails")
	br := b.browser()
	br.signIn(adminEmail, "/")
	res := br.stream("/", "")
	defer res.Body.Close()
	require.Equal(t, eventsType, res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	lines := bufio.NewScanner(res.Body)
	first := nextEvent(t, lines)
	require.Equal(t, "part", first.name)
	require.NotContains(t, first.data, "<html")
	b.seed.Mail(source, "0a", time.Now(), "Just arrived", "hello")
	second := nextEvent(t, lines)
	for shown := first; !strings.Contains(second.data, "Just arrived"); second = nextEvent(t, lines) { // what was counted meanwhile may come before it
		if second.name == "part" {
			require.NotEqual(t, shown.id, second.id)
			shown = second
		}
	}
	require.Equal(t, "part", second.name)
	require.NotEqual(t, first.id, second.id)

	again := br.stream("/", second.id)
	defer again.Body.Close()
	require.Equal(t, "still", nextEvent(t, bufio.NewScanner(again.Body)).name, "a browser that comes back has it already")

	// A server that stops does not wait for open pages.
	b.web.Stop()
	_, err := io.Copy(io.Discard, again.Body)
	require.NoError(t, err)
}

// Pages that nothing moves on are pages for whoever asks for events, too.
func TestAPageThatDoesNotMove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	res := br.stream("/docs/api", "")
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, res.Header.Get("Content-Type"), "text/html")
}
