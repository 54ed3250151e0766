// Package deliver keeps a source of a Communications Mining tenant equal to one of ours.
//
//	deliver.go   goes on with a delivery for minutes: what to do next, and when
//	send.go      one page of changes: batches, deletes, the search for what the tenant refuses
//	verdict.go   what a failure means for the delivery
//	compare.go   their count against ours
//
// The outbox is the order in which comments changed: a page of it is sent, and only then the place
// moves on. Each comment is sent as it is when it is read, so the order of its changes holds, a
// tenant that is away costs nothing but delay, and a page that is sent twice changes nothing
// there. One process delivers for an integration at a time: a lease, renewed while it works, keeps a page
// that was read long ago from arriving behind a newer one.
package deliver
