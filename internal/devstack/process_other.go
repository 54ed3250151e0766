//go:build !linux

package devstack

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// endWithParent does nothing: only Linux has a signal for it.
func endWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// childrenOf lists the direct children of pid.
func childrenOf(pid int) []int {
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(out)) {
		if child, err := strconv.Atoi(f); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// alive reports whether pid is there.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
