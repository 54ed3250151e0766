package deploy

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/devstack"
)

var root = filepath.Join("..", "..")

// profiles of docker-compose.yml, and what they add.
var profiles = map[string][]string{
	"":           {"authsvc", "postgres", "setup", "temporal", "temporal-namespace", "temporal-postgres", "temporal-schema", "temporal-ui", "worker"},
	"simulator":  {"simforce", "simulator-integration"},
	"monitoring": {"grafana", "prometheus"},
	"tools":      {"backup", "starter"},
}

// host is a folder as an operator has it: the compose file and what it mounts.
func host(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"docker-compose.yml", "docs/compose", "docs/monitoring"} {
		from, to := filepath.Join(root, filepath.FromSlash(name)), filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Stat(from); err == nil && info.IsDir() {
			require.NoError(t, os.CopyFS(to, os.DirFS(from)))
			continue
		}
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o644))
	}
	return dir
}

// prepare runs the script that operators run, and gives what it says.
func prepare(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{filepath.Join(dir, "docs", "compose", "prepare.sh")}, args...)...)
	cmd.Env = devstack.BareEnvironment()
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return string(said)
}

// load resolves the compose file as `docker compose` does in that folder. Nothing is taken from
// this process's environment.
func load(t *testing.T, dir string, profiles ...string) (*types.Project, error) {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{filepath.Join(dir, "docker-compose.yml")},
		cli.WithWorkingDirectory(dir), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles(profiles...), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	return o.LoadProject(t.Context())
}

func mustLoad(t *testing.T, dir string, profiles ...string) *types.Project {
	t.Helper()
	p, err := load(t, dir, profiles...)
	require.NoError(t, err)
	return p
}

func TestPrepareMakesWhatComposeNeeds(t *testing.T) {
	t.Parallel()
	dir := host(t)
	_, err := load(t, dir)
	require.ErrorContains(t, err, "run sh docs/compose/prepare.sh first", "an operator who begins at the wrong end is told")

	prepare(t, dir, "https://sync.acme.example/", "ann@acme.example")
	p := mustLoad(t, dir)
	require.Equal(t, "https://sync.acme.example", *p.Services["authsvc"].Environment["PUBLIC_URL"])
	require.Equal(t, "ann@acme.example", *p.Services["setup"].Environment["ADMIN_EMAIL"])
	require.Empty(t, *p.Services["worker"].Environment["SALESFORCE_EXTRA_HOSTS"], "only Salesforce, unless somebody asks for the simulator")
	for name, s := range p.Secrets {
		require.FileExists(t, s.File, name)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "nobody else on the host reads them")

	before := secrets(t, dir)
	for _, again := range [][]string{{"https://other.example", "ben@acme.example"}, nil} {
		require.NoError(t, os.Remove(filepath.Join(dir, "secrets", "grafana_admin_password")))
		said := prepare(t, dir, again...)
		require.Contains(t, said, "made secrets/grafana_admin_password")
		require.Contains(t, said, ".env is there and stays as it is")
	}
	require.Equal(t, "https://sync.acme.example", *mustLoad(t, dir).Services["authsvc"].Environment["PUBLIC_URL"])
	after := secrets(t, dir)
	for name, value := range before {
		require.Equal(t, name == "grafana_admin_password", after[name] != value, "%s: what is there stays, what is missing is made", name)
	}

	simulated := host(t)
	prepare(t, simulated, "--simulator")
	require.Contains(t, mustLoad(t, simulated).ServiceNames(), "simforce", "`docker compose up` is all there is to do")
	for name, value := range secrets(t, simulated) {
		require.NotEqual(t, before[name], value, "%s is made anew for each installation", name)
	}
}

// secrets reads those that were made, by name.
func secrets(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "secrets"))
	require.NoError(t, err)
	all := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, "secrets", e.Name()))
		require.NoError(t, err)
		if value := strings.TrimSpace(string(text)); value != "" {
			require.GreaterOrEqual(t, len(value), 24, e.Name())
			all[e.Name()] = value
		}
	}
	require.GreaterOrEqual(t, len(all), 7)
	return all
}

