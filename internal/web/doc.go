// Package web is the door for people: sign-in, the overview with what the
// integrations do and what came in last, notifications, and the error pages of the
// OAuth routes. Pages are rendered here from embedded templates; the one script
// only makes them move.
//
// Every route is one line of the table in route.go, which says whether it needs a
// signed-in user; what is shown of each project is then asked of the principal.
// What came out of a mail is text and stays text: templates escape it, and the
// Content-Security-Policy runs nothing that is not a file of ours.
//
// It must not know SQL or the JSON API: store has the rows, api stands beside it on
// package request.
package web
