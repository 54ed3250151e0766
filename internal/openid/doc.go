// Package openid signs people in at an identity provider by OpenID Connect: the way to the
// provider and back, and the proof that what came back was meant for us, for this browser, and
// once. It says who somebody is; whether they are let in is package access's to say. The state, the
// nonce and the PKCE verifier are made of what the browser keeps in a cookie, so that nothing
// that is stored here opens anything.
package openid