func TestProfilesAddUp(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "https://sync.acme.example", "ann@acme.example")
	all := slices.Clone(profiles[""])
	for name, adds := range profiles {
		if name == "" {
			require.ElementsMatch(t, adds, mustLoad(t, dir).ServiceNames())
			continue
		}
		require.ElementsMatch(t, append(slices.Clone(profiles[""]), adds...), mustLoad(t, dir, name).ServiceNames(), name)
		all = append(all, adds...)
	}
	require.ElementsMatch(t, all, mustLoad(t, dir, "*").ServiceNames(), "no service is in no profile that is known here")
}

// insideMount is where compose puts secret files.
const insideMount = "/run/secrets/"

var (
	pinned     = regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$`)
	secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|_key|keys|database_url`)
)

// The rules that every service keeps, with all there is to set.
func TestEveryServiceKeepsTheRules(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "--simulator")
	identityProvider(t, dir)
	p := mustLoad(t, dir, "*")
	require.Equal(t, insideMount+"oidc_client_secret", *p.Services["authsvc"].Environment["OIDC_CLIENT_SECRET_FILE"])
	text, err := p.MarshalYAML()
	require.NoError(t, err)
	for name, value := range secrets(t, dir) {
		require.NotContains(t, string(text), value, "secret %s is in a file only: `docker inspect` must not show it", name)
	}
	for name, s := range p.Services {
		require.NotContains(t, s.Image, "auto-setup", "retired by Temporal")
		if s.Build == nil {
			require.Regexp(t, pinned, s.Image, "%s is pinned to a release", name)
		}
		require.NotNil(t, s.Deploy, name)
		require.NotNil(t, s.Deploy.Resources.Limits, name)
		require.Positive(t, s.Deploy.Resources.Limits.NanoCPUs.Value(), "%s: cpus", name)
		require.Positive(t, s.Deploy.Resources.Limits.MemoryBytes, "%s: memory", name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Equal(t, []string{"no-new-privileges:true"}, s.SecurityOpt, name)
		require.True(t, len(s.CapAdd) == 0 || strings.HasSuffix(name, "postgres"), "%s needs no capability", name)
		require.False(t, s.Privileged, name)
		require.NotNil(t, s.Logging, name)
		require.NotEmpty(t, s.Logging.Options["max-size"], "%s: logs are rotated", name)
		require.NotEmpty(t, s.Logging.Options["max-file"], "%s: logs are rotated", name)
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s: what is published is for a proxy on this machine", name)
		}
		for _, secret := range s.Secrets {
			require.Contains(t, p.Secrets, secret.Source, name)
		}
		for variable, value := range s.Environment {
			if value == nil || *value == "" || !secretName.MatchString(variable) {
				continue
			}
			require.True(t, strings.HasSuffix(variable, "_FILE"), "%s: %s is handed over as a file", name, variable)
			require.True(t, mounted(s, *value), "%s: %s=%s is not mounted", name, variable, *value)
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				require.True(t, exists(v.Source), "%s mounts %s, which is not there", name, v.Source)
				require.True(t, v.ReadOnly || name == "backup", "%s writes into %s", name, v.Source)
				continue
			}
			require.Contains(t, p.Volumes, v.Source, name)
		}
		checkLife(t, p, name, s)
	}
}

