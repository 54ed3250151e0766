package soak

import "net/http"

// bend is a product that is broken in one way, made without a hook in it: its queries
// and Salesforce's answers are changed on their way, or its database is.
type bend struct {
	name    string
	begin   func(r *run)
	request func(*http.Request) *http.Request
	answer  func(*http.Request, []byte) []byte
}
