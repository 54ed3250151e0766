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
	}, 10*time.Second, 10*time.Millisecond)
	require.True(t, alive(child))
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL), "only the parent")
	<-p.Done()
	require.Eventually(t, func() bool { return !alive(child) }, 10*time.Second, 10*time.Millisecond,
		"process "+strconv.Itoa(child)+" outlived its parent")
}
