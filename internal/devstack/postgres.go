package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"salesforcesync/internal/fault"
)

const superuser = "postgres"

// PostgresOptions describe one server.
type PostgresOptions struct {
	// Install is the server's programs; zero = what [Tools.PostgresFor] of [Here] returns.
	Install PostgresInstall
	// Dir is the folder of the cluster, made when it is not there. "" = a throwaway
	// folder, which Remove erases.
	Dir string
	// Port on 127.0.0.1; 0 = any free one, which stays the same over restarts.
	Port int
	// Durable keeps every acknowledged commit over any crash, as a production server
	// does. Without it the server is several times faster, may lose the last commits when
	// it is killed, and all data when the machine is: for tests that kill nothing.
	Durable bool
	// Settings of the server, as name=value; they win over what is set otherwise.
	Settings []string
	// Database is made together with the cluster; "" = only "postgres".
	Database string
	// Log gets the server's output; nil = only the last lines are kept for errors.
	Log io.Writer
}

// Postgres is a PostgreSQL server that this process started.
type Postgres struct {
	opts PostgresOptions
	cl   *cluster
	port int

	mu   sync.Mutex
	proc *Process
}

// StartPostgres starts a server on 127.0.0.1 and returns when it takes
// connections. ctx bounds the start only: the server runs until Stop, Kill or Remove.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	if o.Database == "" {
		o.Database = superuser
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "salesforcesync-pg-")
		if err != nil {
			return nil, fmt.Errorf("make a throwaway database: %w", err)
		}
		// The password in it and the data below it are closed; the server's user must get through.
		if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // see above
			return nil, fmt.Errorf("make a throwaway database: %w", err)
		}
		o.Dir = dir
	}
	if o.Install == (PostgresInstall{}) {
		tools, err := Here()
		if err != nil {
			return nil, err
		}
		if o.Install, err = tools.PostgresFor(ctx, o.Dir); err != nil {
			return nil, err
		}
	}
	cl, err := openCluster(ctx, o.Dir, o)
	if err != nil {
		return nil, err
	}
	p := &Postgres{opts: o, cl: cl}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// start runs the server on its port; the first time on one of its choice, several when
// others are faster.
func (p *Postgres) start(ctx context.Context) error {
	if p.port != 0 {
		return p.startOn(ctx, p.port)
	}
	if p.opts.Port != 0 {
		p.port = p.opts.Port
		return p.startOn(ctx, p.port)
	}
	var err error
	for range 5 {
		var port int
		if port, err = FreePort(); err != nil {
			return err
		}
		if err = p.startOn(ctx, port); err == nil {
			p.port = port
			return nil
		}
		if !portTaken(err) {
			return err
		}
	}
	return err
}

// takenError says that somebody else listens on a server's port. Without the check before
// the start, that somebody's answers could be taken for the server's.
func takenError(server string, port int) error {
	return fault.New(fault.Conflict, "cannot start %s: address already in use: %s", server, address(port)).
		WithHint("stop what listens on port %d, or choose another port", port)
}

// portTaken recognises in a server's last words that its port was taken.
func portTaken(err error) bool {
	s := strings.ToLower(err.Error())
	return strings.Contains(s, "address already in use") || strings.Contains(s, "could not create any tcp/ip sockets")
}

func (p *Postgres) startOn(ctx context.Context, port int) error {
	if !PortFree(port) {
		return takenError("PostgreSQL", port)
	}
	in := p.opts.Install
	proc, err := StartProcess(ProcessOptions{
		Name:       "PostgreSQL",
		Path:       in.Bin + "/postgres",
		Args:       p.args(port),
		Env:        in.env(),
		Dir:        p.cl.data,
		Log:        p.opts.Log,
		Credential: p.cl.credential,
		// "Fast shutdown": sessions are ended, the data is left clean (PostgreSQL's documentation, "Shutting Down the Server").
		StopSignal:  syscall.SIGINT,
		StopTimeout: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	// Recovery after a crash may take its time.
	err = waitReady(ctx, proc, 2*time.Minute, func(ctx context.Context) error {
		return pgAccepts(ctx, address(port), superuser)
	})
	if err != nil {
		return errors.Join(err, proc.Stop())
	}
	p.mu.Lock()
	p.proc = proc
	p.mu.Unlock()
	return nil
}

func (p *Postgres) args(port int) []string {
	settings := []string{
		"listen_addresses=" + loopback,
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=",
		"max_connections=200",
		"shared_buffers=128MB",
		"jit=off", // its library is large, and unpacked installs leave it out
		"timezone=UTC",
		"log_timezone=UTC",
		"log_checkpoints=off",
	}
	if !p.opts.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=30min", "max_wal_size=2GB")
	}
	args := []string{"-D", p.cl.data}
	for _, s := range append(settings, p.opts.Settings...) { // of two of one name the last wins
		args = append(args, "-c", s)
	}
	return args
}

// URL returns the superuser's connection URL for its database.
func (p *Postgres) URL() string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, p.cl.password),
		Host:     address(p.port),
		Path:     "/" + p.opts.Database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port returns the port on 127.0.0.1.
func (p *Postgres) Port() int { return p.port }

// DataDir returns the server's data folder.
func (p *Postgres) DataDir() string { return p.cl.data }

// Install returns the server's programs.
func (p *Postgres) Install() PostgresInstall { return p.opts.Install }

// Process returns the running server's process; after Restart it is another one.
func (p *Postgres) Process() *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proc
}

// Stop ends the server cleanly. It may be started again with Restart.
func (p *Postgres) Stop() error { return p.Process().Stop() }

// Kill ends the server and all its sessions with SIGKILL, as a crash would.
func (p *Postgres) Kill() error { return p.Process().Kill() }

// Restart starts the server again, on the same data and port, after Stop, Kill or a
// crash; it stops a running one first.
func (p *Postgres) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.start(ctx)
}

// Remove stops the server and erases its data.
func (p *Postgres) Remove() error {
	return errors.Join(p.Stop(), p.cl.erase())
}

// waitReady waits until ready returns nil, the process ends, or time runs out.
func waitReady(ctx context.Context, proc *Process, limit time.Duration, ready func(context.Context) error) error {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", proc.Name(), ctx.Err())
		case <-proc.Done():
			return fault.Wrap(fault.Unreachable, proc.Ended(), "%s did not start", proc.Name())
		case <-timeout.C:
			return fault.Wrap(fault.Unreachable, err, "%s did not take requests within %s", proc.Name(), limit)
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
