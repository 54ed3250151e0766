package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/simforce"
)

const (
	consumerKey    = "3MVG9e2e"
	consumerSecret = "e2e-consumer-secret"
	adminEmail     = "admin@example.com"
	adminPassword  = "e2e-password-e2e"
	callbackPath   = "/external/salesforce/oauth2/callback"
)

// stack is a whole installation of its own, whose every part can be killed.
type stack struct {
	t        *testing.T
	dir      string
	bin      string       // folder of the programs
	settings []string     // of PostgreSQL
	built    func(*stack) // called when the programs are built; nil for nothing
	crash    string       // folder that arms crash points of the worker
	pg       *devstack.Postgres
	temporal *devstack.Temporal
	sim      *simforce.Server
	simURL   string
	public   string
	env      []string
	token    string // API token of the administrator
	replies  map[clean.Mail]string
	worker   *devstack.Process
	authsvc  *devstack.Process
	client   client.Client

	extra []string                        // environment besides, of every program
	wrap  func(http.Handler) http.Handler // around the simulator; nil = nothing
}

// newStack starts everything but the worker. Servers keep what they acknowledged
// when they are killed.
func newStack(t *testing.T) *stack {
	t.Helper()
	return newStackWith(t, simforce.Options{MailDir: os.Getenv("MAIL_DIR"), Generate: 300, Seed: 7})
}

// newStackWith is newStack with other mail, and whatever set sets before anything starts.
func newStackWith(t *testing.T, o simforce.Options, set ...func(*stack)) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), replies: map[clean.Mail]string{}}
	s.bin, s.crash = filepath.Join(s.dir, "bin"), filepath.Join(s.dir, "crash")
	require.NoError(t, os.MkdirAll(s.crash, 0o755))
	for _, f := range set {
		f(s)
	}
	if s.build(); s.built != nil {
		s.built(s)
	}

	var err error
	s.pg, err = devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Durable: true, Database: "e2e", Settings: s.settings})
	require.NoError(t, err, "start PostgreSQL")
	t.Cleanup(func() { _ = s.pg.Remove() })
	s.temporal, err = devstack.StartTemporal(t.Context(), devstack.TemporalOptions{
		Bin: os.Getenv("TEST_TEMPORAL_BIN"), DBFile: filepath.Join(s.dir, "temporal.db")})
	require.NoError(t, err, "start Temporal")
	t.Cleanup(func() { _ = s.temporal.Stop() })

	port, err := devstack.FreePort()
	require.NoError(t, err)
	// Another host than the simulator's, as with the real Salesforce: cookies must do without one.
	s.public = fmt.Sprintf("http://localhost:%d", port)
	s.startSimulator(o)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	s.env = append(bareEnvironment(),
		"DATABASE_URL="+s.pg.URL(), "TEMPORAL_ADDRESS="+s.temporal.Address(), "PUBLIC_URL="+s.public,
		"LISTEN_ADDR="+fmt.Sprintf("127.0.0.1:%d", port), "ENCRYPTION_KEYS=k1:"+base64.StdEncoding.EncodeToString(key),
		"SALESFORCE_EXTRA_HOSTS="+strings.TrimPrefix(s.simURL, "http://"),
		"ADMIN_EMAIL="+adminEmail, "ADMIN_PASSWORD="+adminPassword, "SF_CONSUMER_SECRET="+consumerSecret)
	s.env = append(s.env, s.extra...)
	s.starter("setup")
	s.starter("setup") // may be repeated
	s.token = strings.TrimSpace(s.starter("token", "create", "--email", adminEmail, "--name", "e2e"))
	s.startAuthsvc()
	s.startWorker()
	s.client, err = client.NewLazyClient(client.Options{HostPort: s.temporal.Address(), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	return s
}

// bareEnvironment is this process's without what configures the product.
func bareEnvironment() []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"} {
		if v := os.Getenv(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// build builds the three programs; only this worker can be made to crash.
func (s *stack) build() {
	s.t.Helper()
	root := filepath.Join("..", "..")
	for _, args := range [][]string{
		{"build", "-buildvcs=false", "-o", s.bin + "/", "-ldflags", "-X salesforcesync/internal/crashpoint.dir=" + s.crash, "./worker"},
		{"build", "-buildvcs=false", "-o", s.bin + "/", "./starter", "./authsvc"},
	} {
		cmd := exec.CommandContext(s.t.Context(), "go", args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(s.t, err, "%s", out)
	}
}

func (s *stack) startSimulator(o simforce.Options) {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.simURL = "http://" + listener.Addr().String()
	o.BaseURL, o.ConsumerKey, o.ConsumerSecret, o.CallbackURLs = s.simURL, consumerKey, consumerSecret, []string{s.public + callbackPath}
	s.sim, err = simforce.New(o)
	require.NoError(s.t, err)
	handler := http.Handler(s.sim)
	if s.wrap != nil {
		handler = s.wrap(handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener) //nolint:errcheck // closed below
	s.t.Cleanup(func() {
		_ = server.Close()
		_ = s.sim.Close()
	})
}

func (s *stack) start(name string) *devstack.Process {
	s.t.Helper()
	file, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(s.t, err)
	p, err := devstack.StartProcess(devstack.ProcessOptions{Name: name, Path: filepath.Join(s.bin, name), Env: s.env, Log: file,
		StopTimeout: 30 * time.Second}) // within which a program that is told to stop has ended
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		_ = p.Kill()
		if s.t.Failed() {
			s.t.Logf("%s, pid %d, last words:\n%s", name, p.PID(), p.Tail(25))
		}
	})
	return p
}

func (s *stack) startWorker() { s.worker = s.start("worker") }

func (s *stack) startAuthsvc() {
	s.authsvc = s.start("authsvc")
	s.eventually("authsvc is alive", func() error { return s.get("/healthz", nil) })
}

// tryStarter runs the starter and returns what it printed and its exit code.
func (s *stack) tryStarter(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "starter"), args...)
	cmd.Env = s.env
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run() // the exit code says it
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func (s *stack) starter(args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.tryStarter(args...)
	require.Zero(s.t, code, "starter %v: %s%s", args, stdout, stderr)
	return stdout
}

// cli runs the stock temporal command line.
func (s *stack) cli(args ...string) string {
	s.t.Helper()
	bin := os.Getenv("TEST_TEMPORAL_BIN")
	require.NotEmpty(s.t, bin, "TEST_TEMPORAL_BIN is not set: run the tests with `make test`")
	cmd := exec.CommandContext(s.t.Context(), bin, append(args, "--address", s.temporal.Address())...)
	text, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "temporal %v: %s", args, text)
	return string(text)
}

