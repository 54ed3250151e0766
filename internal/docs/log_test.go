package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
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
