// Package tracing lets work that is being traced say what it consists of: a call to Salesforce, a
// transaction.
//
// A span is begun only inside another one that is recorded, so that background work makes no traces of its own,
// and nothing is spent while tracing is off. What is written down is how long something took, what it was and the
// kind of its failure: never an address, a query, a body, a message or a secret.
//
// Where traces begin and where they go is not known here: see internal/app (Traces), and worker and authsvc,
// which begin them. Neighbours: store and salesforce call it; it calls OpenTelemetry's API, not its SDK.
package tracing
