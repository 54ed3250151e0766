package web

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of two templates of one name, the one that is read last would silently be both.
func TestEachTemplateHasItsOwnName(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(templateFiles, "templates/*.html")
	require.NoError(t, err)
	define := regexp.MustCompile(`\{\{-? ?define "([^"]+)"`)
	in := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(templateFiles, file)
		require.NoError(t, err)
		for _, m := range define.FindAllStringSubmatch(string(text), -1) {
			require.Empty(t, in[m[1]], "%s defines %q, and so does %s", file, m[1], in[m[1]])
			in[m[1]] = file
		}
	}
	require.Greater(t, len(in), 20)
}
