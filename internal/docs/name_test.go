package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/oauth"
)

// names gives what a pattern finds in source files, each once.
func names(t *testing.T, glob, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(glob)))
	require.NoError(t, err)
	seen := map[string]bool{}
	var out []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, rel), -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				out = append(out, m[1])
			}
		}
	}
	require.NotEmpty(t, out, "%s in %s", pattern, glob)
	return out
}

func TestAdministratorsAreToldEverything(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/connect-salesforce.md")
	require.Contains(t, text, "{PUBLIC_URL}"+oauth.CallbackPath)
	for _, scope := range oauth.Scopes {
		require.Regexp(t, `\(`+scope+`[,)]`, text)
	}
	lower := strings.ToLower(text)
	for _, code := range names(t, "internal/oauth/provider_error.go", `(?m)^\t"([a-z_]+)": +\{"`) {
		require.Contains(t, lower, "(`"+code+"`)", "what Salesforce may answer")
	}
	for _, path := range names(t, "internal/poll/preset.go", `(?:path: |field: |rich: |[pP]roperty\("[^"]+", )"([\w.]+)"`) {
		require.Contains(t, text, "`"+path[strings.LastIndexByte(path, '.')+1:]+"`", "what presets read")
	}
}

func TestEveryPresetIsTold(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/integration-file.md")
	for _, preset := range config.Presets {
		for _, object := range config.PresetObjects[preset] {
			require.Regexp(t, "(?m)^\\| `"+preset+"` \\| "+object+" \\|", text)
		}
	}
	for _, name := range names(t, "internal/poll/preset.go", `(?:property: |[pP]roperty\(|[\t ]\{)"([A-Z][\w ]+)", `) {
		require.Contains(t, text, "`"+name+"`", "a property that a preset gives")
	}
}

func TestEveryRouteOfTheAPIIsTold(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/api.md")
	for _, route := range names(t, "internal/api/route.go", `"(/(?:api|auth)/[^"]+)"`) {
		if strings.Contains(route, "{name}") { // the other spelling of {project}/{source}
			continue
		}
		require.Regexp(t, "(GET|POST|PUT|DELETE) "+regexp.QuoteMeta(route)+"`", text, route)
	}
}
