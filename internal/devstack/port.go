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

// handedOut marks each port for as long as this process lives: with the UDP port of the same number, which
// nobody here uses, and which two processes cannot have.
var handedOut struct {
	sync.Mutex
	marks map[int]net.PacketConn
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on and that no living
// process has been given by it. A stranger may still take it first: callers that can, try again.
func FreePort() (int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.marks == nil {
		handedOut.marks = map[int]net.PacketConn{}
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // a port is no secret
		mark, err := net.ListenPacket("udp4", address(port))
		if err != nil {
			continue
		}
		if !PortFree(port) {
			_ = mark.Close()
			continue
		}
		handedOut.marks[port] = mark
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
