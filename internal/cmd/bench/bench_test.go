package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-rows", "20", "-runs", "1", "-only", "ours,curl", "-live"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{rows: 20, runs: 1, only: []string{"ours", "curl"}, live: true}, o)
	o, err = parse([]string{"-crossing", "1000,5000"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []int{1000, 5000}, o.crossing)
	for want, args := range map[string][]string{
		"-only curly: there is no such row: there are ours, drain": {"-only", "curly"},
		"unexpected argument \"now\"":                              {"now"},
		"these are no numbers of mails":                            {"-crossing", "1000,many"},
		"-rows and -runs must be positive":                         {"-rows", "0"},
		"flag provided but not defined":                            {"-row", "1"},
	} {
		_, err := parse(args, io.Discard)
		require.ErrorContains(t, err, want)
	}
	var out, problems bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-help"}, &out, &problems))
	require.Equal(t, 2, run(t.Context(), []string{"-runs", "0"}, &out, &problems))
}

// The bench itself, on few mails: every row but jsforce, which comes from the network,
// does its work, and the product's second pass writes nothing.
func TestBench(t *testing.T) {
	t.Parallel()
	tools, err := devstack.Here()
	require.NoError(t, err)
	o := options{rows: 300, runs: 1, only: []string{"ours", "drain", "pglz", "lz4", "finished", "curl"}, dir: filepath.Join(t.TempDir(), "bench")}
	var out bytes.Buffer
	require.NoError(t, bench(t.Context(), tools, os.Getenv("TEST_TEMPORAL_BIN"), o, &out), out.String())
	said := out.String()
	t.Log(said)
	for _, r := range rows {
		if r.key == "jsforce" || r.key == "lz4" && strings.Contains(said, "no lz4") {
			continue
		}
		require.Regexp(t, `(?m)^\| `+regexp.QuoteMeta(r.title)+` +\| +[\d.]+ \| `, said)
	}
	require.Contains(t, said, "301 mails, ")
	require.Contains(t, said, "the API's list, read to its end afterwards, has 301 comments")
	require.Regexp(t, `again, run 1: 301 rows read, 0 units; new row versions: comments 0, revisions 0, records \d+, ledger 0`, said)
	require.Contains(t, said, "curl's unchanged pass / ours: ")
	_, err = os.Stat(o.dir)
	require.ErrorIs(t, err, os.ErrNotExist, "everything is thrown away")
}

func TestCrossingFindsTheSwitchPoint(t *testing.T) {
	t.Parallel()
	tools, err := devstack.Here()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(tools.Root, switchFile))
	require.NoError(t, err)
	changed := switchPoint.ReplaceAllString(string(text), "${1}1 << 60")
	require.Regexp(t, `(?m)defaultBulkFrom += 1 << 60 `, changed)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	sql := mergeSQL([]string{`"Id"`, `"Parent.Status"`})
	require.Contains(t, sql, `on conflict ("Id") do update set "Id" = excluded."Id", "Parent.Status" = excluded."Parent.Status", hash = excluded.hash`)
	require.Equal(t, `"Id" text compression lz4, "Subject" text compression lz4`, texts([]string{`"Id"`, `"Subject"`}, "lz4"))
	require.Equal(t, `"Id" text`, texts([]string{`"Id"`}, ""))

}
