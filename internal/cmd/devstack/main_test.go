package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"nothing":      {nil, 2},
		"help":         {[]string{"help"}, 0},
		"unknown":      {[]string{"down"}, 2},
		"too much":     {[]string{"up", "now"}, 2},
		"help of test": {[]string{"--help"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.Equal(t, c.code, run(t.Context(), c.args, environ{}, &out, &out))
			require.Contains(t, out.String(), "usage: devstack")
		})
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	first, err := openSecrets(dir)
	require.NoError(t, err)
	keys, err := first.once("encryption_keys", newKeyRing)
	require.NoError(t, err)
	require.Regexp(t, `^demo:[A-Za-z0-9+/]{43}=$`, keys)

	again, err := openSecrets(dir)
	require.NoError(t, err)
	same, err := again.once("encryption_keys", newKeyRing)
	require.NoError(t, err)
	require.Equal(t, keys, same)

	info, err := os.Stat(again.path("encryption_keys"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestDemoEnvIsReadByAShell(t *testing.T) {
	t.Parallel()
	d := demoEnv{path: filepath.Join(t.TempDir(), "demo.env")}
	require.NoError(t, d.remove(), "there is none yet")
	odd := `it's "so" $HOME \ odd`
	require.NoError(t, d.write([][2]string{{"PUBLIC_URL", "http://localhost:8080"}, {"ODD", odd}}))

	info, err := os.Stat(d.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$0" && printf '%s\n%s' "$PUBLIC_URL" "$ODD"`, d.path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "http://localhost:8080\n"+odd, string(out))

	require.NoError(t, d.remove())
	require.NoFileExists(t, d.path)
}

func TestProductVariablesStayOutside(t *testing.T) {
	t.Parallel()
	env := readEnviron([]string{
		"HOME=/home/dev", "DATABASE_URL=postgres://production", "TEMPORAL_ADDRESS=production:7233",
		"ENCRYPTION_KEYS_FILE=/keys", "PGHOST=production", "ODD=a=b",
	})
	require.Equal(t, []string{"HOME=/home/dev", "MORE=1", "ODD=a=b"}, env.withoutProduct().with(environ{"MORE": "1"}).list())
}

func TestPackagesAmongArguments(t *testing.T) {
	t.Parallel()
	require.True(t, isPackage("./internal/store/..."))
	require.True(t, isPackage("salesforcesync/internal/store"))
	require.False(t, isPackage("-run"))
	require.False(t, isPackage("TestX/sub"))
}

func TestRunsOfEverything(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for path, text := range map[string]string{
		"internal/a/a_test.go":         "package a\n\nfunc TestA(t *testing.T) {}\n\nfunc TestListsAreReadInLinearTime(t *testing.T) {}\n",
		"internal/b/b_test.go":         "package b\n\nfunc TestB(t *testing.T) { helpTestPlain() }\n",
		"internal/b/c/c_test.go":       "package c\n\nfunc TestPlainC(t *testing.T) {}\n",
		"internal/b/c/d_test.go":       "package c\n\nfunc TestPlainD(t *testing.T) {}\n",
		"internal/b/c/plain.go":        "package c\n\nfunc TestPlainE(t *testing.T) {}\n",
		"worker/w_test.go":             "package main\n\nfunc TestNotPlain(t *testing.T) {}\n",
		".dev/left/x_test.go":          "package x\n\nfunc TestPlainX(t *testing.T) {}\n",
		"node_modules/other/o_test.go": "package o\n\nfunc TestPlainO(t *testing.T) {}\n",
	} {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	runs, err := testRuns(root, nil, true)
	require.NoError(t, err)
	require.Len(t, runs, 3)
	plain, whole, raced := strings.Join(runs[0], " "), strings.Join(runs[1], " "), strings.Join(runs[2], " ")
	require.True(t, strings.HasSuffix(plain, " -run "+plainTests+" ./internal/a ./internal/b/c"), plain)
	require.NotContains(t, plain+whole, "-race")
	require.True(t, strings.HasSuffix(whole, " off "+strings.Join(plainPackages, " ")), whole)
	require.Contains(t, raced, " -race -skip "+plainTests+" ", "what one run leaves out the other has")
	require.True(t, strings.HasSuffix(raced, " ./internal/a ./internal/b ./internal/b/c ./worker"), raced)
	require.NotContains(t, raced, "./internal/poll")

	runs, err = testRuns(root, nil, false)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.NotContains(t, strings.Join(runs[0], " "), "-skip", "without a race detector one run has everything")
}

func TestRunsOfArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"./internal/soak":      "-race ./internal/soak",
		"-run TestX":           "-race -run TestX ./...",
		"-race=false ./worker": "-race=false ./worker",
	} {
		runs, err := testRuns(t.TempDir(), strings.Fields(args), true)
		require.NoError(t, err)
		require.Len(t, runs, 1)
		require.True(t, strings.HasSuffix(strings.Join(runs[0], " "), " -shuffle on "+want), runs[0])
	}
}

func TestTheLongestPackagesAreThere(t *testing.T) {
	t.Parallel()
	for _, dir := range slices.Concat(longest, plainPackages) {
		require.DirExists(t, filepath.Join("..", "..", "..", dir))
	}
}
