package devstack

import (
	"context"

	"salesforcesync/internal/fault"
)

// Node sees to it that node and npm are on PATH: tests drive the Salesforce simulator
// with a client library of Salesforce's own world, which is written for Node.
func (t *Tools) Node(ctx context.Context) error {
	return t.program(ctx, "Node.js", []string{"node", "npm"}, []string{"nodejs", "npm"})
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
