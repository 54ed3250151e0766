package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
)

// The ports people know; another free one is taken, and said, when one is not free.
const (
	webPort        = 8080
	temporalPort   = 7233
	temporalUIPort = 8233
	simulatorPort  = 8090
	postgresPort   = 15432
)

// demo is what the steps of `make run` find out and hand on.
type demo struct {
	*stack
	secrets secretFiles
	env     environ // of our programs

	mail          string // folder of real mails or ""
	publicURL     string
	temporalUI    string
	simulated     simulated
	adminPassword string
	token         string
}

// up brings the stack up, connects and watches the demo, and returns when ctx ends
// (nil) or something broke.
func up(ctx context.Context, tools *devstack.Tools, env environ, say *printer) error {
	file := demoEnv{path: tools.Dev("demo.env")}
	lock, err := devstack.TryLock(tools.Dev("up.lock"))
	var taken *devstack.LockedError
	if errors.As(err, &taken) {
		return fault.Wrap(fault.Conflict, err, "make run is already running here").
			WithHint("stop it with Ctrl-C in its terminal, or with: kill %d", taken.PID)
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := file.remove(); err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &demo{
		stack: &stack{tools: tools, say: say, died: cancel},
		env:   env.withoutProduct(),
		mail:  mailDir(tools, env),
	}
	err = d.bringUp(ctx, env)
	if err == nil {
		err = file.write(d.demoEnvValues())
	}
	if err == nil {
		err = d.firstSync(ctx)
	}
	if err == nil {
		d.watch(ctx)
	}
	if ctx.Err() != nil {
		if err = context.Cause(ctx); errors.Is(err, context.Canceled) {
			err = nil // asked to stop
		}
	}
	say.line("stopping")
	d.stop()
	err = errors.Join(err, file.remove())
	if err == nil {
		say.line("stopped; make run goes on with the same data")
	}
	return err
}

// bringUp does everything until the demo is connected and can be read.
func (d *demo) bringUp(ctx context.Context, env environ) error {
	var err error
	if d.secrets, err = openSecrets(d.tools.Dev("secrets")); err != nil {
		return err
	}
	if d.adminPassword, err = d.secrets.once("admin_password", newPassword); err != nil {
		return err
	}
	if _, err = d.secrets.once("encryption_keys", newKeyRing); err != nil {
		return err
	}
	port, err := d.port("the web page", webPort)
	if err != nil {
		return err
	}
	d.publicURL = "http://localhost:" + strconv.Itoa(port)
	d.env["PUBLIC_URL"] = d.publicURL
	d.env["LISTEN_ADDR"] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	d.env["ENCRYPTION_KEYS_FILE"] = d.secrets.path("encryption_keys")
	// Servers start while the programs are built.
	var both errgroup.Group
	both.Go(func() error { return d.build(ctx) })
	both.Go(func() error {
		if err := d.postgres(ctx, env); err != nil {
			return err
		}
		return d.temporal(ctx, env)
	})
	if err := both.Wait(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		d.simforce, d.setup, d.services, d.createToken, d.apply, d.connect, d.readable,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// build builds our programs.
func (d *demo) build(ctx context.Context) error {
	start := time.Now()
	d.say.line("building worker, starter, authsvc and the Salesforce simulator")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", d.tools.Dev("bin")+string(filepath.Separator),
		"./worker", "./starter", "./authsvc", "./internal/cmd/simforce")
	cmd.Dir = d.tools.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	d.say.line("built in %.1fs", time.Since(start).Seconds())
	return nil
}

func (d *demo) postgres(ctx context.Context, env environ) error {
	if url := env["DATABASE_URL"]; url != "" {
		d.say.line("PostgreSQL: the server of DATABASE_URL")
		d.env["DATABASE_URL"] = url
		return nil
	}
	dir := d.tools.Dev("pgdata")
	install, err := d.tools.PostgresFor(ctx, dir)
	if err != nil {
		return err
	}
	port, err := d.port("PostgreSQL", postgresPort)
	if err != nil {
		return err
	}
	log, err := d.openLog("postgres")
	if err != nil {
		return err
	}
	d.say.line("starting PostgreSQL %d", install.Major)
	pg, err := devstack.StartPostgres(ctx, devstack.PostgresOptions{
		Install:  install,
		Dir:      dir,
		Port:     port,
		Durable:  true,
		Database: "salesforcesync",
		Log:      log,
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	d.add("postgres", pg.Process(), log)
	d.env["DATABASE_URL"] = pg.URL()
	d.say.line("PostgreSQL is up on port %d, data in %s", port, pg.DataDir())
	return nil
}

func (d *demo) temporal(ctx context.Context, env environ) error {
	if address := env["TEMPORAL_ADDRESS"]; address != "" {
		for name, value := range env {
			if strings.HasPrefix(name, "TEMPORAL_") {
				d.env[name] = value
			}
		}
		d.temporalUI = "that of " + address
		d.say.line("Temporal: the server of TEMPORAL_ADDRESS, %s", address)
		return nil
	}
	bin, err := d.tools.Temporal(ctx)
	if err != nil {
		return err
	}
	port, err := d.port("Temporal", temporalPort)
	if err != nil {
		return err
	}
	ui, err := d.port("Temporal's UI", temporalUIPort)
	if err != nil {
		return err
	}
	log, err := d.openLog("temporal")
	if err != nil {
		return err
	}
	d.say.line("starting Temporal")
	server, err := devstack.StartTemporal(ctx, devstack.TemporalOptions{
		Bin:    bin,
		DBFile: d.tools.Dev("temporal.db"),
		Port:   port,
		UIPort: ui,
		Log:    log,
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	d.add("temporal", server.Process(), log)
	d.env["TEMPORAL_ADDRESS"] = server.Address()
	d.temporalUI = server.UIURL()
	d.env["TEMPORAL_UI_URL"] = d.temporalUI
	d.say.line("Temporal is up at %s, its UI at %s", server.Address(), server.UIURL())
	return nil
}

// port returns the known port, or another one, and says so.
func (d *demo) port(what string, known int) (int, error) {
	port, err := devstack.PreferredPort(known)
	if err == nil && port != known {
		d.say.line("port %d is taken: %s uses %d", known, what, port)
	}
	return port, err
}

// setup prepares the database and Temporal, and makes the first administrator.
func (d *demo) setup(ctx context.Context) error {
	d.say.line("preparing the database and Temporal: starter setup")
	_, err := d.starter(ctx, d.env.with(environ{
		"ADMIN_EMAIL":         adminEmail,
		"ADMIN_PASSWORD_FILE": d.secrets.path("admin_password"),
	}), "setup")
	return err
}

// services starts authsvc and worker.
func (d *demo) services(ctx context.Context) error {
	d.say.line("starting authsvc and worker")
	if err := d.program(ctx, "authsvc", d.env, d.publicURL+"/readyz"); err != nil {
		return err
	}
	health, err := devstack.FreePort()
	if err != nil {
		return err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(health))
	return d.program(ctx, "worker", d.env.with(environ{"METRICS_ADDR": addr}), "http://"+addr+"/readyz")
}

func (d *demo) demoEnvValues() [][2]string {
	return [][2]string{
		{"PUBLIC_URL", d.publicURL},
		{"API_TOKEN", d.token},
		{"ADMIN_EMAIL", adminEmail},
		{"ADMIN_PASSWORD", d.adminPassword},
		{"DATABASE_URL", d.env["DATABASE_URL"]},
		{"TEMPORAL_ADDRESS", d.env["TEMPORAL_ADDRESS"]},
		{"TEMPORAL_UI", d.temporalUI},
		{"SALESFORCE_URL", d.simulated.url},
	}
}

// whereToLook is what a person reads once the demo runs.
func (d *demo) whereToLook() string {
	rel := func(path string) string {
		if r, err := filepath.Rel(d.tools.Root, path); err == nil {
			return r
		}
		return path
	}
	return fmt.Sprintf(`
  Web page      %s    sign in as %s, password %s
  Temporal UI   %s
  Salesforce    %s    (the simulator; it keeps writing mail)
  Logs          %s%c
  For scripts   %s

  Ctrl-C stops all of it; the next make run goes on with the same data.
`, d.publicURL, adminEmail, d.adminPassword, d.temporalUI, d.simulated.url,
		rel(d.tools.Dev("logs")), os.PathSeparator, rel(d.tools.Dev("demo.env")))
}
