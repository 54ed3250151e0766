package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/monitoringtest"
)

// Each key of log lines has one spelling, in one file, and the page tells what it means.
func TestEveryLogKeyIsDocumented(t *testing.T) {
	t.Parallel()
	known := monitoringtest.LogKeys(t)
	file, err := parser.ParseFile(token.NewFileSet(), "../flow/logkey.go", nil, 0)
	require.NoError(t, err)
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		if lit, ok := node.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			key, _ := strconv.Unquote(lit.Value)
			require.Contains(t, known, key)
			n++
		}
		return true
	})
	require.Greater(t, n, 30)
}

var literalKey = regexp.MustCompile(`\bzap\.[A-Z]\w*\("`)

// A key that is spelled where it is used is one that nobody finds in the table.
func TestKeysOfLogLinesAreConstants(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dir := range []string{"worker", "authsvc", "starter", "activities", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal/cmd/") {
				return err
			}
			code, err := os.ReadFile(path)
			files++
			require.NotRegexp(t, literalKey, string(code), path)
			return err
		}))
	}
	require.Greater(t, files, 200)
}
