package imports_test

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var programs = []string{"worker", "starter", "authsvc"}

// licences that let us ship what is under them, by their SPDX names. A test that fails here is a question to
// whoever adds the library, not to this list.
var licences = []string{"MIT", "0BSD", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-Source-Code", "MPL-2.0", "Unlicense"}

// withoutLicence are modules whose archive has no file of it, and what their repositories say.
var withoutLicence = map[string]string{
	"std": "Go's own, BSD-3-Clause",
	"github.com/nexus-rpc/nexus-proto-annotations": "MIT",
}

// The same source gives the same bytes wherever it is built, and the list of what is in them is
// whole. `make reproduce` does the first without what Go kept from before, which takes minutes.
func TestReleaseIsReproducibleAndListed(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	elsewhere := filepath.Join(t.TempDir(), "another place")
	for _, folder := range []string{"workflows", "activities", "worker", "starter", "authsvc", "internal"} {
		require.NoError(t, os.CopyFS(filepath.Join(elsewhere, folder), os.DirFS(filepath.Join(root, folder))))
	}
	for _, file := range []string{"go.mod", "go.sum", "Makefile"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(elsewhere, file), data, 0o600))
	}
	here, there := filepath.Join(t.TempDir(), "bin"), filepath.Join(elsewhere, "bin")
	run := func(dir string, args ...string) {
		cmd := exec.CommandContext(t.Context(), "make", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "make %v: %s", args, out)
	}
	run(root, "sbom", "BIN="+here, "VERSION=v0.0.0-test")
	run(elsewhere, "build", "VERSION=v0.0.0-test")

	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for _, program := range programs {
		a, err := os.ReadFile(filepath.Join(here, program))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(there, program))
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(a), sha256.Sum256(b), "%s built in two folders", program)
		for _, path := range []string{root, home + "/", elsewhere} {
			if len(path) > 4 { // "/" alone says nothing
				require.NotContains(t, string(a), path, "%s holds a path of the machine that built it", program)
			}
		}
		require.Contains(t, string(a), "v0.0.0-test", "%s says which release it is", program)
		listed(t, filepath.Join(here, program))
	}
}

// listed asserts that what a program is made of is what its list says, with licences that let us ship it.
func listed(t *testing.T, program string) {
	t.Helper()
	var list struct {
		BOMFormat  string
		Components []struct {
			Name, Version string
			Evidence      struct {
				Licenses []struct{ License struct{ ID string } }
			}
			Hashes []struct{ Alg, Content string }
		}
	}
	data, err := os.ReadFile(program + ".cdx.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &list))
	require.Equal(t, "CycloneDX", list.BOMFormat)
	require.NotRegexp(t, regexp.MustCompile(`"(timestamp|serialNumber)"`), string(data), "it is the same each time")

	versions := map[string]string{}
	for _, c := range list.Components {
		versions[c.Name] = c.Version
		if _, known := withoutLicence[c.Name]; known {
			continue
		}
		require.NotEmpty(t, c.Hashes, c.Name)
		require.NotEmpty(t, c.Evidence.Licenses, "%s has no licence that can be found", c.Name)
		for _, l := range c.Evidence.Licenses {
			require.Contains(t, licences, l.License.ID, c.Name)
		}
	}
	info, err := buildinfo.ReadFile(program)
	require.NoError(t, err)
	require.Greater(t, len(info.Deps), 10)
	for _, module := range info.Deps {
		require.Nil(t, module.Replace, "%s is replaced by something that is not published", module.Path)
		require.Equal(t, module.Version, versions[module.Path], "%s in the list of %s", module.Path, filepath.Base(program))
		require.NotEmpty(t, module.Sum, module.Path)
	}
	require.Equal(t, "go"+strings.TrimPrefix(info.GoVersion, "go"), versions["std"])
}

// What CI downloads and runs is pinned: a program by its version, a step of a workflow by its commit.
func TestWhatIsDownloadedIsPinned(t *testing.T) {
	t.Parallel()
	seen := 0
	for path, want := range map[string]string{
		"Makefile": `go (?:run|install) (\S+\.\S+/\S+)`, ".ci/run": `go (?:run|install) (\S+\.\S+/\S+)`,
		".github/workflows/ci.yml": `uses: (\S+)`, ".github/workflows/image.yml": `uses: (\S+)`,
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(want).FindAllStringSubmatch(string(text), -1) {
			seen++
			require.Regexp(t, `@(v\d+\.\d+\.\d+|\$\(LINT_VERSION\)|[0-9a-f]{40})$`, m[1], path)
		}
	}
	require.Greater(t, seen, 4)
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	require.NotRegexp(t, `(?m)^\s*replace\b`, string(mod), "what is built is what is published")
}

// The linters that look for weaknesses are on, and CI runs them.
func TestLintersAreOn(t *testing.T) {
	t.Parallel()
	settings, err := os.ReadFile(filepath.Join("..", "..", ".golangci.yml"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^\s+- gosec$`, string(settings))
	require.Regexp(t, `(?m)^\s+default: standard # .*staticcheck`, string(settings))
	ci, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^make lint$`, string(ci))
	require.Regexp(t, `(?m)^go mod verify$`, string(ci))
}
