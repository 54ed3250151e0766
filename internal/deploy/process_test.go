package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/simforce"
)

// site is the installation of docker-compose.yml without its containers: the same programs,
// commands, environments, files and health checks. What a container engine does is done by here:
// names become addresses, mounts become paths, and nothing else is changed.
type site struct {
	t       *testing.T
	project *types.Project
	image   map[string]string // ENV of the image
	bin     string
	secrets string // what is mounted at /run/secrets
	files   string // what is mounted at /etc/salesforcesync
	addr    map[string]string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := host(t)
	prepare(t, dir, "--simulator")
	s := &site{
		t: t, project: mustLoad(t, dir, "*"), image: environment(dockerfile(t).stage(t, "product")), bin: buildPrograms(t),
		secrets: t.TempDir(), files: t.TempDir(), addr: map[string]string{},
	}
	temporal, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{Bin: os.Getenv("TEST_TEMPORAL_BIN")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = temporal.Stop() })
	s.addr["temporal:7233"] = temporal.Address()
	s.addr["postgres:5432"] = s.postgres(dir)
	for _, name := range []string{"0.0.0.0:8080", "0.0.0.0:8090"} {
		s.addr[name] = freeAddress(t)
	}
	s.addr["simforce.localhost:8090"] = s.addr["0.0.0.0:8090"]
	_, door, _ := strings.Cut(s.addr["0.0.0.0:8080"], ":")
	s.addr["localhost:8080"] = "localhost:" + door
	s.addr["/usr/local/bin"] = strings.TrimSuffix(s.bin, string(filepath.Separator))
	s.addr[insideMount] = s.secrets + "/"
	s.addr["/etc/salesforcesync/"] = s.files + "/"
	s.addr["/data/"] = t.TempDir() + "/"
	s.mount(filepath.Join(dir, "secrets"), s.secrets)
	s.mount(filepath.Join(dir, "docs", "compose"), s.files)
	return s
}

// postgres starts a server as its image does for the service's environment: with a user, a database
// and the password from the secret file. It gives the address.
func (s *site) postgres(dir string) string {
	s.t.Helper()
	pg, err := devstack.StartPostgres(s.t.Context(), devstack.PostgresOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = pg.Remove() })
	env := s.project.Services["postgres"].Environment
	require.Equal(s.t, insideMount+"postgres_password", *env["POSTGRES_PASSWORD_FILE"])
	password, err := os.ReadFile(filepath.Join(dir, "secrets", "postgres_password"))
	require.NoError(s.t, err)
	conn, err := pgx.Connect(s.t.Context(), pg.URL())
	require.NoError(s.t, err)
	defer conn.Close(s.t.Context())
	user, database := pgx.Identifier{*env["POSTGRES_USER"]}.Sanitize(), pgx.Identifier{*env["POSTGRES_DB"]}.Sanitize()
	for _, sql := range []string{
		"create role " + user + " superuser login password '" + string(password) + "'",
		"create database " + database + " owner " + user,
	} {
		_, err := conn.Exec(s.t.Context(), sql)
		require.NoError(s.t, err)
	}
	return "127.0.0.1:" + strconv.Itoa(pg.Port())
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := devstack.FreePort()
	require.NoError(t, err)
	return "127.0.0.1:" + strconv.Itoa(port)
}

// mount copies files whose content names what is elsewhere here.
func (s *site) mount(from, to string) {
	s.t.Helper()
	entries, err := os.ReadDir(from)
	require.NoError(s.t, err)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		require.NoError(s.t, err)
		require.NoError(s.t, os.WriteFile(filepath.Join(to, e.Name()), []byte(s.here(string(text), "")), 0o600))
	}
}

