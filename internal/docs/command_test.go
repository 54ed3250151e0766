package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
)

func TestEveryMakeTargetExists(t *testing.T) {
	t.Parallel()
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	require.Contains(t, targets, "run")
	named := regexp.MustCompile(`(?:^|[\s$;])make ([a-z][a-z-]*)`)
	found := 0
	for _, p := range pages(t) {
		_, code := p.parts()
		for _, line := range code {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				found++
				require.Contains(t, targets, m[1], "%s names `make %s`", p.path, m[1])
			}
		}
	}
	require.Greater(t, found, 5)
}

// starter is the program, built once, as the pages' reader has it.
type starter struct {
	path string
	help map[string]string // by command line, "" and "token create" among them
}

func buildStarter(t *testing.T) *starter {
	t.Helper()
	path := filepath.Join(t.TempDir(), "starter")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "salesforcesync/starter").CombinedOutput()
	require.NoError(t, err, string(out))
	return &starter{path: path, help: map[string]string{}}
}

// helpOf gives what `starter words… --help` prints.
func (s *starter) helpOf(t *testing.T, words ...string) string {
	t.Helper()
	line := strings.Join(words, " ")
	if text, ok := s.help[line]; ok {
		return text
	}
	out, err := exec.CommandContext(t.Context(), s.path, append(slices.Clone(words), "--help")...).CombinedOutput()
	require.NoError(t, err, "starter %s --help: %s", line, out)
	s.help[line] = string(out)
	return string(out)
}

var (
	helpLine  = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +[A-Z]`) // what a command does begins with a capital
	oneOfMany = regexp.MustCompile(` \| | && |[;)"]`)
	mention   = regexp.MustCompile(`\bstarter ([a-z][a-z-]*)(.*)`)
	flagInUse = regexp.MustCompile(`(?:^|[\s[])(--?[a-z][a-z-]*)`)
)

// commands lists the commands that a help text lists.
func commands(help string) []string {
	var names []string
	for _, m := range helpLine.FindAllStringSubmatch(help, -1) {
		if m[1] != "help" {
			names = append(names, m[1])
		}
	}
	return names
}

// Every `starter …` of every page is asked for its help, and the flags it is given
// must be there.
func TestEveryStarterCommandExists(t *testing.T) {
	t.Parallel()
	s := buildStarter(t)
	have := commands(s.helpOf(t))
	require.Contains(t, have, "apply")
	found := 0
	for _, p := range pages(t) {
		_, code := p.parts()
		for _, line := range oneOfMany.Split(strings.Join(code, ";"), -1) {
			for _, m := range mention.FindAllStringSubmatch(line, -1) {
				found++
				words := []string{m[1]}
				require.Contains(t, have, m[1], "%s names `starter %s`", p.path, m[1])
				help := s.helpOf(t, m[1])
				if sub := commands(help); len(sub) > 0 {
					if rest := strings.Fields(m[2]); len(rest) > 0 {
						require.Contains(t, sub, rest[0], "%s names `starter %s %s`", p.path, m[1], rest[0])
						words = append(words, rest[0])
						help = s.helpOf(t, words...)
					}
				}
				for _, f := range flagInUse.FindAllStringSubmatch(m[2], -1) {
					require.Regexp(t, `(?m)(^|[\s,])`+regexp.QuoteMeta(f[1])+`\b`, help, "%s gives %s to `starter %s`", p.path, f[1], strings.Join(words, " "))
				}
			}
		}
	}
	require.Greater(t, found, 40)
	for _, name := range have {
		require.Regexp(t, `\bstarter `+name+`\b`, read(t, "docs/starter.md"), "docs/starter.md tells of it")
	}
}

// The line that engineers' scripts hang on.
func TestStartByHandIsTheContract(t *testing.T) {
	t.Parallel()
	line := "temporal workflow start --type " + flow.WorkflowIntegration + " --task-queue " + flow.QueueIntegrations +
		" --workflow-id " + flow.WorkflowID("support", "salesforce-prod") + ` --input '{"project":"support","integration":"salesforce-prod"}'`
	for _, path := range []string{"README.md", "docs/start-by-hand.md"} {
		require.Contains(t, read(t, path), "\n"+line+"\n", path)
	}
	hand := read(t, "docs/start-by-hand.md")
	for _, signal := range []string{flow.SignalTokenGranted, flow.SignalTokenRefreshed, flow.SignalPause, flow.SignalResume,
		flow.SignalSyncNow, flow.SignalConfigChanged} {
		require.Contains(t, hand, "\n| `"+signal+"` |")
	}
	require.Contains(t, hand, "--type "+flow.QueryStatus)
	for _, name := range flow.Attributes {
		require.Contains(t, hand, "`"+name+"`")
	}
	for _, state := range []string{flow.StateAwaitingAuthorization, flow.StateSyncing, flow.StateIdle, flow.StateBackingOff,
		flow.StateQuotaWait, flow.StatePaused, flow.StateConfigInvalid, flow.StateDisconnected} {
		require.Contains(t, read(t, "docs/operations.md"), "\n| `"+state+"` |")
	}
}
