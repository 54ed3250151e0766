package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"salesforcesync/internal/fault"
)

// oldestPostgres is the oldest major version the product supports.
const oldestPostgres = 15

// PostgresInstall is a set of PostgreSQL server programs.
type PostgresInstall struct {
	Bin         string // the folder of postgres and initdb
	Major       int    // 15
	LibraryPath string // LD_LIBRARY_PATH that its programs need; usually ""
}

// postgresPlaces are the folders where package managers put server programs
// without putting them on PATH: Debian and Ubuntu, Fedora and RHEL (their own
// and postgresql.org's), Homebrew on both kinds of Mac and on Linux, Postgres.app.
var postgresPlaces = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// FindPostgres lists the usable servers on this machine, best first: the one on
// PATH, then the package managers', newest first, then what was unpacked below
// .dev earlier. Servers that do not start at all or are older than 15 are left out.
func (t *Tools) FindPostgres(ctx context.Context) []PostgresInstall {
	var found []PostgresInstall
	add := func(bin, libraries string) {
		in := PostgresInstall{Bin: bin, LibraryPath: libraries}
		if err := in.probe(ctx); err != nil || in.Major < oldestPostgres {
			return
		}
		if !slices.ContainsFunc(found, func(f PostgresInstall) bool { return f.Bin == in.Bin }) {
			found = append(found, in)
		}
	}
	newestFirst := func(from int) {
		slices.SortStableFunc(found[from:], func(a, b PostgresInstall) int { return b.Major - a.Major })
	}
	if !t.ownOnly {
		if path, err := exec.LookPath("postgres"); err == nil {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				add(filepath.Dir(real), "")
			}
		}
		n := len(found)
		for _, place := range postgresPlaces {
			bins, _ := filepath.Glob(place)
			for _, bin := range bins {
				add(bin, "")
			}
		}
		newestFirst(n)
	}
	n := len(found)
	bins, _ := filepath.Glob(filepath.Join(t.unpacked(), "usr/lib/postgresql/*/bin"))
	for _, bin := range bins {
		add(bin, libraryPath(t.unpacked()))
	}
	add(filepath.Join(t.embedded(), "bin"), "")
	newestFirst(n)
	return found
}

// Postgres returns server programs: the best of FindPostgres, else it installs
// some (postgres_install.go).
func (t *Tools) Postgres(ctx context.Context) (PostgresInstall, error) {
	if found := t.FindPostgres(ctx); len(found) > 0 {
		return found[0], nil
	}
	lock, err := WaitLock(ctx, t.Dev("install.lock"), func(e *LockedError) {
		t.say("waiting for process %d, which is installing", e.PID)
	})
	if err != nil {
		return PostgresInstall{}, err
	}
	defer lock.Unlock()
	if found := t.FindPostgres(ctx); len(found) > 0 {
		return found[0], nil
	}
	if err := t.installPostgres(ctx); err != nil {
		return PostgresInstall{}, err
	}
	found := t.FindPostgres(ctx)
	if len(found) == 0 {
		return PostgresInstall{}, fault.New(fault.Unreachable,
			"PostgreSQL %d or later was installed, but no server program that starts is found", oldestPostgres).
			WithHint("%s", postgresHint)
	}
	return found[0], nil
}

// PostgresFor returns server programs that can open the cluster in dir: of its
// major version when there is a cluster, else what Postgres returns.
func (t *Tools) PostgresFor(ctx context.Context, dir string) (PostgresInstall, error) {
	major, err := clusterMajor(dir)
	if err != nil {
		return PostgresInstall{}, err
	}
	if major == 0 {
		return t.Postgres(ctx)
	}
	found := t.FindPostgres(ctx)
	for _, in := range found {
		if in.Major == major {
			return in, nil
		}
	}
	if len(found) == 0 {
		in, err := t.Postgres(ctx)
		if err != nil || in.Major == major {
			return in, err
		}
		found = append(found, in)
	}
	return PostgresInstall{}, fault.New(fault.Conflict,
		"the database in %s was made by PostgreSQL %d, but only version %d is found", dir, major, found[0].Major).
		WithHint("install PostgreSQL %d, or remove %s to start anew", major, dir)
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe runs the server for its version, which shows too that its libraries are
// there.
func (in *PostgresInstall) probe(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(in.Bin, "initdb")); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(in.Bin, "postgres"), "--version")
	cmd.Env = in.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s --version: %w: %s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	m := postgresVersion.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("run %s --version: %q names no version", cmd.Path, out)
	}
	in.Major, err = strconv.Atoi(string(m[1]))
	return err
}

// env is the whole environment of its programs: nothing of the caller's PG*
// variables may reach them.
func (in *PostgresInstall) env() []string {
	env := []string{"PATH=" + in.Bin + ":/usr/bin:/bin", "LC_ALL=C", "HOME=/nonexistent"}
	if in.LibraryPath != "" {
		env = append(env, "LD_LIBRARY_PATH="+in.LibraryPath)
	}
	return env
}
