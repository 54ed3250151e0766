package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/monitoringtest"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store/storetest"
)

// asProgram makes the test's own binary the program: real environment, signals
// and exit codes without building a second time.
const asProgram = "AUTHSVC_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(storetest.Main(m))
}

func program(t *testing.T, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // it lives as long as the test
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

func environment(databaseURL string) map[string]string {
	return map[string]string{
		"DATABASE_URL":     databaseURL,
		"ENCRYPTION_KEYS":  "test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)),
		"PUBLIC_URL":       "http://localhost:8080",
		"LISTEN_ADDR":      "127.0.0.1:0",
		"METRICS_ADDR":     "127.0.0.1:0",
		"TEMPORAL_ADDRESS": "127.0.0.1:1", // nobody: the door opens all the same
		"LOG_LEVEL":        "debug",
	}
}

// running is a program that has said where it listens.
type running struct {
	t         *testing.T
	cmd       *exec.Cmd
	addresses map[string]string // by server
	log       bytes.Buffer
	done      chan struct{}
}

func start(t *testing.T, env map[string]string) *running {
	t.Helper()
	r := &running{t: t, cmd: program(t, env), addresses: map[string]string{}, done: make(chan struct{})}
	stderr, err := r.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		r.log.Write(append(lines.Bytes(), '\n'))
		var line struct{ Msg, Server, Address string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), "the log is JSON: %s", lines.Text())
		if line.Msg == "listening" {
			r.addresses[line.Server] = line.Address
		}
		if line.Msg == "running" {
			go func() {
				defer close(r.done)
				_, _ = io.Copy(&r.log, stderr)
			}()
			return r
		}
	}
	_ = r.cmd.Wait()
	require.Fail(t, "the program did not start", r.log.String())
	return nil
}

// stop ends the program as an operator does and returns its exit code.
func (r *running) stop() int {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(syscall.SIGTERM))
	<-r.done
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

func (r *running) get(server, path, token string) (status int, header http.Header, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.addresses[server]+path, nil)
	require.NoError(r.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return res.StatusCode, res.Header, string(raw)
}

func TestTheDoorOpensAndCloses(t *testing.T) {
	t.Parallel()
	db, url := storetest.NewURL(t)
	env := environment(url)
	env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"] = "admin@example.com", "a long enough password"
	r := start(t, env)
	token, err := access.New(db).CreateToken(t.Context(), "admin@example.com", "test", time.Time{})
	require.NoError(t, err, "the first administrator is made at the start")

	for _, server := range []string{"door", "metrics"} {
		status, _, body := r.get(server, "/healthz", "")
		require.Equal(t, http.StatusOK, status)
		require.JSONEq(t, `{"status":"ok"}`, body)
		status, _, body = r.get(server, "/readyz", "")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.JSONEq(t, `{"status":"error","checks":{"database":"ok","schema":"ok","temporal":"unreachable"}}`, body)
	}

	status, header, _ := r.get("door", "/", "")
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/sign-in", header.Get("Location"))
	status, _, body := r.get("door", "/sign-in", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<h1")
	status, header, body = r.get("door", "/api/v1/sources", "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, `"status":"error"`)
	require.NotEmpty(t, header.Get("X-Request-Id"))
	status, _, body = r.get("door", "/auth/user", token.Reveal())
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "admin@example.com")
	status, _, _ = r.get("door", "//auth/user", token.Reveal())
	require.Equal(t, http.StatusOK, status)
	status, _, body = r.get("door", "/api//v1", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, `"status":"error"`)

	status, _, body = r.get("metrics", "/metrics", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `salesforcesync_http_request_seconds_count{route="GET /auth/user",status="200"} 2`)
	require.Empty(t, monitoringtest.Holds(t, "authsvc", monitoringtest.Exported(t, strings.NewReader(body))))
	status, _, _ = r.get("door", "/metrics", "")
	require.Equal(t, http.StatusNotFound, status, "metrics are not for the public")

	require.Equal(t, app.ExitOK, r.stop(), r.log.String())
	require.NotContains(t, r.log.String(), token.Reveal())
	require.NotContains(t, r.log.String(), env["ADMIN_PASSWORD"])
}

func TestVisitorsOfAProxyAreToldApart(t *testing.T) {
	t.Parallel()
	_, url := storetest.NewURL(t)
	env := environment(url)
	env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"] = "admin@example.com", "a long enough password"
	env["TRUSTED_PROXIES"] = "127.0.0.0/8, 10.0.0.1"
	r := start(t, env)
	signIn := func(visitor, password string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addresses["door"]+"/sign-in",
			strings.NewReader("email=admin%40example.com&password="+strings.ReplaceAll(password, " ", "+")))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", visitor+", 10.0.0.1")
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, signIn("198.51.100.1", "wrong"))
	}
	require.Equal(t, http.StatusTooManyRequests, signIn("198.51.100.1", "wrong"))
	require.Equal(t, http.StatusTooManyRequests, signIn("203.0.113.9, 198.51.100.1", "wrong"), "what a visitor claims changes nothing")
	require.Equal(t, http.StatusSeeOther, signIn("198.51.100.2", env["ADMIN_PASSWORD"]))
	require.Equal(t, app.ExitOK, r.stop(), r.log.String())
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	_, url := storetest.NewURL(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() }) // after the parallel subtests
	with := func(changes ...string) map[string]string {
		env := environment(url)
		for i := 0; i < len(changes); i += 2 {
			env[changes[i]] = changes[i+1]
		}
		return env
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		args []string
		code int
		says []string
	}{
		"help":          {nil, []string{"--help"}, app.ExitOK, nil},
		"an argument":   {nil, []string{"serve"}, app.ExitInvalid, []string{"authsvc takes no arguments"}},
		"nothing set":   {nil, nil, app.ExitInvalid, []string{"DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL"}},
		"bad key ring":  {with("ENCRYPTION_KEYS", "x"), nil, app.ExitInvalid, []string{"ENCRYPTION_KEYS"}},
		"bad proxies":   {with("TRUSTED_PROXIES", "0.0.0.0/0"), nil, app.ExitInvalid, []string{"TRUSTED_PROXIES", "trusts everybody"}},
		"bad log level": {with("LOG_LEVEL", "loud"), nil, app.ExitInvalid, []string{"LOG_LEVEL"}},
		"port taken":    {with("LISTEN_ADDR", taken.Addr().String()), nil, app.ExitInvalid, []string{taken.Addr().String(), "next step: ", "LISTEN_ADDR"}},
		"old schema":    {with("DATABASE_URL", storetest.Empty(t)), nil, app.ExitInvalid, []string{"schema version 0", "needs version", "starter setup"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, tt.env, tt.args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			_ = cmd.Run()
			require.Equal(t, tt.code, cmd.ProcessState.ExitCode(), stderr.String())
			for _, s := range tt.says {
				require.Contains(t, stderr.String(), s)
			}
			require.NotContains(t, stderr.String(), "goroutine")
		})
	}
}

// The help must name every variable that the program reads.
func TestHelpNamesItsVariables(t *testing.T) {
	t.Parallel()
	for _, v := range config.Variables() {
		if slices.Contains(v.Programs, config.Authsvc) && !strings.HasPrefix(v.Name, "TEMPORAL_") {
			require.Contains(t, help, "\n  "+v.Name+" ")
		}
	}
	require.Contains(t, help, "\n  TEMPORAL_ADDRESS ")
}
