package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tools finds the programs the stack consists of and installs what is missing.
type Tools struct {
	// Root is the repository's root.
	Root string
	// Say gets one line for every step that takes long; nil = silence.
	Say func(format string, args ...any)

	// ownOnly leaves the PostgreSQL of the machine aside, so that tests can walk the
	// path of a machine that has none.
	ownOnly bool
}

// Here returns the tools of the module that the working folder is in, the way
// tests need it.
func Here() (*Tools, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the repository: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module salesforcesync\n") {
			return &Tools{Root: dir}, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("find the repository: %w", err)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, errors.New("find the repository: no go.mod of module salesforcesync in this folder or above it")
		}
		dir = up
	}
}

// Dev returns the folder for everything that is made here and not committed,
// or a path below it.
func (t *Tools) Dev(elem ...string) string {
	return filepath.Join(append([]string{t.Root, ".dev"}, elem...)...)
}

func (t *Tools) say(format string, args ...any) {
	if t.Say != nil {
		t.Say(format, args...)
	}
}

// onPath reports whether a program is on PATH.
func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func isRoot() bool { return os.Geteuid() == 0 }
