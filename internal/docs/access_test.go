package docs_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/api"
	"salesforcesync/internal/web"
)

var update = flag.Bool("update", false, "write the generated tables of docs/access.md")

// What the page says of roles and routes is what the program asks: go test ./internal/docs -run Access -update
func TestAccessPageShowsTheTables(t *testing.T) {
	const path = "docs/access.md"
	page := read(t, path)
	made := page
	for name, table := range map[string]string{
		"roles":  access.RoleTable(),
		"routes": access.Matrix(append(api.Rules(), web.Rules()...)),
	} {
		head, rest, found := strings.Cut(made, "<!-- "+name+" -->\n")
		require.True(t, found, "%s has no place for %s", path, name)
		_, tail, found := strings.Cut(rest, "<!-- end -->")
		require.True(t, found)
		made = head + "<!-- " + name + " -->\n" + table + "<!-- end -->" + tail
	}
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join("..", "..", path), []byte(made), 0o600))
		return
	}
	require.Equal(t, made, page, "the table is not that of the program: go test ./internal/docs -run Access -update")
}

func TestAccessPageTellsOfEveryRole(t *testing.T) {
	t.Parallel()
	for _, role := range access.Roles() {
		require.Contains(t, read(t, "docs/access.md"), " "+role.Name+" |")
	}
}
