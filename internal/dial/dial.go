package dial

import (
	"net"
	"time"
)

// A peer that answers neither a probe nor what was sent to it is given up: after idle with nothing on the way there are
// probes, and with something on the way no more than unacknowledged is waited.
const (
	idle           = 10 * time.Second
	interval       = 5 * time.Second
	probes         = 3
	unacknowledged = 30 * time.Second
)

// Dialer connects within timeout, and keeps an eye on what it has connected to.
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: probes},
		Control:         boundUnacknowledged,
	}
}
