// Package devstack brings real servers up on one machine: PostgreSQL, a
// Temporal development server, and any program of ours as a child process that
// can be stopped, killed and started again. It finds what is there, installs
// what is missing and never touches a server it did not start.
//
// [Tools] answers "where is the program?", [Postgres] and [Temporal] are running
// servers, [Process] is anything else. What is started together in which order
// is not its business: that is internal/cmd/devstack, which is the program
// behind `make run` and `make test`. End-to-end tests use the package directly,
// because they must be able to kill a server of their own.
//
// It must not know the product: no schema, no search attributes, no API, and no
// database driver (readiness is asked in the wire protocol, see pgready.go).
package devstack
