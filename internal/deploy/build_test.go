package deploy

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/stretchr/testify/require"
)

// What the Dockerfile is told by --build-arg.
const buildVersion, buildCommit = "v9.8.7", "0123456789abcdef"

// buildContext copies what `COPY . .` copies: what .dockerignore lets through. What the build
// needs and is left out is found so, and what must not end up in a layer, too.
func buildContext(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	require.NoError(t, err)
	ignored, err := patternmatcher.New(patterns)
	require.NoError(t, err)
	dir := t.TempDir()
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		out, err := ignored.MatchesOrParentMatches(rel)
		switch {
		case err != nil:
			return err
		case out && d.IsDir(): // there is no pattern that takes something back
			return filepath.SkipDir
		case out:
			return nil
		case d.IsDir():
			return os.Mkdir(filepath.Join(dir, rel), 0o755)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), file, 0o644)
	})
	require.NoError(t, err)
	for _, name := range []string{".git", ".env", "secrets", "integrations", "backups"} {
		require.NoFileExists(t, filepath.Join(dir, name))
		require.NoDirExists(t, filepath.Join(dir, name))
	}
	return dir
}

// buildPrograms builds by the commands of the Dockerfile, in its environment, out of its
// context, and gives the folder of the programs.
func buildPrograms(t *testing.T) string {
	t.Helper()
	source, bin := buildContext(t), t.TempDir()+string(filepath.Separator)
	r := dockerfile(t)
	given := map[string]string{"TARGETOS": runtime.GOOS, "TARGETARCH": runtime.GOARCH, "VERSION": buildVersion, "COMMIT": buildCommit}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	ours := regexp.MustCompile(`(?m)^BUILD = CGO_ENABLED=0 (go build .*) -ldflags="(-s -w) -X (\S+)=`).FindStringSubmatch(string(makefile))
	require.NotNil(t, ours, "how make build builds")
	for _, name := range []string{"programs", "simulator-program"} {
		stage := r.stage(t, name)
		require.Equal(t, "source", stage.BaseName)
		env := append(os.Environ(), "GOFLAGS=") // what this machine sets, the image does not
		for key, value := range environment(r.stage(t, "source")) {
			env = append(env, key+"="+value)
		}
		for _, a := range each[*instructions.ArgCommand](stage) {
			for _, kv := range a.Args {
				require.Contains(t, given, kv.Key, "stage %s", name)
				env = append(env, kv.Key+"="+given[kv.Key])
			}
		}
		built := 0
		for _, run := range each[*instructions.RunCommand](stage) {
			line := strings.Join(run.CmdLine, " ")
			if !strings.Contains(line, "go build") {
				continue
			}
			built++
			require.Contains(t, line, " -o /out/ ")
			for _, word := range ours[1:3] {
				require.Contains(t, line, word, "as make build does")
			}
			require.True(t, name != "programs" || strings.Contains(line, " -X "+ours[3]+"="), line)
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.Replace(line, " -o /out/ ", " -o "+bin+" ", 1))
			cmd.Dir, cmd.Env = source, env
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", line, said)
		}
		require.Equal(t, 1, built, name)
	}
	return bin
}
