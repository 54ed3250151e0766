package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"context"
)

// Lock is a lock between processes on one file. The kernel lets go of it when
// its owner dies, however it dies, so there are no stale locks.
type Lock struct{ file *os.File }

// LockedError says that another process has the lock.
type LockedError struct {
	Path string
	PID  int // 0 when the owner has not written it yet
}

// Error names the owner.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Path)
	}
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// TryLock takes the lock on path, which it creates, and writes this process's
// id into it. It returns a *[LockedError] when another process has it.
func TryLock(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the folder is no secret
		return nil, fmt.Errorf("make the folder of lock %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // holds a process id
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(path)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			pid, _ := strconv.Atoi(strings.TrimSpace(string(owner)))
			return nil, &LockedError{Path: path, PID: pid}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for people: the lock holds without it
	}
	return &Lock{file: f}, nil
}

// WaitLock takes the lock on path as soon as its owner lets go of it. waiting,
// when not nil, is called once if there is a wait.
func WaitLock(ctx context.Context, path string, waiting func(*LockedError)) (*Lock, error) {
	for {
		lock, err := TryLock(path)
		var taken *LockedError
		if !errors.As(err, &taken) {
			return lock, err
		}
		if waiting != nil {
			waiting(taken)
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Unlock lets go of the lock. The file stays: removing it would let two
// processes lock two files of one name.
func (l *Lock) Unlock() {
	_ = l.file.Truncate(0)
	_ = l.file.Close()
}
