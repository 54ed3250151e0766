// Package access answers who is asking and what they may do: users, passwords,
// API tokens, browser sessions, and permissions per project.
//
// A credential comes in, a [Principal] comes out; everything above asks the
// principal and nobody else. Tokens and session ids are 256 random bits, kept as
// SHA-256; passwords are kept as argon2id. Whoever fails learns only that it
// failed: an unknown user, a disabled one and a wrong password give the same
// answer in the same time.
//
// It must not know HTTP: cookies, headers and status codes belong to api and web,
// which also keep the tables of what each route needs. The rows are store's.
package access
