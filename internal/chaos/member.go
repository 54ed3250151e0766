package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"salesforcesync/internal/devstack"
)

// member is a process of the installation. When it ends it is started again: by who killed it, or, when it ended
// by itself, by keep, as an operator's supervisor would.
type member struct {
	name   string
	launch func(context.Context) (*devstack.Process, error)
	say    func(format string, args ...any)

	mu      sync.Mutex
	proc    *devstack.Process
	down    bool // somebody ended it and will bring it back
	unasked int  // how often it ended by itself
}

// start starts it, or starts it again.
func (m *member) start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	proc, err := m.launch(ctx)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	m.proc, m.down = proc, false
	return nil
}

// end says that the process is about to be ended, and returns it.
func (m *member) end() *devstack.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = true
	return m.proc
}

func (m *member) process() *devstack.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc
}

func (m *member) endedUnasked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unasked
}

// keep starts the process again whenever it ended unasked, until ctx ends.
func (m *member) keep(ctx context.Context) {
	for ctx.Err() == nil {
		proc := m.process()
		select {
		case <-ctx.Done():
			return
		case <-proc.Done():
		}
		m.mu.Lock()
		unasked := !m.down && m.proc == proc
		if unasked {
			m.unasked++
		}
		m.mu.Unlock()
		if unasked {
			m.say("%v", proc.Ended())
			if err := m.start(ctx); err != nil && ctx.Err() == nil {
				m.say("%v", err)
			}
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// wait lets time pass; false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
