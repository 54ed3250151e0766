// Package tenant speaks the comments API to a Communications Mining tenant, or to another
// installation of this product: it sends comments, deletes them, and asks how many there are.
// Each failure is sorted once, by what has to happen next:
//
//	Transient, RateLimited             the same call again, later: no connection, a timeout, 5xx, 408, 409, 429,
//	                                   an answer that is no answer of the API or was cut short
//	Invalid                            what was sent: 400, 413, 422
//	Unauthenticated, Forbidden         the token: 401, 403
//	NotFound, Config                   where it was sent: 404, a redirect, any other 4xx
//
// A token goes to the host that the endpoint names and to no other: redirects are not
// followed. What the tenant says is quoted in a cause, never in a message: it may repeat a
// comment, and messages are kept in Temporal's history.
package tenant
