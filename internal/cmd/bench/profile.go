package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"salesforcesync/internal/meter"
)

// buildProfiled builds the worker with the profiler.
func (g *ground) buildProfiled(ctx context.Context) error {
	var err error
	if g.profile, err = filepath.Abs(g.profile); err != nil {
		return err
	}
	if err := os.MkdirAll(g.profile, 0o755); err != nil {
		return err
	}
	args, err := meter.Profiled(g.tools.Root, g.folder, g.profileFile())
	if err != nil {
		return err
	}
	return g.build(ctx, args, "./worker")
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
