// Package flow is the contract between workflows and everything else: the names
// that travel through Temporal, the values that go with them, and the states
// an integration can be in.
//
// Names are constants because running workflows, scripts and operators hold on to
// them: a Go identifier may be renamed, a name here may not. Values are structs
// that only ever gain fields, so that recorded histories stay readable. No value
// may hold a token or the body of a record: history is kept, shown and exported.
//
// The package imports the standard library and Temporal's SDK only; package
// workflows imports nothing else of this module.
//
//	awaiting_authorization ──token-granted──► syncing ◄──► idle
//	        ▲                                   │  ▲
//	        └── the grant was lost ─────────────┤  │ time passed, or a signal
//	                                            ▼  │
//	             backing_off · quota_wait · config_invalid · paused · disconnected
package flow
