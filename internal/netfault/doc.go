// Package netfault is a TCP proxy that breaks on command: it refuses, cuts, swallows, delays and throttles what goes
// through it, as networks do, without root and without touching the network of the machine. Not shipped:
// package chaos has one on every way between two processes.
//
// What a proxy cannot do is to leave a packet without an acknowledgement, because the kernel under it acknowledges
// what arrives. A peer's TCP_USER_TIMEOUT and its keepalive probes are therefore answered as long as the proxy keeps the
// connection. [Vanish] makes up for it: when it is over, the proxy ends the connections that were lost after as
// long as a kernel with keepalive would, first on the side of the client, later on that of the server.
package netfault
