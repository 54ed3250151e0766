package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
)

// Some services run a few lines of shell in images of others. Here the shell is this machine's,
// and the programs they call are small ones that write down what they are asked.

// scripted is one of these services.
type scripted struct {
	t       *testing.T
	line    []string // the command line; paths of the container are replaced
	env     []string
	tools   string // folder of the small programs
	secrets map[string]string
}

func newScripted(t *testing.T, service string, replace ...string) *scripted {
	t.Helper()
	dir := host(t)
	prepare(t, dir, "https://sync.acme.example", "ann@acme.example")
	s := &scripted{t: t, tools: t.TempDir(), secrets: secrets(t, dir)}
	c := mustLoad(t, dir, "*").Services[service]
	require.Equal(t, []string{"/bin/sh", "-euc"}, []string(c.Entrypoint), service)
	for _, secret := range c.Secrets {
		require.Contains(t, s.secrets, secret.Source)
	}
	here := strings.NewReplacer(append([]string{insideMount, filepath.Join(dir, "secrets") + "/"}, replace...)...)
	for _, word := range commandOf(c) {
		s.line = append(s.line, here.Replace(word))
	}
	s.env = append(devstack.BareEnvironment(), "PATH="+s.tools+":"+os.Getenv("PATH"), "NOTES="+filepath.Join(s.tools, "notes"))
	for name, value := range c.Environment {
		s.env = append(s.env, name+"="+here.Replace(*value))
	}
	return s
}

// tool makes a small program of the lines; note writes a line down.
func (s *scripted) tool(name, lines string) {
	s.t.Helper()
	text := "#!/bin/sh\nnote() { echo \"$*\" >>\"$NOTES\"; }\n" + lines + "\n"
	require.NoError(s.t, os.WriteFile(filepath.Join(s.tools, name), []byte(text), 0o755))
}

// run gives what it says, and what was written down.
func (s *scripted) run() (said string, notes []string, err error) {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.tools, "notes"))
	cmd := exec.CommandContext(s.t.Context(), s.line[0], s.line[1:]...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	text, _ := os.ReadFile(filepath.Join(s.tools, "notes")) // perhaps nothing was
	return strings.TrimSpace(string(out)), strings.Split(strings.TrimSpace(string(text)), "\n"), err
}

func TestTemporalsSchemaIsMadeAndBroughtUpToDate(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "temporal-schema")
	there := "--plugin postgres12 --endpoint temporal-postgres --port 5432 --user temporal --database "
	want := func() (all []string) {
		for database, schema := range map[string]string{"temporal": "temporal", "temporal_visibility": "visibility"} {
			for _, what := range []string{"create", "setup-schema -v 0.0", "update-schema -d /etc/temporal/schema/postgresql/v12/" + schema + "/versioned"} {
				all = append(all, s.secrets["temporal_postgres_password"]+" "+there+database+" "+what)
			}
		}
		return all
	}()
	s.tool("temporal-sql-tool", `note "$SQL_PASSWORD" "$@"`)
	said, notes, err := s.run()
	require.NoError(t, err, said)
	require.ElementsMatch(t, want, notes)

	s.tool("temporal-sql-tool", `note "$SQL_PASSWORD" "$@"; case "$*" in *update-schema*) ;; *) exit 1 ;; esac`)
	said, notes, err = s.run()
	require.NoError(t, err, "the second time the database and its first table are there: %s", said)
	require.ElementsMatch(t, want, notes)

	s.tool("temporal-sql-tool", `case "$*" in *update-schema*) exit 1 ;; esac`)
	_, _, err = s.run()
	require.Error(t, err, "the server must not start on an old schema")
}

func TestTemporalGetsItsPasswordFromTheFile(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	entrypoint := filepath.Join(tools, "entrypoint.sh")
	require.NoError(t, os.WriteFile(entrypoint, []byte("#!/bin/sh\necho \"$POSTGRES_USER $POSTGRES_PWD\"\n"), 0o755))
	s := newScripted(t, "temporal", "/etc/temporal/entrypoint.sh", entrypoint)
	said, _, err := s.run()
	require.NoError(t, err, said)
	require.Equal(t, "temporal "+s.secrets["temporal_postgres_password"], said)
}

