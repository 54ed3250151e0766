// Package bill says what AI units come to: the month so far, what it is heading for, and the bill line
// by line as CSV.
//
// The units themselves are rows of the ledger, which package store writes with the texts they are for. This
// package only reads. It must not know who asks, nor how. Read store/ledger_read.go before it, and
// docs/billing.md for the rules.
package bill
