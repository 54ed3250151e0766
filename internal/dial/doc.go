// Package dial connects to other machines such that a connection whose peer is gone is known to be dead within half a
// minute. A network that loses packets tells nobody: without this, who waits for an answer waits for as long as the
// kernel is patient, which is a quarter of an hour for what was sent and two hours for what was not.
package dial
