package clean_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// update writes what is got into the .want files, whose changes are then to be reviewed.
var update = flag.Bool("update", false, "rewrite the .want files of testdata")

// golden runs every mail of a folder, a body as text or as HTML, and compares what show
// makes of it with the file beside it.
func golden(t *testing.T, dir string, show func(clean.Result) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".want") })
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			mail := clean.Mail{Text: string(body)}
			if filepath.Ext(file) == ".html" {
				mail = clean.Mail{HTML: string(body)}
			}
			got := clean.Split(mail)
			whole(t, got)
			if *update {
				require.NoError(t, os.WriteFile(file+".want", []byte(show(got)), 0o600))
			}
			want, err := os.ReadFile(file + ".want")
			require.NoError(t, err, "run with -update, and review it")
			require.Equal(t, string(want), show(got))
		})
	}
}

// TestQuotes tells the newest message from the history in mails as programs and
// people write them, by class and language.
func TestQuotes(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/quotes", func(r clean.Result) string {
		return "-- reply --\n" + r.Reply + "\n-- quoted --\n" + r.Quoted + "\n"
	})
}
