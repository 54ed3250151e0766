// Package workflows holds the Integration workflow: one per integration, running for
// as long as the integration exists.
//
//	timer → Watch → for each object with news: Poll → Transform → Upsert → timer
//
// and the Backfill workflow: one per large load, beside it, for as long as the load takes.
//
//	BackfillStep → for each part with a page that can be read: Poll → Transform → Upsert → its next page
//	     ▲   at the same time, one at a time                                                    │
//	     └──────────────────────────── a part came to its end, or failed ───────────────────────┘
//
// The Retransform workflow makes an integration's texts anew of stored raw copies: one
// RetransformStep after another until nothing is open.
//
// A workflow decides what happens next and waits; it does nothing itself. Waiting
// for an administrator, a quota or a broken network is its business, because a
// workflow waits for nothing and visibly; activities retry only what passes in
// seconds. What is true is in PostgreSQL: the workflow holds counts and times.
//
// Signals carry nothing. Each makes the workflow write what the signal says into
// PostgreSQL (activity Steer) and look again, so that a signal sent by hand, by
// `starter` or twice does the same.
//
// The code must stay deterministic: package flow and Temporal's SDK are its only
// imports (a test holds that), recorded histories in testdata are replayed by every
// build, and behaviour changes are gated by workflow.GetVersion.
package workflows
