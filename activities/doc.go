// Package activities holds thin adapters between Temporal and the packages that do
// the work: they heartbeat, translate faults into Temporal errors, and add nothing.
//
//	watch.go  poll.go  transform.go  upsert.go     the straight path
//	backfill.go                                    what a backfill can read next
//	retransform.go                                 texts made anew of stored raw copies
//	deliver.go                                     comments to a tenant
//	check.go                                       names, rights and conditions
//	report.go  steer.go                            the workflow's word to PostgreSQL, and an operator's
//
// Names, inputs and outputs are in package flow. No record body and no token may
// leave an activity: results and errors are kept in history.
package activities
