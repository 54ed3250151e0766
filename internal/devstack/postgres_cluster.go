package devstack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"salesforcesync/internal/fault"
)

// cluster is one PostgreSQL data folder with what is needed to run a server on
// it. In its folder lie the superuser's password (0600) and, where another user can
// reach it, the data.
type cluster struct {
	dir        string              // the folder that was asked for
	data       string              // PGDATA
	credential *syscall.Credential // who the server runs as; nil = we ourselves
	password   string
}

// openCluster opens or makes the cluster in dir. A new one is made under another
// name and then renamed, so that a broken attempt is never taken for a cluster.
func openCluster(ctx context.Context, dir string, o PostgresOptions) (*cluster, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the data folder below it is 0700
		return nil, fmt.Errorf("make the database folder: %w", err)
	}
	c := &cluster{dir: dir}
	var err error
	if c.credential, err = serverUser(); err != nil {
		return nil, err
	}
	place, err := c.place()
	if err != nil {
		return nil, err
	}
	c.data = filepath.Join(place, "data")
	if c.password, err = passwordIn(dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.data, "PG_VERSION")); err == nil {
		return c, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fault.Wrap(fault.Conflict, err, "cannot read the database folder %s", c.data).
			WithHint("it belongs to another user: run as that user, or remove it to start anew")
	}
	if err := c.init(ctx, o); err != nil {
		return nil, err
	}
	return c, nil
}

// serverUser says who a server runs as: PostgreSQL refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	if !isRoot() {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fault.New(fault.Config, "PostgreSQL does not run as root, and this machine has no user postgres or nobody").
		WithHint("add one: useradd --system postgres")
}

// place returns the folder that holds the data folder: the cluster's own, or,
// when the server's user cannot get there (a repository below /root), one of root's
// below /var/tmp, to which a link in the cluster's own folder leads.
func (c *cluster) place() (string, error) {
	if c.credential == nil || traversable(c.dir, c.credential.Uid) {
		return c.dir, nil
	}
	place := awayPlace(c.dir)
	target, err := os.Readlink(filepath.Join(c.dir, "data"))
	if err == nil {
		place = filepath.Dir(target)
	}
	info, statErr := os.Lstat(place)
	if statErr == nil {
		// Anybody may write to /var/tmp: what lies there under this name must be ours.
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || st.Uid != 0 {
			return "", fault.New(fault.Conflict, "%s is not a folder of root's", place).WithHint("remove it")
		}
		if err == nil {
			return place, nil
		}
		// Data without a link is that of a cluster whose folder was removed.
		if err := os.RemoveAll(place); err != nil {
			return "", fmt.Errorf("remove the data of a cluster that is gone: %w", err)
		}
	}
	if err := os.Mkdir(place, 0o711); err != nil { //nolint:gosec // to be passed through, not read
		return "", fmt.Errorf("make a database folder that the server can reach: %w", err)
	}
	return place, nil
}

func awayPlace(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/var/tmp", "salesforcesync-"+hex.EncodeToString(sum[:6]))
}

// traversable reports whether a user can pass through dir and all folders above it.
func traversable(dir string, uid uint32) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		mine := st.Uid == uid && info.Mode().Perm()&0o100 != 0
		if !mine && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

// clusterMajor returns the version that made the cluster in dir, 0 when there is none.
func clusterMajor(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "data", "PG_VERSION"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case errors.Is(err, os.ErrPermission):
		return 0, fault.Wrap(fault.Conflict, err, "cannot read the database folder %s", dir).
			WithHint("it belongs to another user: run as that user, or remove it to start anew")
	case err != nil:
		return 0, fmt.Errorf("read the version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read the version of the cluster in %s: %w", dir, err)
	}
	return major, nil
}

// passwordIn returns the superuser's password, made once.
func passwordIn(dir string) (string, error) {
	path := filepath.Join(dir, "password")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the database password: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("keep the database password: %w", err)
	}
	return password, nil
}

// init makes the cluster and its database.
func (c *cluster) init(ctx context.Context, o PostgresOptions) error {
	fresh := c.data + ".new"
	pwfile := c.data + ".pw"
	defer os.Remove(pwfile)
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if err := os.WriteFile(pwfile, []byte(c.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if c.credential != nil {
		for _, path := range []string{fresh, pwfile} {
			if err := os.Chown(path, int(c.credential.Uid), int(c.credential.Gid)); err != nil {
				return fmt.Errorf("give the database to the server's user: %w", err)
			}
		}
	}
	args := []string{
		"-D", fresh, "-U", superuser, "--pwfile", pwfile, "-E", "UTF8", "-A", "scram-sha-256",
	}
	if !o.Durable {
		args = append(args, "--no-sync")
	}
	// C.UTF-8 sorts bytewise and still knows the letters of all scripts; not every system has it.
	err := c.exec(ctx, o.Install, fresh, "", "initdb", append(args, "--locale=C.UTF-8")...)
	if err != nil && strings.Contains(err.Error(), "locale") {
		err = c.exec(ctx, o.Install, fresh, "", "initdb", append(args, "--locale=C")...)
	}
	if err != nil {
		return err
	}
	if o.Database != superuser {
		// A server for one user on standard input, as initdb itself uses it: so no driver is needed here.
		sql := fmt.Sprintf("CREATE DATABASE %q;\n", o.Database)
		if err := c.exec(ctx, o.Install, fresh, sql, "postgres", "--single", "-j", "-D", fresh, "postgres"); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if filepath.Dir(c.data) != c.dir {
		if err := os.Symlink(c.data, filepath.Join(c.dir, "data")); err != nil {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	return nil
}

// exec runs one of PostgreSQL's programs to its end as the server's user.
func (c *cluster) exec(ctx context.Context, in PostgresInstall, dir, stdin, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(in.Bin, program), args...)
	cmd.Env = in.env()
	cmd.Dir = dir
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.credential}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make the database: run %s: %w:\n%s", program, err, strings.TrimSpace(out.lines(8)))
	}
	if said := out.lines(8); strings.Contains(said, "ERROR:") {
		return fmt.Errorf("make the database: %s says: %s", program, said)
	}
	return nil
}

// erase removes the cluster.
func (c *cluster) erase() error {
	err := os.RemoveAll(c.dir)
	if place := filepath.Dir(c.data); place != c.dir {
		err = errors.Join(err, os.RemoveAll(place))
	}
	return err
}
