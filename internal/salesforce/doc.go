// Package salesforce is the client of Salesforce's REST API and Bulk API 2.0, and the owner of
// everything that is Salesforce's spelling: ids, describe results, record values,
// error bodies, hosts.
//
//	host.go        which hosts may see a token, and how people write them
//	client.go      one call: token, watchdog, bounded body, what the client itself tries again
//	text.go        the text of an answer made fit to read: charset, control characters, blanks
//	query.go       query, next page; together.go asks several things in one call
//	bulk.go        query jobs of Bulk API 2.0 and the pages of their results
//	describe.go    what objects and fields there are; object.go has the types, path.go walks "Parent.Account.Name"
//	errors.go      every error body, sorted into package fault by one table
//	record.go      one record in one canonical form; canonical.go spells its values
//	shape.go       records out of JSON, members.go walks over it; columns.go has those out of CSV
//	digest.go      whether two records are the same
//	replication.go what changed and was deleted by the platform's own account
//	id.go          15 and 18 characters, checksum, hex, order
//
// A call is tried once, once more after a session died or the org moved, and again
// while its text arrives damaged. All other repetition belongs to the activities that
// call this package. A page of a bulk job's results is never asked for again by itself. The
// package never stores a token, never follows a redirect and never puts a token or a body in an error.
//
// It must not know what is polled when, or what a record becomes: read package
// poll for the first and package transform for the second. Package oauth gets and
// renews tokens; it implements [TokenSource].
package salesforce
