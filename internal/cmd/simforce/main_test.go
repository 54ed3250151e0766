package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is the program itself when this variable is set.
const beTheProgram = "SIMFORCE_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("s\n"), 0o600))
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"Start it with your mails":             {0, []string{"--help"}},
		"flag provided but not defined: -nope": {2, []string{"-nope"}},
		"unexpected argument \"serve\"":        {2, []string{"serve"}},
		"not both":                             {2, []string{"-consumer-secret", "x", "-consumer-secret-file", secret}},
		"read -consumer-secret-file":           {2, []string{"-consumer-secret-file", secret + ".not"}},
		"listen on -addr":                      {1, []string{"-addr", taken.Addr().String()}},
		"load mail from":                       {1, []string{"-addr", "127.0.0.1:0", "-mail", t.TempDir()}},
	} {
		var out, problems bytes.Buffer
		require.Equal(t, c.code, run(context.Background(), c.args, &out, &problems), want)
		require.Contains(t, problems.String(), want)
	}
}

type program struct {
	cmd *exec.Cmd
	url string
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beTheProgram+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &program{cmd, strings.TrimSpace(strings.TrimPrefix(line, "simforce listens on "))}
}

func (p *program) post(t *testing.T, path, body string, into any) {
	t.Helper()
	res, err := http.Post(p.url+path, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, json.NewDecoder(res.Body).Decode(into))
}

func (p *program) count(t *testing.T, token, soql string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.url+"/services/data/v66.0/query?q="+url.QueryEscape(soql), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	var page struct{ TotalSize int }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&page))
	return page.TotalSize
}

func TestStateOutlivesKillAndTerm(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "sim.state")
	args := []string{"-addr", "127.0.0.1:0", "-generate", "20", "-state", state}
	p := launch(t, args...)
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	p.post(t, "/_sim/login", `{"username":"sync@acme.example"}`, &tokens)
	var row map[string]any
	p.post(t, "/_sim/records/Case", `{"fields":{"Subject":"survivor"}}`, &row)
	require.Eventually(t, func() bool {
		raw, err := os.ReadFile(state)
		return err == nil && bytes.Contains(raw, []byte("survivor"))
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()

	p = launch(t, args...)
	require.Equal(t, 1, p.count(t, tokens.AccessToken, "SELECT COUNT() FROM Case WHERE Subject = 'survivor'"))
	require.Equal(t, 20, p.count(t, tokens.AccessToken, "SELECT COUNT() FROM EmailMessage"))
	p.post(t, "/_sim/records/Case", `{"fields":{"Subject":"written last"}}`, &row)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait(), "SIGTERM ends it with 0")

	p = launch(t, args...)
	require.Equal(t, 1, p.count(t, tokens.AccessToken, "SELECT COUNT() FROM Case WHERE Subject = 'written last'"))
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, p.cmd.Wait())
}

func TestWriterRuns(t *testing.T) {
	t.Parallel()
	p := launch(t, "-addr", "127.0.0.1:0", "-generate", "5", "-rate", "50")
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	p.post(t, "/_sim/login", `{"username":"sync@acme.example"}`, &tokens)
	require.Eventually(t, func() bool { return p.count(t, tokens.AccessToken, "SELECT COUNT() FROM EmailMessage") > 10 }, time.Minute, 50*time.Millisecond)
}
