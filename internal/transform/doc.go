// Package transform makes comments of records: which field is the subject, which
// the body, who wrote to whom, what becomes a property. It is pure: the same
// record, mapping and cleaning version give the same comment.
//
//	salesforce.Record ──Mapping──► comment.Comment, or the reason why not
//
// A [Mapping] is made once per object from the integration file and describe (package
// poll does that) and is stored, so that a batch is transformed by what was true when
// it was planned. Package clean makes the texts; package store keeps the result.
package transform
