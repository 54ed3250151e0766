package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"salesforcesync/internal/fault"
)

// Node sees to it that node and npm are on PATH: tests drive the Salesforce simulator
// with a client library of Salesforce's own world, which is written for Node.
func (t *Tools) Node(ctx context.Context) error {
	return t.program(ctx, "Node.js", []string{"node", "npm"}, []string{"nodejs", "npm"})
}

// NodePackage installs a version of a package of npm's below .dev, once, and returns the folder whose
// node_modules has it. Scripts of packages are not run.
func (t *Tools) NodePackage(ctx context.Context, name, version string) (string, error) {
	if err := t.Node(ctx); err != nil {
		return "", err
	}
	dir := t.Dev("npm", name+"-"+version)
	there := func() bool {
		_, err := os.Stat(filepath.Join(dir, "node_modules", name, "package.json"))
		return err == nil
	}
	if there() {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "installing-")
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	defer os.RemoveAll(fresh)
	t.say("installing %s %s with npm, once", name, version)
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", fresh, "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", name+"@"+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fault.Wrap(fault.Unreachable, err, "npm install %s@%s: %s", name, version, out)
	}
	if err := os.Rename(fresh, dir); err != nil && !there() { // else somebody was first
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, nil
}

// Chromium sees to it that a Chromium is there, which tests of pages drive, and returns its program.
func (t *Tools) Chromium(ctx context.Context) (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	if err := t.program(ctx, "Chromium", []string{"chromium"}, []string{"chromium"}); err != nil {
		return "", err
	}
	return exec.LookPath("chromium")
}

// program sees to it that programs are on PATH, by installing packages as root
// where apt is there. Other programs that tests need get a method like Node's.
func (t *Tools) program(ctx context.Context, name string, programs, packages []string) error {
	missing := func() string {
		for _, p := range programs {
			if !onPath(p) {
				return p
			}
		}
		return ""
	}
	if missing() == "" {
		return nil
	}
	command := "apt-get install -y"
	for _, p := range packages {
		command += " " + p
	}
	if isRoot() && onPath("apt-get") {
		t.say("installing %s: %s (once, a minute or two)", name, command)
		if err := AptInstall(ctx, packages...); err != nil {
			return fault.Wrap(fault.Unreachable, err, "cannot install %s", name).WithHint("install it by hand: %s", command)
		}
	}
	if p := missing(); p != "" {
		return fault.New(fault.Config, "%s is missing: no program %s on PATH", name, p).
			WithHint("as root: %s", command)
	}
	return nil
}