// here says where something of the containers' world is on this machine; metrics is where this one
// container's port 9090 is.
func (s *site) here(text, metrics string) string {
	pairs := []string{"0.0.0.0:9090", metrics}
	for there, here := range s.addr {
		pairs = append(pairs, there, here)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// container is one replica of a service.
type container struct {
	*site
	service types.ServiceConfig
	env     []string
	metrics string
	process *devstack.Process
}

// container gives what a replica of a service would see, not started yet.
func (s *site) container(service string) *container {
	s.t.Helper()
	c := &container{site: s, service: s.project.Services[service], metrics: freeAddress(s.t)}
	require.Equal(s.t, service, c.service.Name)
	env := map[string]string{}
	if c.service.Build.Target == "" {
		for name, value := range s.image {
			env[name] = value
		}
	}
	for name, value := range c.service.Environment {
		env[name] = *value
	}
	for name, value := range env {
		c.env = append(c.env, name+"="+s.here(value, c.metrics))
	}
	return c
}

// command is a command line of the container on this machine.
func (c *container) command(words []string) (path string, args []string) {
	for _, w := range words[1:] {
		args = append(args, c.here(w, c.metrics))
	}
	return filepath.Join(c.bin, words[0]), args
}

func (c *container) start() *container {
	c.t.Helper()
	path, args := c.command(commandOf(c.service))
	var err error
	c.process, err = devstack.StartProcess(devstack.ProcessOptions{
		Name: c.service.Name, Path: path, Args: args, Env: c.env, Dir: c.files, StopTimeout: time.Duration(*c.service.StopGracePeriod)})
	require.NoError(c.t, err)
	c.t.Cleanup(func() {
		_ = c.process.Kill()
		if c.t.Failed() {
			c.t.Logf("%s, last words:\n%s", c.service.Name, c.process.Tail(20))
		}
	})
	return c
}

// healthy runs the health check as the engine does.
func (c *container) healthy() error {
	path, args := c.command(c.service.HealthCheck.Test[1:])
	cmd := exec.CommandContext(c.t.Context(), path, args...)
	cmd.Env = c.env
	said, err := cmd.CombinedOutput()
	if err != nil {
		require.Equal(c.t, 1, cmd.ProcessState.ExitCode(), "the only other answer that an engine knows: %s", said)
		return errors.New(strings.TrimSpace(string(said)))
	}
	return nil
}

func (c *container) untilHealthy() *container {
	c.t.Helper()
	limit := time.Now().Add(time.Duration(*c.service.HealthCheck.StartPeriod))
	for {
		err := c.healthy()
		if err == nil {
			return c
		}
		require.True(c.t, time.Now().Before(limit), "%s is not healthy within its start period: %v", c.service.Name, err)
		select {
		case <-c.process.Done():
			require.FailNow(c.t, "it ended", c.process.Ended().Error())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop asks it to end as `docker compose stop` does.
func (c *container) stop() {
	c.t.Helper()
	require.NoError(c.t, c.process.Stop(), "it is killed after its stop_grace_period")
	require.NoError(c.t, c.process.Err(), "%s", c.process.Tail(10))
	require.NotContains(c.t, c.process.Tail(50), "stop was not clean")
}

// job runs a service that ends, with more arguments than it has, and gives its standard output.
func (s *site) job(service string, more ...string) string {
	s.t.Helper()
	c := s.container(service)
	words := commandOf(c.service)
	if len(more) > 0 { // `docker compose run SERVICE more…` puts them in the place of the command
		words = append([]string(c.service.Entrypoint), more...)
	}
	path, args := c.command(words)
	cmd := exec.CommandContext(s.t.Context(), path, args...)
	cmd.Env, cmd.Dir = c.env, s.files
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	require.NoError(s.t, cmd.Run(), "%s %v: %s%s", service, more, &out, &talk)
	return out.String()
}

// connect is the administrator who follows the link and agrees.
func (s *site) connect(link string) {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	follow := func(address string) *url.URL {
		res, err := browser.Get(address)
		require.NoError(s.t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(s.t, err)
		to, err := res.Location()
		require.NoError(s.t, err, "%s", body)
		return to
	}
	back, err := simforce.Consent(s.t.Context(), follow(link).String(), simforce.SyncUser, true)
	require.NoError(s.t, err)
	require.Equal(s.t, "/", follow(back).Path)
}

// The way that docs/install.md describes, from `docker compose up` with the profile simulator to
// comments that can be read, by what the Dockerfile builds and compose configures.
func TestTheSiteRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	require.Contains(t, s.job("starter", "--version"), buildVersion+" (commit "+buildCommit)

	worker := s.container("worker")
	require.ErrorContains(t, worker.healthy(), "nothing answers", "what does not run is not healthy")
	s.container("simforce").start().untilHealthy()
	s.job("setup")
	authsvc := s.container("authsvc").start()
	workers := []*container{worker.start(), s.container("worker").start()}
	require.Len(t, workers, *worker.service.Deploy.Replicas)
	for _, c := range append(workers, authsvc) {
		c.untilHealthy()
		require.Contains(t, get(t, c.metrics, "/metrics"), `version="`+buildVersion+`"`, "Prometheus finds it where compose says")
	}

	s.job("simulator-integration")
	s.job("simulator-integration") // as after every restart of everything
	s.connect(strings.TrimSpace(s.job("starter", "connect", "demo/simulator")))
	s.job("starter", "status", "demo/simulator", "--until-done")
	var status struct {
		Comments int
		Objects  []struct{ Missing int }
	}
	require.NoError(t, json.Unmarshal([]byte(s.job("starter", "status", "demo/simulator", "--json")), &status))
	require.GreaterOrEqual(t, status.Comments, 250, "drafts aside, what the simulator has made up")
	require.Len(t, status.Objects, 1)
	require.Zero(t, status.Objects[0].Missing)

	for _, c := range append(workers, authsvc) {
		c.stop()
		require.Error(t, c.healthy(), c.service.Name)
	}
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	res, err := http.Get("http://" + address + path)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", body)
	return string(body)
}
