package devstack

import (
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProcessKeepsItsLastWords(t *testing.T) {
	t.Parallel()
	p := startChild(t, "echo")
	<-p.Done()
	require.NoError(t, p.Err())
	require.ElementsMatch(t, []string{"one", "two"}, strings.Split(p.Tail(10), "\n"))
	require.Len(t, strings.Split(p.Tail(1), "\n"), 1)
	require.NoError(t, p.Stop(), "a program that has ended is stopped")
}

func TestProcessThatFails(t *testing.T) {
	t.Parallel()
	p := startChild(t, "fail")
	<-p.Done()
	var exit *exec.ExitError
	require.ErrorAs(t, p.Err(), &exit)
	require.Equal(t, 3, exit.ExitCode())
	require.ErrorContains(t, p.Ended(), "cannot do it")
}

func TestProcessThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := StartProcess(ProcessOptions{Name: "nothing", Path: "/does/not/exist"})
	require.ErrorContains(t, err, "start nothing")
}

func TestProcessStopAndKill(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Process) error{"stop": (*Process).Stop, "kill": (*Process).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startChild(t, "wait")
			require.NoError(t, p.Err(), "it runs")
			require.NoError(t, end(p))
			require.Error(t, p.Err())
			require.False(t, alive(p.PID()))
			require.NoError(t, end(p), "a second time changes nothing")
		})
	}
}

func TestProcessStopKillsAfterItsTime(t *testing.T) {
	t.Parallel()
	o := childOptions("wait")
	o.StopSignal = syscall.SIGCONT // which ends nothing
	o.StopTimeout = 50 * time.Millisecond
	p, err := StartProcess(o)
	require.NoError(t, err)
	require.ErrorContains(t, p.Stop(), "was killed")
	require.False(t, alive(p.PID()))
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/dir/lock"
	lock, err := TryLock(path)
	require.NoError(t, err)

	_, err = TryLock(path)
	var taken *LockedError
	require.ErrorAs(t, err, &taken)
	require.NotZero(t, taken.PID)

	waited := make(chan struct{})
	got := make(chan error, 1)
	go func() {
		second, err := WaitLock(t.Context(), path, func(*LockedError) { close(waited) })
		if err == nil {
			second.Unlock()
		}
		got <- err
	}()
	<-waited
	lock.Unlock()
	require.NoError(t, <-got)
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 50 {
		port, err := FreePort()
		require.NoError(t, err)
		require.False(t, seen[port], "port %d was given twice", port)
		seen[port] = true
		require.GreaterOrEqual(t, port, firstPort)
		require.Less(t, port, lastPort)
		_, err = net.ListenPacket("udp4", address(port))
		require.ErrorIs(t, err, syscall.EADDRINUSE, "another process is not given port %d, though nobody listens on it yet", port)
	}
}

func TestPortFree(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.False(t, PortFree(port))
	other, err := PreferredPort(port)
	require.NoError(t, err)
	require.NotEqual(t, port, other)
	require.NoError(t, l.Close())
	same, err := PreferredPort(other)
	require.NoError(t, err)
	require.Equal(t, other, same)
}
