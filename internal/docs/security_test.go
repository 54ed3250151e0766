package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is said to stand in the way of a threat is held by tests that are there.
func TestEveryThreatNamesATest(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`).FindAllStringSubmatch(string(text), -1) {
				have[m[1]] = true
			}
		}
		return nil
	}))
	require.Greater(t, len(have), 500)
	rows := 0
	for line := range strings.Lines(section(t, "docs/security.md", "Threats")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat |") {
			continue
		}
		rows++
		require.Len(t, cells, 3, line)
		named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(cells[2], -1)
		require.NotEmpty(t, named, "no test holds: %s", cells[0])
		for _, m := range named {
			require.True(t, have[m[1]], "%s is to hold %q, and does not exist", m[1], cells[0])
		}
	}
	require.Greater(t, rows, 40)
}
