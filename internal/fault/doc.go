// Package fault is the one vocabulary of failures. Every package below the
// edges returns errors that carry a [Kind]; each edge (Temporal, HTTP, the
// command line) translates a kind once and nowhere else.
//
// A kind answers one question: who has to act?
//
//	nobody, try again      Transient, RateLimited, Stale
//	nobody, wait           Quota
//	the administrator      Reauthorize, Permission, Config
//	the caller             Invalid, NotFound, Unauthenticated, Forbidden, Conflict
//	the operator           Unreachable, Internal
//	the record             Record (set aside with its reason)
//	nobody, work is over   Fenced, Stopped
//
// The package imports the standard library only.
package fault
