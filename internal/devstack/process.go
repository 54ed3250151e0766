package devstack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ProcessOptions say what to run and how it ends.
type ProcessOptions struct {
	Name string   // for people: "worker"
	Path string   // the program
	Args []string // without the program's name
	Env  []string // KEY=value; nil = this process's environment
	Dir  string   // working folder; "" = this process's

	// Log gets standard output and standard error as they are written. nil = only
	// the tail is kept.
	Log io.Writer
	// Credential runs the program as another user; nil = as this process's.
	Credential *syscall.Credential
	// StopSignal asks the program to end; 0 = SIGTERM.
	StopSignal syscall.Signal
	// StopTimeout is how long Stop waits before it kills; 0 = 15 s.
	StopTimeout time.Duration
}

// Process is a program that was started. It leads a process group of its own, so
// that a Ctrl-C at the terminal reaches only this process, which then stops its
// children in order. On Linux it gets the stop signal too when this process
// dies, so nothing is left behind.
type Process struct {
	opts ProcessOptions
	cmd  *exec.Cmd
	tail *tail
	done chan struct{}
	err  error // valid once done is closed
}

// StartProcess starts a program. It has its own standard input, which is empty.
func StartProcess(o ProcessOptions) (*Process, error) {
	if o.StopSignal == 0 {
		o.StopSignal = syscall.SIGTERM
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 15 * time.Second
	}
	p := &Process{opts: o, tail: &tail{}, done: make(chan struct{})}
	p.cmd = exec.Command(o.Path, o.Args...)
	p.cmd.Env = o.Env
	p.cmd.Dir = o.Dir
	p.cmd.Stdout = io.Writer(p.tail)
	if o.Log != nil {
		p.cmd.Stdout = io.MultiWriter(p.tail, o.Log)
	}
	p.cmd.Stderr = p.cmd.Stdout
	// A grandchild that keeps the pipe open must not keep us waiting.
	p.cmd.WaitDelay = 5 * time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: o.Credential}
	endWithParent(p.cmd.SysProcAttr, o.StopSignal)

	started := make(chan error, 1)
	go func() {
		// The kernel means the parent's thread, not the parent, when it sends the
		// signal at the parent's death; this goroutine keeps that thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	return p, nil
}

// Name returns the name it was given.
func (p *Process) Name() string { return p.opts.Name }

// PID returns the process id, which is the id of the process group too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended and its output has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the program ended: nil for exit code 0 and while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Tail returns the last n lines of its output.
func (p *Process) Tail(n int) string { return p.tail.lines(n) }

// Stop asks the program to end and waits. It returns an error when the program had to be
// killed; a program that has ended already is no error.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = syscall.Kill(-p.PID(), p.opts.StopSignal)
	select {
	case <-p.done:
		// What the leader left behind in its group.
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		return nil
	case <-time.After(p.opts.StopTimeout):
		if err := p.Kill(); err != nil {
			return err
		}
		return fmt.Errorf("stop %s: it did not end within %s and was killed", p.opts.Name, p.opts.StopTimeout)
	}
}

// Kill ends the program, its process group and its children at once with
// SIGKILL, as a crash would, and waits until they are gone.
func (p *Process) Kill() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	// A halted parent makes no children while they are listed. PostgreSQL's are not in
	// its process group: each leads a session of its own.
	_ = syscall.Kill(p.PID(), syscall.SIGSTOP)
	children := childrenOf(p.PID())
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		return fmt.Errorf("kill %s: process %d is still there", p.opts.Name, p.PID())
	}
	for _, pid := range children {
		for alive(pid) {
			select {
			case <-limit.C:
				return fmt.Errorf("kill %s: its process %d is still there", p.opts.Name, pid)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// Freeze halts the program, its process group and its children, as a machine does that swaps or a virtual one that is
// moved: its connections stay open, and nobody answers. Thaw, Kill and Stop end it.
func (p *Process) Freeze() error { return p.signalAll(syscall.SIGSTOP) }

// Thaw lets a frozen program go on.
func (p *Process) Thaw() error { return p.signalAll(syscall.SIGCONT) }

func (p *Process) signalAll(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	children := childrenOf(p.PID())
	if err := syscall.Kill(-p.PID(), sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.opts.Name, err)
	}
	for _, pid := range children {
		_ = syscall.Kill(pid, sig) // one that is gone needs none
	}
	return nil
}

// Ended describes, for people, a program that ended although nobody asked it to: how, and its
// last words.
func (p *Process) Ended() error {
	err := p.Err()
	if err == nil {
		err = errors.New("exit status 0")
	}
	if t := strings.TrimSpace(p.Tail(15)); t != "" {
		return fmt.Errorf("%s ended: %w; its last words:\n%s", p.opts.Name, err, t)
	}
	return fmt.Errorf("%s ended without a word: %w", p.opts.Name, err)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 32 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimRight(t.buf, "\n"), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}
