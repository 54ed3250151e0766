// Package app is the shell of a process: it reads no configuration and knows
// nothing of what runs inside. It starts named steps in order, waits for a
// signal or a failure, stops the steps in the opposite order within a bound, and
// turns the outcome into an exit code.
//
//	main → Main → run: New → Add…/Go…/Serve… → Run
//	                          │ start in order        ▲ a start fails: the ones before are stopped
//	                          ▼                       │
//	                       running ── signal, or a failure of one ──► stop, last first
//
// With it come the things that every process of ours has: the logger, waiting for
// what it depends on, the Temporal client, health, metrics, an HTTP server with its time limits.
// worker and authsvc are the readers; what their steps do is in their own main packages.
package app