// identityProvider does what docs/install.md says of one.
func identityProvider(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secrets", "oidc_client_secret"), []byte("given-by-the-identity-provider"), 0o644))
	file, err := os.OpenFile(filepath.Join(dir, ".env"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString("OIDC_ISSUER=https://login.acme.example\nOIDC_CLIENT_ID=salesforcesync\nOIDC_CLIENT_SECRET_FILE=" + insideMount + "oidc_client_secret\n")
	require.NoError(t, err)
}

// checkLife holds that what goes on is looked at and restarted, what ends is not, and that
// everybody waits for what they need to be good, not merely to be there.
func checkLife(t *testing.T, p *types.Project, name string, s types.ServiceConfig) {
	t.Helper()
	if goesOn(s) {
		require.NotNil(t, s.HealthCheck, name)
		require.False(t, s.HealthCheck.Disable, name)
		require.Equal(t, "CMD", s.HealthCheck.Test[0], "%s: no shell", name)
		require.NotNil(t, s.HealthCheck.Timeout, name)
		require.NotNil(t, s.HealthCheck.StartPeriod, name)
		require.NotNil(t, s.StopGracePeriod, name)
	} else {
		require.True(t, s.HealthCheck != nil && s.HealthCheck.Disable, "%s ends: there is nothing to look at", name)
	}
	// `docker compose run` makes anew and starts all that a service waits for: a tool for when something is
	// away, or for before an update, must not.
	require.True(t, len(s.DependsOn) == 0 || !slices.Contains(s.Profiles, "tools"), "%s waits for somebody", name)
	for other, d := range s.DependsOn {
		needed := p.Services[other]
		require.NotEmpty(t, needed.Name, "%s needs %s", name, other)
		want := types.ServiceConditionCompletedSuccessfully
		if goesOn(needed) {
			want = types.ServiceConditionHealthy
		}
		require.Equal(t, want, d.Condition, "%s needs %s", name, other)
	}
}

// goesOn tells services from jobs.
func goesOn(s types.ServiceConfig) bool { return s.Restart == types.RestartPolicyUnlessStopped }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// mounted reports whether a service sees a secret under that path.
func mounted(s types.ServiceConfig, path string) bool {
	name, ok := strings.CutPrefix(path, insideMount)
	return ok && slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool {
		return c.Source == name && (c.Target == "" || c.Target == path)
	})
}

// ours are the services that run one of the three programs, by name.
func ours(p *types.Project) map[string]types.ServiceConfig {
	all := map[string]types.ServiceConfig{}
	for name, s := range p.Services {
		if s.Build != nil && s.Build.Target == "" {
			all[name] = s
		}
	}
	return all
}

// commandOf is what a service runs.
func commandOf(s types.ServiceConfig) []string {
	return slices.Concat([]string(s.Entrypoint), []string(s.Command))
}

func TestOurServicesAreLockedAndConfigured(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "--simulator")
	p := mustLoad(t, dir, "*")
	require.ElementsMatch(t, []string{"authsvc", "worker", "setup", "starter", "simulator-integration"}, slices.Collect(maps.Keys(ours(p))))
	known := map[string]config.Variable{}
	for _, v := range config.Variables() {
		known[v.Name] = v
	}
	programs := map[config.Program]bool{}
	for name, s := range ours(p) {
		require.Equal(t, "65532:65532", s.User, name)
		require.True(t, s.ReadOnly, name)
		program := config.Program(commandOf(s)[0])
		programs[program] = true
		set := map[string]bool{}
		for variable, value := range s.Environment {
			base, file := strings.CutSuffix(variable, "_FILE")
			v, ok := known[base]
			require.True(t, ok, "%s sets %s, which no program reads", name, variable)
			require.Contains(t, v.Programs, program, "%s sets %s", name, variable)
			require.True(t, !file || v.Secret, "%s has no _FILE form", base)
			set[base] = *value != ""
		}
		for _, v := range known {
			require.True(t, set[v.Name] || !slices.Contains(v.Required, program), "%s needs %s", name, v.Name)
		}
		if goesOn(s) {
			require.Greater(t, time.Duration(*s.StopGracePeriod), app.StopTimeout, "%s is killed before it has stopped", name)
			require.Equal(t, "starter", s.HealthCheck.Test[1], name)
		}
	}
	require.Len(t, programs, 3, "all programs are there")
	require.Equal(t, 2, *p.Services["worker"].Deploy.Replicas)
	simulator := p.Services["simforce"]
	require.Equal(t, "simulator", simulator.Build.Target)
	require.True(t, simulator.ReadOnly)
	require.Equal(t, "65532:65532", simulator.User)
}

