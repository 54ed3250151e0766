package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	if _, err := tools.Chromium(ctx); err != nil {
		return err
	}
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
	runs, err := testRuns(tools.Root, args, hasRace(ctx, tools.Root))
	if err != nil {
		return err
	}
	for _, flags := range runs {
		if err := goTest(ctx, tools, tests, flags, r, say); err != nil {
			return err
		}
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

// plainTests are run without the race detector when everything is. Under it they take several
// times as long, and it would find nothing in them: they ask how time grows with the input
// (…InLinearTime), or do once more, with other numbers, what others do under it (TestPlain…).
const plainTests = `^TestPlain|InLinearTime$`

// plainPackages are run without it as a whole, those that take longest first: what is begun last
// should be short, or one core waits for the other. They are pure, or start programs and look at them
// from outside, or are raced by what stands above them: poll by soak and worker, simforce by all.
var plainPackages = []string{
	"./internal/e2e", "./internal/poll", "./starter", "./internal/chaos", "./internal/deploy", "./internal/clean", "./internal/simforce", "./internal/simforce/proof",
	"./internal/cmd/bench", "./internal/cmd/benchidle", "./internal/cmd/cursorrules", "./internal/transform", "./internal/imports", "./internal/docs", "./internal/catalogue", "./internal/csv", "./internal/soql",
}

// longest are the packages under the race detector that take longest.
var longest = []string{"./internal/soak", "./internal/web", "./internal/api", "./internal/store"}

// testRuns gives the arguments of go for each go test that must run. There is one for the
// arguments of a person, and for everything there are three where there is a race detector.
func testRuns(root string, args []string, race bool) ([][]string, error) {
	flags := []string{"test", "-json", "-p", "2", "-timeout", "20m", "-shuffle", "on"}
	if len(args) > 0 {
		if race && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-race") }) {
			flags = append(flags, "-race")
		}
		flags = append(flags, args...)
		if !slices.ContainsFunc(args, isPackage) {
			flags = append(flags, "./...")
		}
		return [][]string{flags}, nil
	}
	flags = append(flags, "-vet", "off") // it was one of the checks
	if !race {
		return [][]string{slices.Concat(flags, plainPackages, longest, []string{"./..."})}, nil
	}
	all, err := packagesOf(root, "^Test")
	if err != nil {
		return nil, err
	}
	some, err := packagesOf(root, plainTests)
	if err != nil {
		return nil, err
	}
	isPlain := func(dir string) bool { return slices.Contains(plainPackages, dir) }
	first := func(dir string) bool { return slices.Contains(longest, dir) }
	return [][]string{
		slices.Concat(flags, []string{"-run", plainTests}, slices.DeleteFunc(some, isPlain)),
		slices.Concat(flags, plainPackages),
		slices.Concat(flags, []string{"-race", "-skip", plainTests}, longest,
			slices.DeleteFunc(all, func(dir string) bool { return isPlain(dir) || first(dir) })),
	}, nil
}

// packagesOf lists the folders that hold a test whose name matches.
func packagesOf(root, name string) ([]string, error) {
	matches := regexp.MustCompile(name)
	var found []string
	for _, folder := range goFolders(root) {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, test := range testFunction.FindAllSubmatch(text, -1) {
				if matches.Match(test[1]) {
					dir, err := filepath.Rel(root, filepath.Dir(path))
					found = append(found, "./"+filepath.ToSlash(dir))
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for tests named %s: %w", name, err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w*)\(`)

// goTest runs go test and feeds the report. A failing test is no error here: the report knows.
func goTest(ctx context.Context, tools *devstack.Tools, env environ, flags []string, r *testReport, say *printer) error {
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
