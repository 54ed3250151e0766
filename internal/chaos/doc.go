// Package chaos breaks a whole installation at random, under load, and then looks whether the product has kept its
// promises: nothing missing and nothing twice, an exact bill, no secret where it must not be. Not shipped; `make chaos`
// and a short test run it. docs/chaos.md has what it does and what a long run found.
//
// A run has an installation of its own: PostgreSQL, Temporal, the Salesforce simulator, two workers and two authsvc, all
// real processes, with a proxy of package netfault on every way between two of them. Two tenants with a Salesforce org
// each are written to all the time. Faults are drawn from a seed; what is killed comes back by itself.
//
//	options.go     what a run is told
//	run.go         the order of things: chaos, reckoning, chaos, …, the end
//	stack.go       the installation, and the ways through it
//	member.go      a process that comes back
//	hand.go        what operators do: starter, the OAuth flow, the API
//	org.go         the simulator's control endpoint
//	model.go       what must have become of every record, and what it must have cost
//	load.go        the writes
//	deck.go        the faults
//	unrest.go      the faults of Salesforce itself
//	watch.go       what must hold at any moment
//	reckon.go      what must hold when all is quiet
//	canary.go      where secrets must not be
//	report.go      the report
package chaos
