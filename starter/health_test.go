package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	shell "salesforcesync/internal/app"
	"salesforcesync/internal/fault"
)

func TestHealthAsksTheProgramBeside(t *testing.T) {
	t.Parallel()
	process := shell.New(zap.NewNop())
	var database error
	process.Health.Add("database", func(context.Context) error { return database })
	process.Health.Add("schema", func(context.Context) error { return nil })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", process.Health.Ready)
	mux.HandleFunc("GET /healthz", process.Health.Alive)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	database = fault.New(fault.Unreachable, "dial 10.1.2.3")
	b := &bench{t: t, env: map[string]string{"METRICS_ADDR": "0.0.0.0:" + port, "LISTEN_ADDR": "127.0.0.1:1"}}
	notReady := b.run("health").bad(exitRuntime, "not ready: database unreachable, schema ok", "log")
	require.NotContains(t, notReady.talk, "10.1.2.3")
	require.Equal(t, "alive\n", b.run("health", "--live").good().out, "a process without its database is alive")
	r := b.run("health", "--json")
	require.Equal(t, exitRuntime, r.code)
	require.JSONEq(t, `{"status":"error","checks":{"database":"unreachable","schema":"ok"}}`, r.out)
	b.run("health", "--door").bad(exitRuntime, "nothing answers on 127.0.0.1:1")

	// Another process: what was answered is kept for a moment.
	well := shell.New(zap.NewNop())
	well.Health.Add("database", func(context.Context) error { return nil })
	door := httptest.NewServer(http.HandlerFunc(well.Health.Ready))
	t.Cleanup(door.Close)
	b = &bench{t: t, env: map[string]string{"LISTEN_ADDR": strings.TrimPrefix(door.URL, "http://")}}
	require.Equal(t, "ready: database ok\n", b.run("health").good().out, "without METRICS_ADDR it is the door")
	b.env["METRICS_ADDR"] = "127.0.0.1:1"
	b.run("health", "--door").good()
	b.run("health", "--address", strings.TrimPrefix(door.URL, "http://")).good()
}

func TestHealthOfWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			_, _ = w.Write([]byte("<html>welcome"))
			return
		}
		<-hang
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	b := &bench{t: t, env: map[string]string{"METRICS_ADDR": strings.TrimPrefix(server.URL, "http://")}}
	b.run("health").bad(exitRuntime, "200 OK, is not that of a worker or an authsvc")
	b.run("health", "--live", "--timeout", "20ms").bad(exitRuntime, "not alive: nothing answers on 127.0.0.1:")
	b.env["METRICS_ADDR"] = "127.0.0.1:0"
	b.run("health").bad(exitInput, "METRICS_ADDR=127.0.0.1:0 is any port", "--address")
	b.run("health", "now").bad(exitInput)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	require.Regexp(t, `^starter devel \(.*go1\.\d+.*\)\n$`, b.run("--version").good().out)
}
