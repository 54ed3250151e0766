// Package eml reads a mail file (RFC 5322, MIME) for what a person reads of it: sender,
// subject and the two bodies. It serves trying out, where mails come from a folder and
// not from Salesforce, so it reads whatever bytes there are and gives what it finds:
// broken mails are the ones that somebody wants to try. Attachments, mails inside of
// mails and headers that nobody asks for are not read.
//
// [Read] walks the tree of parts (part.go), decodes (decode.go) and finds out the
// character set (charset.go). What the bodies say is package clean's matter.
package eml
