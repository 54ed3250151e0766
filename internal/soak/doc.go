// Package soak plays random scripts against the Salesforce simulator and proves that
// the store holds what Salesforce holds. It has no code of its own.
//
// A script is a setup (objects, conditions, policies, moods of the org) and a list of
// steps: writes, ties, late commits, deletes of each kind, rights that come and go,
// session deaths, faults, kills. Everything it decides comes from one seed; each step has a
// seed of its own, so that leaving others out changes nothing in it. At its end
// everything is healed, time passes, and three things are compared:
//
//	record by record   what the integration user may see ↔ the comments, field by field
//	unit by unit       the ledger ↔ every text that each record ever had, in order
//	promise by promise "complete up to T", whenever it was published ↔ what there was
//
// Scripts run on a virtual clock, the database's now() included: a tail of fifteen
// minutes passes in a millisecond, and intervals are kept to the second.
//
//	database_test.go   a PostgreSQL database whose time is the script's
//	world_test.go      the simulated org and everything that was ever true in it
//	expect_test.go     what a record must become, by the words of the contract
//	wire_test.go       the way to Salesforce: where calls are held, cut, and bent
//	driver_test.go     what the workflow does, with workers that die at any call
//	step_test.go       the steps
//	compare_test.go    the comparison
//	script_test.go     scripts: made from a seed, written down, made smaller
//
// Beside them the bill alone is held against a straight line: records that change, clients that write over the API, and
// a process with the worker's activities and the API in it that is killed at the points of package
// crashpoint. After each step the ledger is what a clerk has written down who knows the rules and
// nothing of the product. BILL_SEED and BILL_RUNS play other sequences.
//
//	bill_test.go          the sequences, and the comparison
//	bill_model_test.go    the clerk
//	bill_process_test.go  the process that is killed
package soak
