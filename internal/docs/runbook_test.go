package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store/storetest"
)

// section gives a part of a page, from its heading to the next one that is as high.
func section(t *testing.T, path, title string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, path), "\n## "+title+"\n")
	require.True(t, found, "%s has no section %s", path, title)
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// commandLines gives the lines of a program that a text names, each once.
func commandLines(text, program string) []string {
	var lines []string
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], program+" ") && !slices.Contains(lines, m[1]) {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// wordsOf takes a command line apart as a shell does, quotes included; more is not needed here.
func wordsOf(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	require.NotContains(t, line, "|", "one command a line")
	return words
}

// At three in the morning nobody wants to find out that a flag was renamed: every command of the runbook
// goes through its parser.
func TestRunbookCommandsParse(t *testing.T) {
	t.Parallel()
	runbook := section(t, "docs/operations.md", "Runbook")

	s := buildStarter(t)
	lines := commandLines(runbook, "starter")
	require.Greater(t, len(lines), 25)
	dir := t.TempDir()
	for _, line := range lines {
		// Nothing is configured, so what comes after the parser fails by name.
		cmd := exec.CommandContext(t.Context(), s.path, wordsOf(t, line)[1:]...)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if strings.HasPrefix(line, "starter fault ") {
			if !strings.Contains(line, "MESSAGE") && !strings.Contains(line, "words of") {
				require.NoError(t, err, "%s: %s", line, out)
			}
			continue
		}
		require.Error(t, err, line)
		require.Regexp(t, `environment: |integration\.yaml: no such file`, string(out), "%s does not come through its parser", line)
	}

	lines = commandLines(runbook, "temporal")
	require.Greater(t, len(lines), 10)
	temporal := os.Getenv("TEST_TEMPORAL_BIN")
	require.NotEmpty(t, temporal, "TEST_TEMPORAL_BIN is not set: run the tests with `make test`")
	for _, line := range lines {
		out, err := exec.CommandContext(t.Context(), temporal, append(wordsOf(t, line)[1:], "--help")...).CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
		require.Contains(t, string(out), "Usage:\n  temporal "+strings.Join(wordsOf(t, line)[1:3], " "), line)
	}
}

// Every question to PostgreSQL is one that it answers, and changes nothing.
func TestRunbookQuestionsAreAnswered(t *testing.T) {
	t.Parallel()
	runbook := section(t, "docs/operations.md", "Runbook")
	_, db := storetest.NewSeed(t)
	tx := db.Begin()
	_, err := tx.Exec(t.Context(), "set transaction read only")
	require.NoError(t, err)
	asked := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(runbook, -1) {
		for _, question := range regexp.MustCompile(`(?s)-- ([a-z]+): [^\n]*\n(.*?);\n`).FindAllStringSubmatch(block[1], -1) {
			asked[question[1]] = true
			rows, err := tx.Query(t.Context(), question[2])
			require.NoError(t, err, question[1])
			rows.Close()
			require.NoError(t, rows.Err(), question[1])
		}
	}
	require.Greater(t, len(asked), 8)
	for _, m := range regexp.MustCompile(`questions? ((?:\*[a-z]+\*(?:, | and )?)+)`).FindAllStringSubmatch(runbook, -1) {
		for _, name := range regexp.MustCompile(`[a-z]{3,}`).FindAllString(strings.ReplaceAll(m[1], " and ", " "), -1) {
			require.True(t, asked[name], "the question %s is asked nowhere", name)
		}
	}
}

// A metric that the runbook names is one that the page of metrics tells of.
func TestRunbookNamesMetricsThatExist(t *testing.T) {
	t.Parallel()
	told := read(t, "docs/monitoring.md")
	found := 0
	for _, m := range regexp.MustCompile("`(salesforcesync_[a-z_]+)").FindAllStringSubmatch(section(t, "docs/operations.md", "Runbook"), -1) {
		found++
		require.Contains(t, told, "| `"+m[1]+"`")
	}
	require.Greater(t, found, 3)
}
