package devstack

import (
	"errors"
	"os"
	"path/filepath"
)

// Scratch gives a program an empty folder that nobody else uses meanwhile: dir, or name below .dev
// when dir is "". What a run that was killed left there is gone. clear removes the folder and lets
// others have it. The error is a *[LockedError] when another process has it.
func (t *Tools) Scratch(dir, name string) (folder string, clear func() error, err error) {
	if dir == "" {
		dir = t.Dev(name)
	}
	if folder, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	lock, err := TryLock(folder + ".lock")
	if err != nil {
		return "", nil, err
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil { //nolint:gosec // PostgreSQL's user must get through
		lock.Unlock()
		return "", nil, err
	}
	return folder, func() error {
		defer lock.Unlock()
		return os.RemoveAll(folder)
	}, nil
}
