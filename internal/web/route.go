package web

import (
	"net/http"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/openid"
)

// needs says who may have a page at all. What it shows of a project is a question
// of rights on that project, which its handler asks.
type needs int

const (
	nothing  needs = iota // not even the session is looked at: the answer is kept by browsers
	anybody               // the answer may depend on who it is
	signedIn              // others are sent to sign in and then taken on
)

// route is one page. This table is the only place that says who may have it.
type route struct {
	pattern    string
	needs      needs
	permission string // asked on the project that the path names; "" = none
	handle     func(*Web, *visit) error
}

var routes = []route{
	{http.MethodGet + " /{$}", anybody, "", (*Web).home}, // shows a notification to a browser without an account
	{http.MethodGet + " /live", signedIn, "", (*Web).live},
	{http.MethodGet + " /sign-in", anybody, "", (*Web).signInForm},
	{http.MethodPost + " /sign-in", anybody, "", (*Web).signIn},
	{http.MethodGet + " /sign-in/openid", anybody, "", (*Web).openIDBegin},
	{http.MethodGet + " " + openid.CallbackPath, anybody, "", (*Web).openIDCallback},
	{http.MethodGet + " /continue", anybody, "", (*Web).goOn},
	{http.MethodPost + " /sign-out", anybody, "", (*Web).signOut},
	// The two routes that the product's own documentation names. A one-time link stands for the
	// permission; the callback is for the browser that began.
	{http.MethodGet + " /integrations/{project}/{integration}/oauth2/authenticate", anybody, access.IntegrationsWrite, (*Web).authenticate},
	{http.MethodGet + " " + oauth.CallbackPath, anybody, "", (*Web).callback},
	{http.MethodPost + " /external/salesforce/oauth2/confirm", anybody, "", (*Web).confirm},
	{http.MethodGet + " /docs/api", anybody, "", (*Web).apiPage},
	{http.MethodGet + " /assets/{version}/{name}", nothing, "", (*Web).asset},
}

// Rules gives who may have which page, in the order of the table.
func Rules() []access.Rule {
	var rules []access.Rule
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		rule := access.Rule{Method: method, Path: path, Reach: access.ReachAnybody, Permission: r.permission}
		switch {
		case r.permission != "":
			rule.Reach = access.ReachProject
		case r.needs == signedIn:
			rule.Reach = access.ReachSignedIn
		}
		rules = append(rules, rule)
	}
	return rules
}
