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
