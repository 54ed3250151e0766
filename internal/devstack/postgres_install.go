package devstack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"salesforcesync/internal/fault"
)

const postgresHint = "install it (Debian, Ubuntu: apt-get install -y postgresql · Fedora: dnf install -y postgresql-server · " +
	"Alpine: apk add postgresql · macOS: brew install postgresql@17) or set DATABASE_URL to a server of yours"

// unpacked is where packages are unpacked that cannot be installed without root.
func (t *Tools) unpacked() string { return t.Dev("pg") }

// embedded is where the prebuilt server of embedded-postgres is unpacked.
func (t *Tools) embedded() string { return t.Dev("pg-embedded") }

// installPostgres gets a server by the best way this user has.
func (t *Tools) installPostgres(ctx context.Context) error {
	switch {
	case onPath("apt-get") && isRoot() && !t.ownOnly:
		return t.aptInstallPostgres(ctx)
	case isRoot() && !t.ownOnly:
		// Other package managers: what they would change is for the owner of the machine to say.
		return fault.New(fault.Unreachable, "no PostgreSQL %d or later on this machine", oldestPostgres).WithHint("%s", postgresHint)
	}
	var aptErr error
	if onPath("apt-get") && onPath("dpkg-deb") {
		if aptErr = t.aptUnpackPostgres(ctx); aptErr == nil {
			return nil
		}
		if ctx.Err() != nil {
			return aptErr
		}
		t.say("that did not work (%v); trying a prebuilt server instead", aptErr)
	}
	if isRoot() {
		return aptErr
	}
	if err := t.fetchEmbedded(ctx); err != nil {
		return fault.Wrap(fault.Unreachable, errors.Join(aptErr, err),
			"no PostgreSQL %d or later on this machine, and none could be fetched without root", oldestPostgres).
			WithHint("%s", postgresHint)
	}
	return nil
}

// createClusterConf is Debian's switch for the cluster that its package makes
// and starts on port 5432 when it is installed.
const createClusterConf = "/etc/postgresql-common/createcluster.conf"

func (t *Tools) aptInstallPostgres(ctx context.Context) error {
	t.say("installing PostgreSQL: apt-get install postgresql (once, about a minute)")
	if _, err := os.Stat(createClusterConf); errors.Is(err, os.ErrNotExist) {
		// The programs are wanted, not one more server on the machine.
		if err := os.MkdirAll(filepath.Dir(createClusterConf), 0o755); err != nil { //nolint:gosec // as the package makes it
			return fmt.Errorf("keep the package from starting a server: %w", err)
		}
		text := "# Written before the package was installed by a development stack that starts servers of its own.\ncreate_main_cluster = false\n"
		if err := os.WriteFile(createClusterConf, []byte(text), 0o644); err != nil { //nolint:gosec // read by all
			return fmt.Errorf("keep the package from starting a server: %w", err)
		}
	}
	return AptInstall(ctx, "postgresql")
}

