// Package transform makes comments of records: which field is the subject, which
// the body, who wrote to whom, what becomes a property. It is pure: the same
// record, mapping and cleaning version give the same comment.
//
//	salesforce.Record ──Mapping──► comment.Comment, or the reason why not
//
// A [Mapping] is made once per object from the integration file and describe (package
// poll does that) and is stored, so that a batch is transformed by what was true when
// it was planned. Package clean makes the texts; package store keeps the result.
//
//	recipe.go    what is stored of the plan: paths, types, mapping
//	reader.go    a recipe made ready for many records in JSON; digests, what is set aside
//	compiled.go  the same for rows of CSV
//	frozen.go    records that miss a field
//	batches.go   whole batches: sealed chunks in, staged rows out
//	again.go     comments made anew of stored raw copies: what would become of what is stored
//	retransform.go  whole objects of them, planned or applied; records that were set aside
//	mail.go      a mail that a client sends, with no record behind it
//	explain.go   one text, with the rules that made it
package transform