// apply writes an integration file and applies it.
func (s *stack) apply(name, text string, args ...string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name+".yaml")
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	s.starter(append([]string{"apply", "-f", path}, args...)...)
}

// connect walks the browser-less OAuth flow with the one-time link and returns the
// text of the page where it ends.
func (s *stack) connect(integration, username string) string {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	link := strings.TrimSpace(s.starter("connect", integration))
	require.True(s.t, strings.HasPrefix(link, s.public+"/integrations/"+integration+"/oauth2/authenticate?link="), link)
	toSalesforce := location(s.t, browser, link)
	require.True(s.t, strings.HasPrefix(toSalesforce, s.simURL+"/services/oauth2/authorize"), toSalesforce)
	back, err := simforce.Consent(s.t.Context(), toSalesforce, username, true)
	require.NoError(s.t, err)
	require.True(s.t, strings.HasPrefix(back, s.public+callbackPath), back)
	home := location(s.t, browser, back)
	require.Equal(s.t, "/", strings.TrimPrefix(home, s.public))
	resp, err := browser.Get(s.public + "/")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return string(page)
}

func location(t *testing.T, browser *http.Client, from string) string {
	t.Helper()
	resp, err := browser.Get(from)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, []int{302, 303}, resp.StatusCode, "%s", body)
	to, err := resp.Location()
	require.NoError(t, err)
	return to.String()
}

// get reads a JSON answer of the API.
func (s *stack) get(path string, into any) error { return s.call(http.MethodGet, path, into) }

func (s *stack) call(method, path string, into any) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(ctx, method, s.public+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// patience is how long is waited for what must come, on a machine that has other things to do.
const patience = 4 * time.Minute

// eventually waits until check is content.
func (s *stack) eventually(what string, check func() error) {
	s.t.Helper()
	var last error
	ok := waitFor(s.t.Context(), patience, func() bool { last = check(); return last == nil })
	require.True(s.t, ok, "%s: %v", what, last)
}

// waitFor asks until it is told yes or limit is over.
func waitFor(ctx context.Context, limit time.Duration, yes func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if yes() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}
