// Package openapi holds the description of the HTTP API as an OpenAPI 3.1 document: what clients
// are generated from, what the readable page is made of, and what the tests of package api hold each
// answer against. It is written by hand, a file for each part of the API below paths/, because what
// an answer means cannot be read off a Go type.
package openapi