// On a real Temporal, with the real command line.
func TestTheNamespaceIsMadeOnce(t *testing.T) {
	t.Parallel()
	address, bin := os.Getenv("TEST_TEMPORAL_ADDRESS"), os.Getenv("TEST_TEMPORAL_BIN")
	require.NotEmpty(t, address, "TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`")
	name := "deploy-" + strings.ToLower(filepath.Base(filepath.Dir(t.TempDir())))
	s := newScripted(t, "temporal-namespace", "temporal:7233", address, "--namespace default", "--namespace "+name)
	s.tool("temporal", `note "$@"; exec `+bin+` "$@"`)
	said, notes, err := s.run()
	require.NoError(t, err, said)
	require.Contains(t, strings.Join(notes, "\n"), "namespace create --namespace "+name+" --retention 72h")
	// A server takes a moment until it knows what it was told.
	require.Eventually(t, func() bool {
		said, notes, err = s.run()
		return err == nil && !strings.Contains(strings.Join(notes, "\n"), "create")
	}, time.Minute, 100*time.Millisecond, "it is found the second time")
}

func TestABackupIsWholeOrIsNotThere(t *testing.T) {
	t.Parallel()
	backups := t.TempDir()
	s := newScripted(t, "backup", "/backups/", backups+"/")
	s.tool("pg_dump", `note "$PGPASSWORD" "$@"
for a in "$@"; do case "$a" in --file=*) echo dump >"${a#--file=}" ;; esac; done`)
	said, notes, err := s.run()
	require.NoError(t, err, said)
	require.Regexp(t, `^`+regexp.QuoteMeta(backups)+`/salesforcesync-\d{8}T\d{6}Z\.dump$`, said, "it says where it is")
	require.Equal(t, []string{s.secrets["postgres_password"] + " --host=postgres --username=salesforcesync --format=custom --file=" + said + ".part salesforcesync"}, notes)
	info, err := os.Stat(said)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "texts are in it")
	require.NoError(t, os.Remove(said))

	s.tool("pg_dump", `for a in "$@"; do case "$a" in --file=*) echo half >"${a#--file=}" ;; esac; done; exit 1`)
	_, _, err = s.run()
	require.Error(t, err)
	whole, err := filepath.Glob(filepath.Join(backups, "*.dump"))
	require.NoError(t, err)
	require.Empty(t, whole, "half a dump has no name that is taken for a whole one")
}

// The commands of the pages name services and profiles that there are.
func TestPagesNameWhatComposeHas(t *testing.T) {
	t.Parallel()
	dir := host(t)
	prepare(t, dir, "https://sync.acme.example", "ann@acme.example")
	p := mustLoad(t, dir, "*")
	text := ""
	for _, page := range []string{"docs/install.md", "docs/operations.md", "docker-compose.yml", "starter/health.go"} {
		one, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
		require.NoError(t, err)
		text += string(one)
	}
	named := regexp.MustCompile(`docker compose (?:run --rm|exec|logs|stop|start|restart)(?: -T| --no-deps| --(?:entrypoint|since) \S+)* ([a-z][a-z-]*)|--scale ([a-z-]+)=|--profile ([a-z]+)`).FindAllStringSubmatch(text, -1)
	require.Greater(t, len(named), 15)
	for _, m := range named {
		if service := m[1] + m[2]; service != "" {
			require.Contains(t, p.ServiceNames(), service, m[0])
		} else {
			require.Contains(t, profiles, m[3], m[0])
		}
	}
	variables := regexp.MustCompile("`([A-Z][A-Z_]+)(?:=[^`]*)?`[,.;: ]").FindAllStringSubmatch(text, -1)
	compose, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	for _, name := range []string{"POSTGRES_VERSION", "TEMPORAL_VERSION", "TEMPORAL_UI_VERSION", "PROMETHEUS_VERSION", "GRAFANA_VERSION", "WORKERS", "TEMPORAL_UI_URL", "TRUSTED_PROXIES", "OIDC_ISSUER", "OTEL_EXPORTER_OTLP_ENDPOINT", "DELIVERY_EXTRA_HOSTS"} {
		require.True(t, slices.ContainsFunc(variables, func(m []string) bool { return m[1] == name }), "%s is told of", name)
		require.Contains(t, string(compose), "${"+name, "%s may stand in .env", name)
	}
}
