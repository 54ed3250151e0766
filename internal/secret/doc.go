// Package secret owns values that must not be seen: the type that prints as
// "<secret>" and the key ring that seals values at rest.
//
// A sealed value is "v1:" + key id + ":" + base64(nonce || ciphertext), AES-256-GCM.
// The additional data is the identity of the row that holds it, so that a sealed
// value copied into another row does not open. The first key of the ring seals,
// every key opens, so keys rotate without downtime.
//
// The package imports the standard library only.
package secret
