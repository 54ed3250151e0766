// Package oauth gets, renews and gives back access to Salesforce: the OAuth 2.0 web
// server flow with PKCE, refresh with and without rotation, and revocation.
//
//	Begin ──► Salesforce's login and consent ──► Finish ──► SaveGrant ──► token-granted
//	                                               │
//	                                               └─ another user of the org ──► Confirm
//
// State and PKCE verifier stay on our side, work once and for ten minutes, and only
// in the browser that began. A grant is bound to org and user. Tokens have a
// generation: whoever holds an old one asks for a newer, one process at a time
// renews it, and a rotated refresh token is committed before anything uses it.
//
// The package knows HTTP towards Salesforce's identity endpoints and the store; it knows
// nothing of web pages (package web shows them) and of records (package salesforce reads them).
package oauth
