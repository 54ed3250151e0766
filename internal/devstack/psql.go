package devstack

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"salesforcesync/internal/fault"
)

// BareEnvironment is this process's environment without what configures the product or psql.
func BareEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		return value == "" || !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"}, name)
	})
}

// ClientEnvironment has psql, and other clients, talk to a database of the server ("" = the first one).
func (p *Postgres) ClientEnvironment(database string) ([]string, error) {
	u, err := url.Parse(p.URL())
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	if database == "" {
		database = strings.TrimPrefix(u.Path, "/")
	}
	password, _ := u.User.Password()
	in := p.Install()
	env := BareEnvironment()
	path := in.Bin
	for _, v := range env {
		if rest, is := strings.CutPrefix(v, "PATH="); is {
			path += string(filepath.ListSeparator) + rest
		}
	}
	env = append(env, "PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGUSER="+u.User.Username(), "PGPASSWORD="+password,
		"PGDATABASE="+database, "PGOPTIONS=-c client_min_messages=warning", "PATH="+path)
	if in.LibraryPath != "" {
		env = append(env, "LD_LIBRARY_PATH="+in.LibraryPath)
	}
	return env, nil
}

// PsqlCommand is psql on its way to a database: what it prints are bare rows, and the first error ends it. Each
// command, \copy among them, is a transaction of its own.
func (p *Postgres) PsqlCommand(ctx context.Context, database string, commands ...string) (*exec.Cmd, error) {
	env, err := p.ClientEnvironment(database)
	if err != nil {
		return nil, err
	}
	args := []string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.Install().Bin, "psql"), args...)
	cmd.Env = env
	return cmd, nil
}

// Psql runs commands of psql and returns what they print.
func (p *Postgres) Psql(ctx context.Context, database string, commands ...string) (string, error) {
	cmd, err := p.PsqlCommand(ctx, database, commands...)
	if err != nil {
		return "", err
	}
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// Program gives the path of one of PostgreSQL's programs. Installs of a bare server lack the clients, such as pg_dump.
func (in PostgresInstall) Program(name string) (string, error) {
	path := filepath.Join(in.Bin, name)
	if _, err := os.Stat(path); err != nil {
		return "", fault.Wrap(fault.NotFound, err, "PostgreSQL in %s has no %s", in.Bin, name).
			WithHint("install PostgreSQL from the package manager: apt-get install postgresql")
	}
	return path, nil
}

// Dump gives everything that is in the database of an address, as pg_dump writes it.
func (in PostgresInstall) Dump(ctx context.Context, databaseURL string) (string, error) {
	program, err := in.Program("pg_dump")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, "--dbname", databaseURL)
	cmd.Env = in.env()
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("pg_dump: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	return string(out), nil
}
