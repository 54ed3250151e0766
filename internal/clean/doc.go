// Package clean makes text fit to be read: HTML to text, line ends, control
// characters, bytes that are not text. It is pure: the same input and the same
// [Version] give the same bytes, because text decides the bill.
//
// Setting apart quoted history, signatures and disclaimers belongs here too, when
// it comes. Package transform decides which field is which; package comment has
// the limits.
package clean