func TestTemporalIsApart(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "https://sync.acme.example", "ann@acme.example")
	p := mustLoad(t, dir)
	temporal := p.Services["temporal"]
	require.Equal(t, "512", *temporal.Environment["NUM_HISTORY_SHARDS"], "it can never be changed afterwards")
	require.Equal(t, "temporal-postgres", *temporal.Environment["POSTGRES_SEEDS"])
	require.NotEqual(t, p.Services["postgres"].Volumes[0].Source, p.Services["temporal-postgres"].Volumes[0].Source)
	url, err := os.ReadFile(filepath.Join(dir, "secrets", "database_url"))
	require.NoError(t, err)
	require.Contains(t, string(url), "@postgres:5432/salesforcesync")
	require.Equal(t, temporal.Image[strings.Index(temporal.Image, ":"):], imageTag(p, "temporal-schema"), "the schema is that of the server")
	require.Equal(t, imageTag(p, "temporal-schema"), imageTag(p, "temporal-namespace"))

	mount := slices.IndexFunc(temporal.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Target == *temporal.Environment["DYNAMIC_CONFIG_FILE_PATH"]
	})
	require.NotEqual(t, -1, mount, "the dynamic configuration is where the server looks for it")
	text, err := os.ReadFile(temporal.Volumes[mount].Source)
	require.NoError(t, err)
	var dynamic map[string][]struct{ Value any }
	require.NoError(t, yaml.Unmarshal(text, &dynamic))
	require.Equal(t, true, dynamic["matching.enableFairness"][0].Value)
	require.Less(t, dynamic["limit.blobSize.warn"][0].Value, dynamic["limit.blobSize.error"][0].Value)
	require.LessOrEqual(t, dynamic["limit.blobSize.error"][0].Value, 256<<10)
}

func imageTag(p *types.Project, service string) string {
	image := p.Services[service].Image
	return image[strings.Index(image, ":"):]
}

// What Prometheus is told to scrape is what compose runs, on the ports where it answers.
func TestPrometheusScrapesWhatRuns(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "https://sync.acme.example", "ann@acme.example")
	p := mustLoad(t, dir, "*")
	text, err := os.ReadFile(filepath.Join(root, "docs", "monitoring", "prometheus.yml"))
	require.NoError(t, err)
	var c struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string
				Type  string
				Port  int
			} `yaml:"dns_sd_configs"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(text, &c))
	var jobs []string
	for _, s := range c.Scrape {
		jobs = append(jobs, s.Job)
		for _, d := range s.DNS {
			service := p.Services[d.Names[0]]
			require.Equal(t, "salesforcesync-"+service.Name, s.Job)
			require.Equal(t, "0.0.0.0:9090", *service.Environment["METRICS_ADDR"])
			require.Equal(t, 9090, d.Port)
			require.Equal(t, "A", d.Type, "one address for each replica")
		}
		for _, d := range s.Static {
			require.Equal(t, []string{"temporal:9090"}, d.Targets)
			require.Equal(t, "0.0.0.0:9090", *p.Services["temporal"].Environment["PROMETHEUS_ENDPOINT"])
		}
	}
	require.Equal(t, []string{"salesforcesync-worker", "salesforcesync-authsvc", "temporal"}, jobs)
	require.Equal(t, []string{"alerts.yml"}, c.RuleFiles)

	grafana := p.Services["grafana"]
	provisioning := strings.TrimPrefix(*grafana.Environment["GF_PATHS_PROVISIONING"], grafana.Volumes[0].Target)
	found, err := filepath.Glob(filepath.Join(grafana.Volumes[0].Source, provisioning, "*", "*.yml"))
	require.NoError(t, err)
	require.Len(t, found, 2, "a data source and a dashboard")
}
