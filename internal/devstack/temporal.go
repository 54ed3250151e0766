package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// TemporalOptions describe one development server.
type TemporalOptions struct {
	// Bin is the temporal program; "" = what [Tools.Temporal] of [Here] returns.
	Bin string
	// DBFile keeps the server's state in an SQLite file; "" = in memory, gone with the server.
	DBFile string
	// Port of the gRPC service on 127.0.0.1; 0 = any free one, which stays the same over restarts.
	Port int
	// UIPort of the web page on 127.0.0.1; 0 = no page.
	UIPort int
	// Namespaces to make besides "default".
	Namespaces []string
	// SearchAttributes to make in namespace "default", as name=Type.
	SearchAttributes []string
	// Settings of the server's dynamic configuration, as key=JSON value.
	Settings []string
	// Log gets the server's output; nil = only the last lines are kept for errors.
	Log io.Writer
}

// Temporal is a development server that this process started.
type Temporal struct {
	opts TemporalOptions
	port int

	mu   sync.Mutex
	proc *Process
}

// StartTemporal starts a server and returns when its namespaces can be used. ctx
// bounds the start only: the server runs until Stop or Kill.
func StartTemporal(ctx context.Context, o TemporalOptions) (*Temporal, error) {
	if o.Bin == "" {
		tools, err := Here()
		if err != nil {
			return nil, err
		}
		if o.Bin, err = tools.Temporal(ctx); err != nil {
			return nil, err
		}
	}
	if o.DBFile != "" {
		if err := os.MkdirAll(filepath.Dir(o.DBFile), 0o755); err != nil { //nolint:gosec // a development folder
			return nil, fmt.Errorf("make the folder of Temporal's database: %w", err)
		}
	}
	t := &Temporal{opts: o, port: o.Port}
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Temporal) start(ctx context.Context) error {
	if t.port != 0 {
		return t.startOn(ctx, t.port)
	}
	var err error
	for range 5 {
		var port int
		if port, err = FreePort(); err != nil {
			return err
		}
		if err = t.startOn(ctx, port); err == nil {
			t.port = port
			return nil
		}
		if !portTaken(err) {
			return err
		}
	}
	return err
}

func (t *Temporal) startOn(ctx context.Context, port int) error {
	if !PortFree(port) {
		return takenError("Temporal", port)
	}
	// The server's side ports (HTTP, metrics) would be free ones of its own choice, from
	// the range of outgoing connections; see port.go.
	var side [2]int
	for i := range side {
		var err error
		if side[i], err = FreePort(); err != nil {
			return err
		}
	}
	args := []string{
		"server", "start-dev",
		"--ip", loopback,
		"--port", strconv.Itoa(port),
		"--http-port", strconv.Itoa(side[0]),
		"--metrics-port", strconv.Itoa(side[1]),
		"--log-level", "warn",
	}
	if t.opts.UIPort == 0 {
		args = append(args, "--headless")
	} else {
		args = append(args, "--ui-port", strconv.Itoa(t.opts.UIPort))
	}
	if t.opts.DBFile != "" {
		// About three times as fast as SQLite's defaults. synchronous=1 (NORMAL) may lose
		// the last commits when the machine crashes, not when the server does.
		args = append(args, "--db-filename", t.opts.DBFile,
			"--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1")
	}
	for _, ns := range t.opts.Namespaces {
		args = append(args, "--namespace", ns)
	}
	for _, attribute := range t.opts.SearchAttributes {
		args = append(args, "--search-attribute", attribute)
	}
	for _, setting := range t.opts.Settings {
		args = append(args, "--dynamic-config-value", setting)
	}
	proc, err := StartProcess(ProcessOptions{
		Name: "Temporal",
		Path: t.opts.Bin,
		Args: args,
		Env:  withoutTemporal(os.Environ()),
		Log:  t.opts.Log,
	})
	if err != nil {
		return err
	}
	if err := waitReady(ctx, proc, 2*time.Minute, t.healthy(port)); err != nil {
		return errors.Join(err, proc.Stop())
	}
	t.mu.Lock()
	t.proc = proc
	t.mu.Unlock()
	return nil
}

// withoutTemporal removes the client's variables, which the program would read as
// its own settings.
func withoutTemporal(env []string) []string {
	var rest []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "TEMPORAL_") {
			rest = append(rest, kv)
		}
	}
	return rest
}

// healthy returns the check for a server that serves and knows its namespaces.
func (t *Temporal) healthy(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return CheckTemporal(ctx, address(port), append([]string{"default"}, t.opts.Namespaces...)...)
	}
}

// CheckTemporal asks the server at address for its health and for each namespace.
func CheckTemporal(ctx context.Context, address string, namespaces ...string) error {
	c, err := client.NewLazyClient(client.Options{
		HostPort: address,
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return err
	}
	for _, ns := range namespaces {
		if _, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: ns}); err != nil {
			return err
		}
	}
	return nil
}

// Address returns host:port of the gRPC service.
func (t *Temporal) Address() string { return address(t.port) }

// UIURL returns the address of the web page, "" when there is none.
func (t *Temporal) UIURL() string {
	if t.opts.UIPort == 0 {
		return ""
	}
	return "http://localhost:" + strconv.Itoa(t.opts.UIPort)
}

// Process returns the running server's process; after Restart it is another one.
func (t *Temporal) Process() *Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.proc
}

// Stop ends the server cleanly. It may be started again with Restart.
func (t *Temporal) Stop() error { return t.Process().Stop() }

// Kill ends the server with SIGKILL, as a crash would.
func (t *Temporal) Kill() error { return t.Process().Kill() }

// Restart starts the server again on the same port and, when it has one, the same
// file; it stops a running one first.
func (t *Temporal) Restart(ctx context.Context) error {
	if err := t.Stop(); err != nil {
		return err
	}
	return t.start(ctx)
}
