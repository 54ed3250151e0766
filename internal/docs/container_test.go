package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/config"
)

// composed is what is looked at of docker-compose.yml.
type composed struct {
	Services map[string]struct {
		Image       string
		Entrypoint  []string
		Command     []string
		Environment map[string]string
		Secrets     []string
		DependsOn   map[string]any `yaml:"depends_on"`
		Volumes     []string
	}
	Secrets map[string]any
	Volumes map[string]any
}

// No engine is needed to see that the compose file gives our programs the variables they
// read, and names nothing that is not there.
func TestComposeConfiguresThePrograms(t *testing.T) {
	t.Parallel()
	var c composed
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c))
	known := map[string]config.Variable{}
	for _, v := range config.Variables() {
		known[v.Name] = v
	}
	programs := map[config.Program]bool{}
	for name, s := range c.Services {
		for other := range s.DependsOn {
			require.Contains(t, c.Services, other, name)
		}
		for _, secret := range s.Secrets {
			require.Contains(t, c.Secrets, secret, name)
		}
		for _, volume := range s.Volumes {
			if from, _, _ := strings.Cut(volume, ":"); !strings.HasPrefix(from, ".") {
				require.Contains(t, c.Volumes, from, name)
			}
		}
		if s.Image != "salesforcesync" {
			continue
		}
		program := config.Program(append(s.Entrypoint, s.Command...)[0])
		programs[program] = true
		set := map[string]bool{}
		for variable, value := range s.Environment {
			base, file := strings.CutSuffix(variable, "_FILE")
			v, ok := known[base]
			require.True(t, ok, "%s sets %s, which no program reads", name, variable)
			require.Contains(t, v.Programs, program, "%s sets %s", name, variable)
			set[base] = true
			if file {
				require.True(t, v.Secret, "%s has no _FILE form", base)
				require.Contains(t, s.Secrets, strings.TrimPrefix(value, "/run/secrets/"), "%s of %s", variable, name)
			}
		}
		for _, v := range known {
			for _, p := range v.Required {
				require.False(t, p == program && !set[v.Name], "%s needs %s", name, v.Name)
			}
		}
	}
	require.Len(t, programs, 3, "all programs are there")
}

func TestDockerfileBuildsThePrograms(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	for _, program := range []string{"./worker", "./starter", "./authsvc"} {
		require.Regexp(t, `(?m)^RUN go build .*`+regexp.QuoteMeta(program)+`\b`, text)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	require.NotNil(t, version)
	require.Contains(t, text, "FROM golang:"+version[1]+" ")
}