// AptInstall installs Debian packages. It needs root.
func AptInstall(ctx context.Context, packages ...string) error {
	if _, err := run(ctx, "", aptEnv(), "apt-get", "update"); err != nil {
		return err
	}
	args := append([]string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"}, packages...)
	_, err := run(ctx, "", aptEnv(), "apt-get", args...)
	return err
}

func aptEnv() []string {
	return append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1", "LC_ALL=C")
}

// aptUnpackPostgres downloads the server's packages and those libraries of theirs that
// the machine lacks, and unpacks them below .dev. Nothing is installed and
// nothing needs root: apt works on lists and a cache of its own here.
func (t *Tools) aptUnpackPostgres(ctx context.Context) error {
	t.say("fetching PostgreSQL without root: packages unpacked in %s (once, about a minute)", t.unpacked())
	work := t.Dev("apt")
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, dir := range []string{"lists/partial", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil { //nolint:gosec // packages are no secret
			return err
		}
	}
	options := []string{
		"-o", "Dir::State::Lists=" + filepath.Join(work, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(work, "cache"),
		"-o", "Debug::NoLocking=1",
		"-o", "APT::Sandbox::User=", // no other user may write here, and none is needed
	}
	apt := func(program string, args ...string) ([]byte, error) {
		return run(ctx, filepath.Join(work, "debs"), aptEnv(), program, append(slices.Clone(options), args...)...)
	}
	if _, err := apt("apt-get", "update"); err != nil {
		return err
	}
	out, err := apt("apt-cache", "depends", "--no-recommends", "--no-suggests", "postgresql")
	if err != nil {
		return err
	}
	server, err := serverPackage(out)
	if err != nil {
		return err
	}
	out, err = apt("apt-get", "install", "--simulate", "--no-install-recommends", server)
	if err != nil {
		return err
	}
	packages := append([]string{server, strings.Replace(server, "postgresql-", "postgresql-client-", 1)}, missingLibraries(out)...)
	if _, err := apt("apt-get", append([]string{"download"}, packages...)...); err != nil {
		return err
	}

	debs, err := filepath.Glob(filepath.Join(work, "debs", "*.deb"))
	if err != nil || len(debs) == 0 {
		return fmt.Errorf("unpack PostgreSQL: apt-get download left no package (%w)", err)
	}
	fresh := t.unpacked() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := run(ctx, "", nil, "dpkg-deb", "-x", deb, fresh); err != nil {
			return err
		}
	}
	bins, _ := filepath.Glob(filepath.Join(fresh, "usr/lib/postgresql/*/bin"))
	if len(bins) != 1 {
		return fmt.Errorf("unpack PostgreSQL: package %s has %d server folders", server, len(bins))
	}
	in := PostgresInstall{Bin: bins[0], LibraryPath: libraryPath(fresh)}
	if err := in.probe(ctx); err != nil {
		return fmt.Errorf("unpack PostgreSQL from %d packages: %w", len(debs), err)
	}
	if err := os.RemoveAll(t.unpacked()); err != nil {
		return err
	}
	return os.Rename(fresh, t.unpacked())
}

var dependsOnServer = regexp.MustCompile(`(?m)^\s*\|?Depends: (postgresql-\d+)$`)

// serverPackage reads from "apt-cache depends postgresql" which version it stands for.
func serverPackage(depends []byte) (string, error) {
	m := dependsOnServer.FindSubmatch(depends)
	if m == nil {
		return "", errors.New("find PostgreSQL's package: package postgresql does not depend on a postgresql-NN")
	}
	return string(m[1]), nil
}

// missingLibraries reads from apt's simulation which libraries the machine lacks.
// The compiler for queries is left out: it is large, and only an accelerator.
func missingLibraries(simulation []byte) []string {
	var libs []string
	lines := bufio.NewScanner(bytes.NewReader(simulation))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "Inst" || !strings.HasPrefix(f[1], "lib") ||
			strings.HasPrefix(f[1], "libllvm") || strings.HasSuffix(f[1], "-perl") || strings.HasPrefix(f[1], "libperl") {
			continue
		}
		libs = append(libs, f[1])
	}
	return libs
}

// libraryPath lists the library folders below a tree of unpacked packages.
func libraryPath(root string) string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib", "lib"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		dirs = append(dirs, found...)
	}
	return strings.Join(dirs, ":")
}

// fetchEmbedded has embedded-postgres download its prebuilt server: it can only do that by
// starting one, which is stopped at once.
func (t *Tools) fetchEmbedded(ctx context.Context) error {
	t.say("fetching a prebuilt PostgreSQL (github.com/fergusstrange/embedded-postgres; once, about a minute)")
	tmp, err := os.MkdirTemp("", "salesforcesync-pg-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	port, err := FreePort()
	if err != nil {
		return err
	}
	var log bytes.Buffer
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Port(uint32(port)).
		BinariesPath(t.embedded()).
		CachePath(filepath.Join(tmp, "cache")).
		RuntimePath(filepath.Join(tmp, "run")).
		DataPath(filepath.Join(tmp, "data")).
		StartTimeout(time.Minute).
		Logger(io.Writer(&log)))
	done := make(chan error, 1)
	go func() {
		err := server.Start()
		if err == nil {
			err = server.Stop()
		}
		done <- err
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		if err != nil {
			return fmt.Errorf("fetch embedded-postgres: %w", err)
		}
		return nil
	}
}

// run runs a program to its end and returns what it wrote to standard output; an error has the
// end of what it wrote to standard error.
func run(ctx context.Context, dir string, env []string, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = env
	var stdout bytes.Buffer
	var stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		words := strings.TrimSpace(stderr.lines(8))
		if words == "" {
			return nil, fmt.Errorf("run %s: %w", strings.Join(cmd.Args, " "), err)
		}
		return nil, fmt.Errorf("run %s: %w: %s", strings.Join(cmd.Args, " "), err, words)
	}
	return stdout.Bytes(), nil
}
