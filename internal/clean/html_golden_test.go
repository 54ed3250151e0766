package clean_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// TestHTMLGolden reads every document of testdata/html, by class, and compares its text
// with the file beside it.
func TestHTMLGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/html/*.html")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 60)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			document, err := os.ReadFile(file)
			require.NoError(t, err)
			got := clean.HTML(string(document))
			wellFormed(t, got)
			require.Equal(t, got, clean.Text(got), "the text of HTML is clean text")
			if *update {
				require.NoError(t, os.WriteFile(file+".want", []byte(got+"\n"), 0o600))
			}
			want, err := os.ReadFile(file + ".want")
			require.NoError(t, err, "run with -update, and review it")
			require.Equal(t, string(want), got+"\n")
		})
	}
}
