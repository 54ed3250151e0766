package catalogue_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var root = filepath.Join("..", "..")

// site is a place of the code where a fault is made.
type site struct {
	pkg, at string // package; file and line
	kind    string // "" when it is known at run time only
	message string // as in the code, with its verbs; "" when it is known at run time only
}

// file is where it is, without the line.
func (s site) file() string {
	name, _, _ := strings.Cut(s.at, ":")
	return name
}

// shipped lists the folders of the packages that the three programs are made of: faults of the simulator,
// of local servers and of tools are met by nobody else.
func shipped(t *testing.T) []string {
	t.Helper()
	const module = "salesforcesync/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./worker", "./starter", "./authsvc")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, "go list")
	var folders []string
	for path := range strings.FieldsSeq(string(out)) {
		if folder, ours := strings.CutPrefix(path, module); ours && folder != "internal/fault" {
			folders = append(folders, folder)
		}
	}
	require.Contains(t, folders, "workflows")
	require.NotContains(t, folders, "internal/simforce")
	slices.Sort(folders)
	return folders
}

// maker is a function that makes a fault of what it is given: which argument is the kind (-1: always
// the one named), which the message, and what it puts before it.
type maker struct {
	kindAt, messageAt int
	kind, before      string
}

// makers of faults beside package fault's own, by package and name. Each must exist.
var makers = map[string]maker{
	"internal/operate.refuse": {kindAt: 0, messageAt: 3},
	"internal/operate.unseen": {kindAt: -1, messageAt: 1, kind: "Forbidden"},
	"internal/config.problem": {kindAt: -1, messageAt: 1, kind: "Invalid"},
	"internal/words.bad":      {kindAt: -1, messageAt: 0, kind: "Invalid", before: "q "},
	"internal/soql.fail":      {kindAt: -1, messageAt: 2, kind: "Invalid", before: "condition, character %d: "},
	"internal/soql.failAt":    {kindAt: -1, messageAt: 1, kind: "Invalid", before: "condition, character %d: "},
	"internal/openid.refused": {kindAt: -1, messageAt: 0, kind: "Unauthenticated"},
}

// sites finds every place where a fault is made.
func sites(t *testing.T) []site {
	t.Helper()
	var all []site
	for _, folder := range shipped(t) {
		paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		require.NoError(t, err)
		for _, path := range paths {
			if !strings.HasSuffix(path, "_test.go") {
				all = append(all, sitesOf(t, path, folder+"/"+filepath.Base(path))...)
			}
		}
	}
	return all
}

func sitesOf(t *testing.T, path, rel string) []site {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	pkg := filepath.ToSlash(filepath.Dir(rel))
	var found []site
	add := func(n ast.Node, kind, message string) {
		found = append(found, site{pkg: pkg, at: rel + ":" + strconv.Itoa(files.Position(n.Pos()).Line), kind: kind, message: message})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch name := nameOf(n.Fun); {
			case name == "fault.New" && textOf(n.Args[1]) == "" && kindOf(n.Args[0]) == "": // not for people: a kind by itself
			case name == "fault.New":
				add(n, kindOf(n.Args[0]), textOf(n.Args[1]))
			case name == "fault.Wrap":
				add(n, kindOf(n.Args[0]), textOf(n.Args[2]))
			default:
				if i := strings.LastIndexByte(name, '.'); i >= 0 {
					name = name[i+1:]
				}
				m, ok := makers[pkg+"."+name]
				if !ok || len(n.Args) <= m.messageAt {
					break
				}
				kind := m.kind
				if m.kindAt >= 0 {
					kind = kindOf(n.Args[m.kindAt])
				}
				add(n, kind, m.before+textOf(n.Args[m.messageAt]))
			}
		case *ast.AssignStmt:
			var kind, message string
			for i, to := range n.Lhs {
				switch name := nameOf(to); {
				case len(n.Lhs) != len(n.Rhs):
				case strings.HasSuffix(name, ".Kind"):
					kind = kindOf(n.Rhs[i])
				case strings.HasSuffix(name, ".Message") && n.Tok == token.ASSIGN:
					message = textOf(n.Rhs[i])
				}
			}
			if message != "" && message != "%v" {
				add(n, kind, message)
			}
		case *ast.CompositeLit:
			if nameOf(n.Type) != "fault.Error" {
				break
			}
			var kind, message string
			for _, element := range n.Elts {
				pair, ok := element.(*ast.KeyValueExpr)
				require.True(t, ok, "%s: name the fields of a fault", rel)
				switch nameOf(pair.Key) {
				case "Kind":
					kind = kindOf(pair.Value)
				case "Message":
					message = textOf(pair.Value)
				}
			}
			add(n, kind, message)
		}
		return true
	})
	return found
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// kindOf gives "Config" for fault.Config, and "" for what is known at run time only.
func kindOf(e ast.Expr) string {
	if name, ok := strings.CutPrefix(nameOf(e), "fault."); ok {
		return name
	}
	return ""
}

// textOf gives what a string is made of, with … for what is known at run time only.
func textOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return textOf(e.X) + textOf(e.Y)
	case *ast.CallExpr:
		if nameOf(e.Fun) == "fmt.Sprintf" {
			return textOf(e.Args[0])
		}
	}
	return "%v"
}
