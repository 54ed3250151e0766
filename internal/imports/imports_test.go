package imports_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "salesforcesync/"

// layers from the top down: a package may import packages of the layers below its
// own, not beside or above. Programs and their tools stand on top of all.
var layers = [][]string{
	{"worker", "starter", "authsvc", "internal/cmd/devstack", "internal/cmd/simforce", "internal/simforce/proof", "internal/cmd/recordhistories", "internal/cmd/cursorrules", "internal/cmd/bench", "internal/cmd/benchread", "internal/cmd/benchidle", "internal/cmd/screenshots", "internal/cmd/chaos", "internal/e2e", "internal/soak", "internal/docs", "internal/deploy"},
	{"internal/browser", "internal/chaos"},
	{"activities", "workflows", "internal/devstack", "internal/meter"},
	{"internal/app"},
	{"internal/api", "internal/web"},
	{"internal/operate", "internal/catalogue"},
	{"internal/poll", "internal/deliver", "internal/request", "internal/find"},
	{"internal/transform", "internal/oauth", "internal/openid", "internal/quota", "internal/access", "internal/bill", "internal/store/simtime"},
	{"internal/store", "internal/salesforce", "internal/tenant", "internal/expect"},
	{"internal/config", "internal/soql", "internal/words"},
	{"internal/clean", "internal/comment", "internal/eml", "internal/gate", "internal/tracing"},
	{"internal/flow", "internal/secret", "internal/fault", "internal/crashpoint", "internal/csv", "internal/openapi", "internal/diff", "internal/build"},
	{"internal/simforce", "internal/netfault", "internal/dial"},
}

// forbidden says what a package must not reach, directly or through others, and why.
var forbidden = []struct {
	from, to, why string
}{
	{"workflows", module + "internal/", "a workflow is deterministic: it knows the contract (internal/flow) and nothing that does anything"},
	{"workflows", "github.com/jackc/pgx", "a workflow does no I/O"},
	{"workflows", "golang.org/x/oauth2", "a workflow does no I/O"},
	{"worker", module + "internal/simforce", "a simulated Salesforce, whose consent anybody gives, is never in production"},
	{"starter", module + "internal/simforce", "a simulated Salesforce, whose consent anybody gives, is never in production"},
	{"authsvc", module + "internal/simforce", "a simulated Salesforce, whose consent anybody gives, is never in production"},
	{"worker", module + "internal/devstack", "local servers have no passwords"},
	{"starter", module + "internal/devstack", "local servers have no passwords"},
	{"authsvc", module + "internal/devstack", "local servers have no passwords"},
	{"internal/simforce", module, "the simulator must not share the product's idea of Salesforce"},
	{"internal/comment", "github.com/jackc/pgx", "the domain does not know where it is kept"},
	{"internal/clean", "net/http", "text is cleaned without I/O"},
	{"internal/csv", module, "a reader of text knows no records"},
}

// only says which packages alone may import something.
var only = []struct {
	what, why string
	by        []string
}{
	{"github.com/jackc/pgx/v5", "all SQL is in store", []string{"internal/store", "internal/store/simtime", "internal/devstack"}},
	{"golang.org/x/oauth2", "tokens are got in one place, and people signed in in another", []string{"internal/oauth", "internal/openid"}},
	{"github.com/coreos/go-oidc/v3", "people are signed in in one place", []string{"internal/openid"}},
	{"golang.org/x/crypto/argon2", "passwords are checked in one place", []string{"internal/access"}},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Dir        string
}

func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps,GoFiles,Dir", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	require.NoError(t, err, "go list")
	all := map[string]pkg{}
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var p pkg
		require.NoError(t, d.Decode(&p))
		all[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	require.Greater(t, len(all), 15, "go list saw the tree")
	return all
}

func layerOf(path string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, path) })
}

func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	for path, p := range packages(t) {
		if len(p.GoFiles) == 0 || strings.HasSuffix(path, "test") || path == "internal/imports" {
			continue
		}
		own := layerOf(path)
		require.NotEqual(t, -1, own, "%s has no place: add it to layers", path)
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			require.Greater(t, layerOf(other), own, "%s imports %s, which does not stand below it", path, other)
		}
	}
}

func TestNobodyReachesWhatItMustNotKnow(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for _, f := range forbidden {
		for _, dep := range all[f.from].Deps {
			if f.from == "workflows" && dep == module+"internal/flow" {
				continue
			}
			require.False(t, strings.HasPrefix(dep, f.to), "%s reaches %s: %s", f.from, dep, f.why)
		}
	}
}

func TestSomeThingsHaveOneDoor(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for _, o := range only {
		for path, p := range all {
			if slices.Contains(o.by, path) || strings.HasSuffix(path, "test") || len(p.GoFiles) == 0 {
				continue
			}
			for _, imported := range p.Imports {
				require.False(t, imported == o.what || strings.HasPrefix(imported, o.what+"/"), "%s imports %s: %s", path, imported, o.why)
			}
		}
	}
}

// Environment variables are read in config alone: elsewhere they would be settings
// that no table names and no check sees.
func TestOnlyConfigReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	allowed := []string{"internal/config", "internal/devstack", "internal/cmd/devstack", "internal/cmd/simforce", "internal/simforce/proof", "internal/cmd/recordhistories", "internal/cmd/cursorrules", "internal/cmd/bench", "internal/cmd/benchread", "internal/cmd/benchidle", "internal/cmd/screenshots"}
	calls := 0
	for path, p := range packages(t) {
		if strings.HasSuffix(path, "test") || strings.HasSuffix(path, "e2e") {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || s.Sel.Name != "Getenv" && s.Sel.Name != "LookupEnv" && s.Sel.Name != "Environ" {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "os" {
					calls++
					require.Contains(t, allowed, path, "%s/%s reads the environment", path, name)
				}
				return true
			})
		}
	}
	require.Positive(t, calls, "config reads it")
}

// Every package says what it owns.
func TestEveryPackageHasADoc(t *testing.T) {
	t.Parallel()
	for path, p := range packages(t) {
		said := false
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			require.NoError(t, err)
			said = said || file.Doc != nil
		}
		require.True(t, said || len(p.GoFiles) == 0, "%s has no package comment", path)
	}
}

// Code lives only where people look for it.
func TestFolders(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	places := []string{"workflows", "activities", "worker", "starter", "authsvc", "internal"}
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ".go") {
			found++
			top, _, _ := strings.Cut(rel, string(filepath.Separator))
			require.Contains(t, places, top, "%s lies outside the tree", rel)
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, found)
}
