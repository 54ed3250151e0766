// Package api is the JSON door: the part of the comments API that clients of
// Communications Mining already speak, over the store.
//
// Every route is one line of the table in route.go, which says what right it needs
// on what; the handler behind it runs only when the caller has it and finds the project or
// source already read. One file per action does the rest. Wire shapes stay here
// (wire.go), as does the translation of faults into status codes (reply.go).
//
// It must not know SQL, cookies or HTML: store, access and web do. Package
// request, below, gives each request its id and writes the answers.
//
// What the vendor's API looks like is taken from its public documentation and
// from the vendor's open-source command line client (github.com/reinfer/cli).
package api
