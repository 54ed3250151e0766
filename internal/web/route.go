package web

import (
	"net/http"

	"salesforcesync/internal/oauth"
)

// needs says who may have a page at all. What it shows of a project is a question
// of rights on that project, which its handler asks.
type needs int

const (
	anybody  needs = iota
	signedIn       // others are sent to sign in and then taken on
)

type route struct {
	pattern string
	needs   needs
	handle  func(*Web, *visit) error
}

var routes = []route{
	{http.MethodGet + " /{$}", anybody, (*Web).home}, // shows a notification to a browser without an account
	{http.MethodGet + " /live", signedIn, (*Web).live},
	{http.MethodGet + " /sign-in", anybody, (*Web).signInForm},
	{http.MethodPost + " /sign-in", anybody, (*Web).signIn},
	{http.MethodGet + " /continue", anybody, (*Web).goOn},
	{http.MethodPost + " /sign-out", anybody, (*Web).signOut},
	// The two routes that the product's own documentation names; who may is their handlers' question.
	{http.MethodGet + " /integrations/{project}/{integration}/oauth2/authenticate", anybody, (*Web).authenticate},
	{http.MethodGet + " " + oauth.CallbackPath, anybody, (*Web).callback},
	{http.MethodPost + " /external/salesforce/oauth2/confirm", anybody, (*Web).confirm},
	{http.MethodGet + " /docs/api", anybody, (*Web).apiPage},
	{http.MethodGet + " /assets/{version}/{name}", anybody, (*Web).asset},
}
