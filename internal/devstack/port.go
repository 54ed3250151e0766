package devstack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Ports handed out lie below the range from which Linux (32768 and up) and
// macOS (49152 and up) choose the local end of outgoing connections. A server on a
// port of that range that is killed and started again may find its port taken by
// a client of its own that is trying to reconnect, or that client may connect to
// itself.
const (
	firstPort = 15000
	lastPort  = 32000
)

var handedOut struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on and that this
// process has not been given before. Another process may still take it first:
// callers that can, try again.
func FreePort() (int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.ports == nil {
		handedOut.ports = map[int]bool{}
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // a port is no secret
		if handedOut.ports[port] || !PortFree(port) {
			continue
		}
		handedOut.ports[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("find a free TCP port of 127.0.0.1 between %d and %d: all tried were taken", firstPort, lastPort)
}

// PortFree reports whether nobody listens on port of this machine's own addresses:
// 127.0.0.1, or ::1, which is where a browser may go for "localhost".
func PortFree(port int) bool {
	for _, host := range []string{loopback, "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		switch {
		case err == nil:
			_ = l.Close()
		case host == loopback || errors.Is(err, syscall.EADDRINUSE):
			return false
		}
		// Any other answer for ::1 means that the machine has no IPv6.
	}
	return true
}

// PreferredPort returns port when it is free, else any free port.
func PreferredPort(port int) (int, error) {
	if PortFree(port) {
		return port, nil
	}
	return FreePort()
}

const loopback = "127.0.0.1"
