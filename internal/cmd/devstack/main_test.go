package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
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
