package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/openapi"
)

func TestTheAPIIsDescribedToAnybody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.browser().get("/docs/api")
	require.Equal(t, http.StatusOK, a.StatusCode)
	for _, op := range openapi.Operations() {
		require.True(t, strings.Contains(a.html, op.Path), "%s %s", op.Method, op.Path)
	}
	require.Contains(t, a.html, `href="/api/openapi.json"`)
}
