package config

import (
	"cmp"
	"net"
	"os"
	"strings"

	"salesforcesync/internal/fault"
)

// HealthAddress gives host:port where the server whose environment this is answers for its
// health, as it is reached from the same machine or container: METRICS_ADDR, or LISTEN_ADDR
// when door is set or there is no METRICS_ADDR. No other variable is read. Errors are
// fault.Invalid and name the variable.
func HealthAddress(door bool) (string, error) { return HealthAddressFrom(os.Getenv, door) }

// HealthAddressFrom is HealthAddress with variables from lookup, which gives "" for what is not set.
func HealthAddressFrom(lookup func(string) string, door bool) (string, error) {
	name, value := "METRICS_ADDR", strings.TrimSpace(lookup("METRICS_ADDR"))
	if door || value == "" {
		name = "LISTEN_ADDR"
		value = cmp.Or(strings.TrimSpace(lookup(name)), variable(name).Default)
	}
	host, port, err := net.SplitHostPort(value)
	switch {
	case err == nil && port == "0":
		return "", fault.New(fault.Invalid, "%s=%s is any port: nobody but the program's log knows which", name, value).
			WithHint("give %s a port, or name the address with --address", name)
	case err != nil || !validPort(port):
		return "", fault.New(fault.Invalid, "%s: %q is not host:port, such as 127.0.0.1:8080", name, value)
	}
	// What listens everywhere is asked on this machine.
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}
