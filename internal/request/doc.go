// Package request is what every HTTP request has, whichever door it came through:
// an id, a clock, a record of how it went, and one way to write an answer.
//
// The record is handed to an observer when the answer is out; package main logs
// and counts there, and the handlers only note what they know. It must not know
// what is asked or who asks. Read api and web next: they stand side by side on it.
package request
