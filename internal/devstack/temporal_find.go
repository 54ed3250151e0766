package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

// The Temporal program is built from a module of its own, so that the several
// hundred modules of a Temporal server stay out of ours. v1.5.1 is the newest
// release that can be built so: later ones depend on a module that is not published.
const (
	temporalPackage = "github.com/temporalio/cli/cmd/temporal"
	temporalVersion = "1.5.1"
)

// Temporal returns the temporal program: the one on PATH when it has the flags
// needed here, else .dev/bin/temporal, which is built when it is not there.
func (t *Tools) Temporal(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("temporal"); err == nil {
		help, err := exec.CommandContext(ctx, path, "server", "start-dev", "--help").CombinedOutput()
		if err == nil && strings.Contains(string(help), "--sqlite-pragma") {
			return filepath.Abs(path)
		}
		t.say("leaving %s aside: it is too old", path)
	}
	built := t.Dev("bin", "temporal")
	if isProgram(built) {
		return built, nil
	}
	lock, err := WaitLock(ctx, t.Dev("temporal.lock"), func(e *LockedError) {
		t.say("waiting for process %d, which is building the Temporal server", e.PID)
	})
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if isProgram(built) {
		return built, nil
	}
	t.say("building the Temporal server once (about 2 to 6 minutes)")
	start := time.Now()
	if err := t.buildTemporal(ctx, built); err != nil {
		return "", fault.Wrap(fault.Unreachable, err, "cannot build the Temporal server").
			WithHint("the build needs the Go module proxy; or put a temporal program on PATH, or set TEMPORAL_ADDRESS to a server of yours")
	}
	t.say("built %s in %s", built, time.Since(start).Round(time.Second))
	return built, nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o100 != 0
}

func (t *Tools) buildTemporal(ctx context.Context, to string) error {
	module := filepath.Join(t.Root, "internal", "tools", "temporal")
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err != nil {
		return fmt.Errorf("find the module of the Temporal program: %w", err)
	}
	fresh := to + ".new"
	// Pure Go, so that a machine with and one without a C compiler build the same.
	env := append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	_, err := run(ctx, module, env, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/temporalio/cli/temporalcli.Version="+temporalVersion,
		"-o", fresh, temporalPackage)
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	return os.Rename(fresh, to)
}
