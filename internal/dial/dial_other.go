//go:build !linux

package dial

import "syscall"

// boundUnacknowledged does nothing: only Linux lets a connection choose.
func boundUnacknowledged(string, string, syscall.RawConn) error { return nil }
