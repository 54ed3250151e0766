// Package csv reads the one dialect of CSV that Salesforce's Bulk API writes, as a stream: a
// header line, a comma between cells, LF or CRLF behind rows, cells in quotes with quotes
// doubled and line breaks as they are. Cells without quotes are read too.
//
//	reader.go  rows out of a stream or out of memory
//	row.go     one row: its bytes as they came, its cells without their quotes
//	error.go   what is wrong, with row, cell and byte
//
// It differs from encoding/csv in what a flood of rows needs. A row is found and checked
// without a copy of its cells, so a caller that looks at two of thirty pays for two, and can
// keep the row as Salesforce wrote it. Cells keep every byte: a NUL, a CRLF and text that is
// not UTF-8 are the caller's business. And a stream that was cut is never taken for a short
// one: a last row without its line end is an error, because the quote in front of the cut may
// have been the first of two.
//
// An empty cell is all there is of null; "N/A" and "null" are text.
//
// The package knows nothing of Salesforce but this: read package salesforce for what cells
// mean.
package csv
