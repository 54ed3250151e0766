package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
)

// testsFailedError says that the closing line has told what failed.
type testsFailedError struct{ failed, skipped int }

func (e *testsFailedError) Error() string {
	return fmt.Sprintf("%d failed, %d skipped", e.failed, e.skipped)
}

// runTests runs the checks and all tests, or, with arguments, `go test` with
// them. Tests get their servers by variables:
//
//	TEST_DATABASE_URL      superuser URL; a test makes a database of its own on it
//	TEST_TEMPORAL_ADDRESS  a server without a file; a test uses ids and queues of its own
//	TEST_TEMPORAL_BIN      the temporal program, for tests that need a server to kill
//	MAIL_DIR               real mails, absolute; unset when there are none
//
// A line that a passing test logs with "measured:" in it is printed.
func runTests(ctx context.Context, tools *devstack.Tools, env environ, args []string, say *printer) error {
	if err := tools.Node(ctx); err != nil {
		if env["CI"] == "true" || ctx.Err() != nil {
			return err
		}
		say.line("%v (%s); tests that need it are skipped", err, fault.HintOf(err))
	}
	install, err := tools.Postgres(ctx)
	if err != nil {
		return err
	}
	temporal, err := tools.Temporal(ctx)
	if err != nil {
		return err
	}
	tests := env.withoutProduct().with(environ{"TEST_TEMPORAL_BIN": temporal})
	if dir := mailDir(tools, env); dir != "" {
		tests["MAIL_DIR"] = dir
	} else {
		delete(tests, "MAIL_DIR")
	}

	if url := env["DATABASE_URL"]; url != "" {
		say.line("PostgreSQL: the server of DATABASE_URL; tests make databases of their own on it")
		tests["TEST_DATABASE_URL"] = url
	} else {
		pg, err := devstack.StartPostgres(ctx, devstack.PostgresOptions{Install: install})
		if err != nil {
			return err
		}
		defer func() {
			if err := pg.Remove(); err != nil {
				say.line("%v", err)
			}
		}()
		say.line("PostgreSQL %d on port %d, thrown away afterwards", install.Major, pg.Port())
		tests["TEST_DATABASE_URL"] = pg.URL()
	}
	if address := env["TEMPORAL_ADDRESS"]; address != "" {
		say.line("Temporal: the server of TEMPORAL_ADDRESS, %s", address)
		tests["TEST_TEMPORAL_ADDRESS"] = address
	} else {
		server, err := devstack.StartTemporal(ctx, devstack.TemporalOptions{Bin: temporal})
		if err != nil {
			return err
		}
		defer func() {
			if err := server.Stop(); err != nil {
				say.line("%v", err)
			}
		}()
		say.line("Temporal at %s, in memory", server.Address())
		tests["TEST_TEMPORAL_ADDRESS"] = server.Address()
	}

	r := newTestReport(say, slices.Contains(args, "-v"))
	if len(args) == 0 {
		if err := runChecks(ctx, tools, r, say); err != nil {
			return err
		}
	}
	if err := goTest(ctx, tools, tests, args, r, say); err != nil {
		return err
	}
	return r.close(env["CI"] == "true")
}

// mailDir returns the folder of real mails, "" when there is none.
func mailDir(tools *devstack.Tools, env environ) string {
	dir := env["MAIL_DIR"]
	if dir == "" {
		dir = filepath.Join("..", "shared", "data", "mail")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(tools.Root, dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// workflowcheckConfig says what workflowcheck must not look into.
const workflowcheckConfig = "workflows/workflowcheck.yaml"

// runChecks runs what needs no server. A check that complains counts as one failure.
func runChecks(ctx context.Context, tools *devstack.Tools, r *testReport, say *printer) error {
	type check struct {
		name string
		args []string
	}
	checks := []check{
		{"gofmt", append([]string{"gofmt", "-l"}, goFolders(tools.Root)...)},
		{"go vet", []string{"go", "vet", "./..."}},
	}
	if _, err := os.Stat(filepath.Join(tools.Root, "workflows")); err == nil {
		checks = append(checks, check{"workflowcheck",
			[]string{"go", "tool", "workflowcheck", "-config", workflowcheckConfig, "./workflows/..."}})
	}
	for _, c := range checks {
		start := time.Now()
		cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
		cmd.Dir = tools.Root
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return fmt.Errorf("run %s: %w", c.name, ctx.Err())
		}
		if err == nil && c.name == "gofmt" && len(out) > 0 {
			err = errors.New("these files are not formatted (make fmt)")
		}
		if err != nil {
			r.checkFailed(c.name, err, string(out))
			continue
		}
		say.line("%s: ok (%.1fs)", c.name, time.Since(start).Seconds())
	}
	return nil
}

// goFolders lists what at the root may hold Go files; hidden folders and others' modules do not.
func goFolders(root string) []string {
	var folders []string
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), name == "node_modules", name == "bin":
		case e.IsDir(), strings.HasSuffix(name, ".go"):
			folders = append(folders, name)
		}
	}
	return folders
}

// goTest runs go test and feeds the report. A failing test is no error here: the report knows.
func goTest(ctx context.Context, tools *devstack.Tools, env environ, args []string, r *testReport, say *printer) error {
	flags := []string{"test", "-json", "-p", "2", "-timeout", "20m", "-shuffle", "on"}
	race := !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-race") }) && hasRace(ctx, tools.Root)
	if race {
		flags = append(flags, "-race")
	}
	flags = append(flags, args...)
	if !slices.ContainsFunc(args, isPackage) {
		flags = append(flags, "./...")
	}
	say.line("go %s", strings.Join(flags, " "))
	proc, err := devstack.StartProcess(devstack.ProcessOptions{
		Name: "go test",
		Path: "go",
		Args: flags,
		Env:  env.list(),
		Dir:  tools.Root,
		Log:  r,
	})
	if err != nil {
		return err
	}
	select {
	case <-proc.Done():
		r.end(proc.Err())
		return nil
	case <-ctx.Done():
		_ = proc.Stop() // the reason to stop is the one to tell
		return fmt.Errorf("run go test: %w", context.Cause(ctx))
	}
}

// isPackage tells package arguments of go test from flags and their values.
func isPackage(arg string) bool {
	return arg == "." || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "salesforcesync/")
}

// hasRace reports whether the race detector can be used: it needs cgo and a C compiler,
// which a machine that only has Go lacks.
func hasRace(ctx context.Context, root string) bool {
	cmd := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED", "CC")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return false
	}
	f := strings.Fields(string(out))
	if len(f) < 2 || f[0] != "1" {
		return false
	}
	_, err = exec.LookPath(f[1])
	return err == nil
}
