package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-integrations", "0"}, {"-interval", "1ms"}, {"-for", "0s"}, {"more"}, {"-none"}} {
		var out, problems bytes.Buffer
		require.Equal(t, 2, run(t.Context(), args, &out, &problems), args)
		require.NotEmpty(t, problems.String())
		require.Empty(t, out.String())
	}
	var out, problems bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-help"}, &out, &problems))
	require.Contains(t, problems.String(), "make bench-idle")
}

// The bench itself, on one integration and for a moment: it comes to rest, is looked at, and a pause ends the looks.
func TestBench(t *testing.T) {
	t.Parallel()
	tools, err := devstack.Here()
	require.NoError(t, err)
	var out bytes.Buffer
	o := options{integrations: 1, interval: time.Second, over: 5 * time.Second, dir: filepath.Join(t.TempDir(), "bench")}
	require.NoError(t, bench(t.Context(), tools, os.Getenv("TEST_TEMPORAL_BIN"), o, &out), out.String())
	said := out.String()
	t.Log(said)
	for _, line := range []string{
		`1 integrations of 5 objects every 1s, idle for \d+s`, `\| worker \| 0\.\d+ \| \d+\.\d+ \| [1-9]\d+ \|`, `\| calls to Salesforce \| [1-9]`,
		`\| transactions of PostgreSQL \| [1-9]`, `connections of the worker to PostgreSQL: [1-9]`, "from the signal `pause` to the last call: \\d",
	} {
		require.Regexp(t, line, said)
	}
}
