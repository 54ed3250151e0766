package meter

import (
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process, what it started and what that started all count, also when they have ended.
func TestMeterSeesWholeTrees(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc here")
	}
	t.Parallel()
	const burn = `i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c '"+burn+"'; echo one; (sh -c '"+burn+"; echo two; sleep 60'; true); true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	m := Meter{PIDs: map[string]int{"worker": cmd.Process.Pid, "authsvc": 1 << 30}}
	line := make([]byte, 4)
	_, err = io.ReadFull(out, line)
	require.NoError(t, err)
	one := m.Read()
	require.Greater(t, one["worker"], 0.02, "a child that has ended")
	_, err = io.ReadFull(out, line)
	require.NoError(t, err)
	two := m.Read().Since(one)
	require.Greater(t, two["worker"], 0.02, "a grandchild that lives")
	require.NotContains(t, two, "authsvc", "who is not there is not measured")
	require.Greater(t, two[Machine], two["worker"]/2)
	now, peak := Memory(cmd.Process.Pid)
	require.Positive(t, now)
	require.GreaterOrEqual(t, peak, now)
	now, peak = Memory(1 << 30)
	require.Zero(t, now+peak)
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	p, ok := parseStat("12 (a) b (c)) S 7 12 12 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 1 0 100")
	require.True(t, ok)
	require.Equal(t, process{parent: 7, own: 2, ended: 1}, p)
	_, ok = parseStat("12 (a) S 7")
	require.False(t, ok)
}

func TestForeign(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 4.5, CPU{Machine: 7.5, "worker": 1, Self: 2}.Foreign(), 0.001)
	require.Zero(t, CPU{"worker": 1}.Foreign(), "nobody can tell")
}
