package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
)

// stack is everything `make run` has running, in the order of its start.
type stack struct {
	tools *devstack.Tools
	say   *printer
	died  context.CancelCauseFunc // called with what ended unasked

	mu       sync.Mutex
	running  []running
	stopping bool
}

type running struct {
	name string
	stop func() error
	log  io.Closer
}

// add takes charge of a started process. When it ends unasked, the whole stack ends.
func (s *stack) add(name string, proc *devstack.Process, log io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, running{name: name, stop: proc.Stop, log: log})
	go func() {
		<-proc.Done()
		s.mu.Lock()
		unasked := !s.stopping
		s.mu.Unlock()
		if unasked {
			s.died(fault.Wrap(fault.Unreachable, proc.Ended(), "stopping everything").
				WithHint("its whole log is %s", s.logPath(name)))
		}
	}()
}

// stop ends everything, last started first.
func (s *stack) stop() {
	s.mu.Lock()
	s.stopping = true
	list := s.running
	s.running = nil
	s.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		if err := list[i].stop(); err != nil {
			s.say.line("%v", err)
		}
		_ = list[i].log.Close()
	}
}

func (s *stack) logPath(name string) string { return s.tools.Dev("logs", name+".log") }

// openLog opens a service's log anew and keeps the one of the run before as NAME.log.old.
func (s *stack) openLog(name string) (*os.File, error) {
	path := s.logPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	return f, nil
}

// program starts one of our programs and waits until its address answers ready.
func (s *stack) program(ctx context.Context, name string, env environ, readyURL string, args ...string) error {
	log, err := s.openLog(name)
	if err != nil {
		return err
	}
	proc, err := devstack.StartProcess(devstack.ProcessOptions{
		Name: name,
		Path: s.tools.Dev("bin", name),
		Args: args,
		Env:  env.list(),
		Dir:  s.tools.Root,
		Log:  log,
		// Longer than the 30 s in which a program ends its work in hand.
		StopTimeout: 35 * time.Second,
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	s.add(name, proc, log)
	return s.waitURL(ctx, name, readyURL)
}

// waitURL waits until url answers 200 and says after a while that it waits.
func (s *stack) waitURL(ctx context.Context, name, url string) error {
	const patience, limit = 5 * time.Second, 2 * time.Minute
	start, said := time.Now(), false
	for {
		err := callJSON(ctx, http.MethodGet, url, "", nil, nil)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch waited := time.Since(start); {
		case waited > limit:
			return fault.Wrap(fault.Unreachable, err, "%s is not ready after %s", name, limit).
				WithHint("its log is %s", s.logPath(name))
		case waited > patience && !said:
			s.say.line("waiting for %s: %v", name, err)
			said = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// starter runs the operator's program and returns what it wrote to standard output. Its talk
// goes to a log of its own; an error has the end of that talk.
func (s *stack) starter(ctx context.Context, env environ, args ...string) (string, error) {
	log, err := os.OpenFile(s.logPath("starter"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("open the log of starter: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, s.tools.Dev("bin", "starter"), args...)
	cmd.Env = env.list()
	cmd.Dir = s.tools.Root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr strings.Builder
	cmd.Stdout = &stdout
	cmd.Stderr = io.MultiWriter(&stderr, log)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("run starter %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
