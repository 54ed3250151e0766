package devstack

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	p := startChild(t, "parent")
	var child int
	require.Eventually(t, func() bool {
		_, err := fmt.Sscanf(p.Tail(5), "child %d", &child)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.True(t, alive(child))
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL), "only the parent")
	<-p.Done()
	require.Eventually(t, func() bool { return !alive(child) }, time.Minute, 10*time.Millisecond,
		"process "+strconv.Itoa(child)+" outlived its parent")
}

func TestProcessFrozen(t *testing.T) {
	t.Parallel()
	p := startChild(t, "wait")
	state := func() string { s, _ := procStat("/proc/" + strconv.Itoa(p.PID()) + "/stat"); return s }
	require.NoError(t, p.Freeze())
	require.Eventually(t, func() bool { return state() == "T" }, time.Minute, time.Millisecond)
	require.NoError(t, p.Thaw())
	require.Eventually(t, func() bool { return state() != "T" }, time.Minute, time.Millisecond)
	require.NoError(t, p.Freeze())
	require.NoError(t, p.Kill(), "a frozen program can be killed")
	require.NoError(t, p.Freeze(), "one that is gone is no error")
}
