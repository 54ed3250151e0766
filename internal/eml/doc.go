// Package eml reads mails (RFC 5322, MIME) for what a person reads of them: who wrote to
// whom, when, about what, and the two bodies. They come as files that somebody tries the cleaning on, or
// as heads and bodies that a client sends, so it reads whatever bytes there are and gives
// what it finds: broken mails are the ones that there is trouble with. Attachments, mails inside of mails
// and headers that nobody asks for are not read.
//
// [Read] walks the tree of parts (part.go), decodes (decode.go) and finds out the
// character set (charset.go); a [Header] is a head alone (header.go, date.go). The fields of a head are read by
// net/mail and mime where they are as these want them. What the bodies say is package clean's matter.
package eml
