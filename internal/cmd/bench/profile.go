package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// profiler goes into the worker of a profiled run only, laid over its package while it is
// built: the shipped program has no such thing. It writes a CPU profile from one SIGUSR1
// to the next.
const profiler = `package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

var benchProfile string

func init() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			f, err := os.Create(benchProfile)
			if err != nil {
				panic(err)
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				panic(err)
			}
			<-asked
			pprof.StopCPUProfile()
			if err := f.Close(); err != nil {
				panic(err)
			}
		}
	}()
}
`

// overlay writes what is laid over the sources while a program is built, and returns the
// arguments of go build. Keys are paths below the repository.
func (g *ground) overlay(name string, files map[string]string) ([]string, error) {
	replace := map[string]string{}
	for path, text := range files {
		with := filepath.Join(g.folder, name+"-"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(with, []byte(text), 0o600); err != nil {
			return nil, err
		}
		replace[filepath.Join(g.tools.Root, path)] = with
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(g.folder, name+".json")
	return []string{"-overlay", file}, os.WriteFile(file, b, 0o600)
}

// buildProfiled builds the worker with the profiler.
func (g *ground) buildProfiled(ctx context.Context) error {
	var err error
	if g.profile, err = filepath.Abs(g.profile); err != nil {
		return err
	}
	if err := os.MkdirAll(g.profile, 0o755); err != nil {
		return err
	}
	args, err := g.overlay("profiled", map[string]string{"worker/bench_profile.go": profiler})
	if err != nil {
		return err
	}
	return g.build(ctx, append(args, "-ldflags", "-X main.benchProfile="+g.profileFile()), "./worker")
}

func (g *ground) profileFile() string { return filepath.Join(g.profile, "worker.pprof") }

// profiling begins or ends the profile of a load; the end prints what it says.
func (i *install) profiling(ctx context.Context, begin bool) error {
	if i.profile == "" {
		return nil
	}
	if begin {
		if _, err := i.sql(ctx, i.name, "create extension if not exists pg_stat_statements", "select pg_stat_statements_reset()"); err != nil {
			return err
		}
		_ = os.Remove(i.profileFile())
		return syscall.Kill(i.worker.PID(), syscall.SIGUSR1)
	}
	if err := syscall.Kill(i.worker.PID(), syscall.SIGUSR1); err != nil {
		return err
	}
	time.Sleep(time.Second) // until the profile is written
	statements, err := i.sql(ctx, i.name, `
		-- Statements on a session's temporary tables are others in every session.
		select format('| %s | %s | %s |', sum(calls), round((sum(total_exec_time) / 1000)::numeric, 1), left(regexp_replace(min(query), '\s+', ' ', 'g'), 110))
		  from pg_stat_statements group by left(regexp_replace(query, '\s+', ' ', 'g'), 110)
		having sum(total_exec_time) > 200 order by sum(total_exec_time) desc limit 16`)
	if err != nil {
		return err
	}
	fmt.Fprintf(i.out, "\nStatements of the first load (calls, seconds):\n%s\n", statements)
	for _, order := range []string{"-flat", "-cum"} {
		out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", order, "-nodecount=45", i.profileFile()).CombinedOutput()
		if err != nil {
			return fmt.Errorf("go tool pprof: %w\n%s", err, out)
		}
		fmt.Fprintf(i.out, "\nThe worker's CPU, %s:\n%s", strings.TrimPrefix(order, "-"), out)
	}
	return nil
}
