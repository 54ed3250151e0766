package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"
)

// recipe is the Dockerfile as BuildKit reads it.
type recipe struct {
	args     map[string]string // what stands before the first stage
	stages   []instructions.Stage
	warnings []string
}

func readDockerfile(t *testing.T, text string) recipe {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(text))
	require.NoError(t, err)
	r := recipe{args: map[string]string{}}
	for _, w := range parsed.Warnings {
		r.warnings = append(r.warnings, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { r.warnings = append(r.warnings, rule+": "+message) }})
	stages, args, err := instructions.Parse(parsed.AST, lint)
	require.NoError(t, err)
	r.stages = stages
	for _, a := range args {
		for _, kv := range a.Args {
			if kv.Value != nil {
				r.args[kv.Key] = *kv.Value
			}
		}
	}
	return r
}

func dockerfile(t *testing.T) recipe {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	return readDockerfile(t, string(text))
}

func (r recipe) stage(t *testing.T, name string) instructions.Stage {
	t.Helper()
	i := slices.IndexFunc(r.stages, func(s instructions.Stage) bool { return s.Name == name })
	require.NotEqual(t, -1, i, "there is no stage %s", name)
	return r.stages[i]
}

// each gives the commands of one kind.
func each[C instructions.Command](s instructions.Stage) []C {
	var all []C
	for _, c := range s.Commands {
		if found, ok := c.(C); ok {
			all = append(all, found)
		}
	}
	return all
}

// environment is what a stage sets by ENV.
func environment(s instructions.Stage) map[string]string {
	all := map[string]string{}
	for _, e := range each[*instructions.EnvCommand](s) {
		for _, kv := range e.Env {
			all[kv.Key] = kv.Value
		}
	}
	return all
}

func TestDockerfileIsLocked(t *testing.T) {
	t.Parallel()
	r := dockerfile(t)
	require.Empty(t, r.warnings)
	version := regexp.MustCompile(`^\$\{(\w+)\}$`)
	for _, s := range r.stages {
		base := s.BaseName
		if m := version.FindStringSubmatch(base); m != nil {
			base = r.args[m[1]]
		}
		earlier := slices.ContainsFunc(r.stages, func(other instructions.Stage) bool { return other.Name == base })
		require.True(t, earlier || base == "scratch" || regexp.MustCompile(`^golang:\d+\.\d+\.\d+-\w+(@sha256:[0-9a-f]{64})?$`).MatchString(base),
			"%s is built on %s, which is not pinned to a release", s.Name, base)
		for key := range environment(s) {
			require.False(t, secretName.MatchString(key), "%s sets %s", s.Name, key)
		}
		for _, a := range each[*instructions.ArgCommand](s) {
			for _, kv := range a.Args {
				require.False(t, secretName.MatchString(kv.Key), "%s takes %s", s.Name, kv.Key)
			}
		}
		require.Empty(t, each[*instructions.AddCommand](s), "ADD fetches and unpacks: COPY does not")
	}
	require.Equal(t, "product", r.stages[len(r.stages)-1].Name, "what is built when nobody says what")
	for _, name := range []string{"product", "simulator"} {
		s := r.stage(t, name)
		require.Equal(t, "scratch", s.BaseName, "%s has no shell", name)
		user := each[*instructions.UserCommand](s)
		require.Len(t, user, 1, name)
		require.Equal(t, "65532:65532", user[0].User, "by number: Kubernetes cannot see that a name is not root")
		for _, c := range each[*instructions.CmdCommand](s) {
			require.False(t, c.PrependShell, name)
		}
		health := each[*instructions.HealthCheckCommand](s)
		require.Len(t, health, 1, name)
		require.Equal(t, "CMD", health[0].Health.Test[0], "%s has no shell", name)
		require.Empty(t, each[*instructions.RunCommand](s), name)
	}
	labels := map[string]string{}
	for _, l := range each[*instructions.LabelCommand](r.stage(t, "product")) {
		for _, kv := range l.Labels {
			labels[strings.Trim(kv.Key, `"`)] = strings.Trim(kv.Value, `"`)
		}
	}
	for _, name := range []string{"title", "description", "licenses", "version", "revision"} {
		require.NotEmpty(t, labels["org.opencontainers.image."+name])
	}
}

// The compiler of the image is at least the one that go.mod asks for.
func TestDockerfileCompilesThisModule(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	asked := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(string(text))
	have := regexp.MustCompile(`golang:(\d+)\.(\d+)\.(\d+)-`).FindStringSubmatch(dockerfile(t).args["GO_IMAGE"])
	require.NotNil(t, asked)
	require.NotNil(t, have)
	require.Equal(t, asked[1:3], have[1:3])
	askedPatch, err := strconv.Atoi(asked[3])
	require.NoError(t, err)
	havePatch, err := strconv.Atoi(have[3])
	require.NoError(t, err)
	require.GreaterOrEqual(t, havePatch, askedPatch)
}

// A linter that finds nothing in anything proves nothing.
func TestTheLinterSees(t *testing.T) {
	t.Parallel()
	r := readDockerfile(t, "FROM golang:1.26 AS Build\nMAINTAINER ann\n")
	said := strings.Join(r.warnings, "\n")
	for _, rule := range []string{"StageNameCasing", "MaintainerDeprecated"} {
		require.Contains(t, said, rule)
	}
}
