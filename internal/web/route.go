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
	// Signed in, too:
	onListed       // the page leaves out projects without the permission
	onUsers        // onListed of users; who runs the installation sees all
	onUser         // the permission reaches the user whom the path names; handlers find visit.user
	onInstallation // the permission is on the whole installation
)

// route is one page. This table is the only place that says who may have it.
type route struct {
	pattern    string
	needs      needs
	permission string // asked on the project that the path names, if needs does not say otherwise; "" = none
	handle     func(*Web, *visit) error
	live       part // what moves of the page; nil = nothing
}

var routes = []route{
	{http.MethodGet + " /{$}", anybody, "", (*Web).home, (*Web).homeLive}, // shows a notification to a browser without an account
	{http.MethodGet + " /sign-in", anybody, "", (*Web).signInForm, nil},
	{http.MethodPost + " /sign-in", anybody, "", (*Web).signIn, nil},
	{http.MethodGet + " /sign-in/openid", anybody, "", (*Web).openIDBegin, nil},
	{http.MethodGet + " " + openid.CallbackPath, anybody, "", (*Web).openIDCallback, nil},
	{http.MethodGet + " /continue", anybody, "", (*Web).goOn, nil},
	{http.MethodPost + " /sign-out", anybody, "", (*Web).signOut, nil},
	// The two routes that the product's own documentation names. A one-time link stands for the
	// permission; the callback is for the browser that began.
	{http.MethodGet + " /integrations/{project}/{integration}/oauth2/authenticate", anybody, access.IntegrationsWrite, (*Web).authenticate, nil},
	{http.MethodGet + " " + oauth.CallbackPath, anybody, "", (*Web).callback, nil},
	{http.MethodPost + " /external/salesforce/oauth2/confirm", anybody, "", (*Web).confirm, nil},
	// Making and changing integrations. One that is being set up has the pages under /setup.
	{http.MethodGet + " /integrations/new", signedIn, "", (*Web).newIntegration, nil},
	{http.MethodPost + " /integrations/new", signedIn, "", (*Web).createIntegration, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/setup", signedIn, access.IntegrationsWrite, (*Web).setupAuthorize, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/setup/connection", signedIn, access.IntegrationsWrite, (*Web).setupConnection, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/connection", signedIn, access.IntegrationsWrite, (*Web).changeConnection, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/link", signedIn, access.IntegrationsWrite, (*Web).setupLink, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/setup/objects", signedIn, access.IntegrationsWrite, (*Web).setupObjects, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/objects", signedIn, access.IntegrationsWrite, (*Web).chooseObjects, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/setup/objects/{object}", signedIn, access.IntegrationsWrite, (*Web).setupFields, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/objects/{object}", signedIn, access.IntegrationsWrite, (*Web).chooseFields, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/setup/check", signedIn, access.IntegrationsWrite, (*Web).setupCheck, (*Web).setupCheckLive},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/check", signedIn, access.IntegrationsWrite, (*Web).startCheck, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/setup/start", signedIn, access.IntegrationsWrite, (*Web).setupStart, nil},
	{http.MethodGet + " /integrations/{project}/{integration}/settings", signedIn, access.IntegrationsWrite, (*Web).settings, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/settings", signedIn, access.IntegrationsWrite, (*Web).changeSettings, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/settings/disconnect", signedIn, access.IntegrationsWrite, (*Web).disconnectIntegration, nil},
	{http.MethodPost + " /integrations/{project}/{integration}/settings/delete", signedIn, access.IntegrationsWrite, (*Web).deleteIntegration, nil},
	{http.MethodGet + " /usage", onListed, access.SourcesRead, (*Web).usage, nil},
	{http.MethodGet + " /usage/units", onListed, access.SourcesRead, (*Web).units, nil},
	{http.MethodGet + " /access", onUsers, access.UsersRead, (*Web).users, nil},
	{http.MethodPost + " /access/users", onInstallation, access.TenantAdmin, (*Web).createUser, nil},
	{http.MethodGet + " /access/users/{user}", onUser, access.UsersRead, (*Web).user, nil},
	{http.MethodPost + " /access/users/{user}/grants", onUser, access.UsersWrite, (*Web).changeGrants, nil},
	{http.MethodPost + " /access/users/{user}/link", onInstallation, access.TenantAdmin, (*Web).linkUser, nil},
	{http.MethodPost + " /access/users/{user}/disabled", onInstallation, access.TenantAdmin, (*Web).disableUser, nil},
	{http.MethodPost + " /access/users/{user}/remove", onInstallation, access.TenantAdmin, (*Web).removeUser, nil},
	{http.MethodPost + " /access/users/{user}/tokens/{token}/revoke", onInstallation, access.TenantAdmin, (*Web).revokeTokenOf, nil},
	{http.MethodGet + " /access/roles", signedIn, "", (*Web).roles, nil},
	{http.MethodGet + " /access/tokens", signedIn, "", (*Web).tokens, nil},
	{http.MethodPost + " /access/tokens", signedIn, "", (*Web).createToken, nil},
	{http.MethodPost + " /access/tokens/{token}/revoke", signedIn, "", (*Web).revokeToken, nil},
	{http.MethodGet + " /access/audit", onInstallation, access.AuditRead, (*Web).audit, nil},
	{http.MethodGet + " /access/audit/export", onInstallation, access.AuditRead, (*Web).exportAudit, nil},
	{http.MethodGet + " /access/account", signedIn, "", (*Web).account, nil},
	{http.MethodPost + " /access/account/password", signedIn, "", (*Web).changePassword, nil},
	{http.MethodPost + " /access/account/sessions", signedIn, "", (*Web).endSessions, nil},
	{http.MethodGet + " " + passwordPath, anybody, "", (*Web).passwordForm, nil}, // a one-time link stands for who it is
	{http.MethodPost + " " + passwordPath, anybody, "", (*Web).choosePassword, nil},
	{http.MethodGet + " /integrations/{project}/{integration}", signedIn, access.IntegrationsRead, (*Web).integration, (*Web).integrationLive},
	{http.MethodPost + " /integrations/{project}/{integration}/pause", signedIn, access.IntegrationsWrite, does(pause), nil},
	{http.MethodPost + " /integrations/{project}/{integration}/resume", signedIn, access.IntegrationsWrite, does(resume), nil},
	{http.MethodPost + " /integrations/{project}/{integration}/sync-now", signedIn, access.IntegrationsWrite, does(syncNow), nil},
	{http.MethodPost + " /integrations/{project}/{integration}/backfill", signedIn, access.IntegrationsWrite, does(backfill), nil},
	{http.MethodPost + " /integrations/{project}/{integration}/backfill/resume", signedIn, access.IntegrationsWrite, does(resumeBackfill), nil},
	{http.MethodPost + " /integrations/{project}/{integration}/deliver-again", signedIn, access.IntegrationsWrite, does(deliverAgain), nil},
	{http.MethodGet + " /comments", signedIn, "", (*Web).comments, (*Web).commentsLive},
	{http.MethodGet + " /comments/{project}/{source}/{id}", signedIn, access.SourcesRead, (*Web).comment, nil},
	{http.MethodGet + " /threads/{project}/{source}/{thread}", signedIn, access.SourcesRead, (*Web).thread, nil},
	{http.MethodGet + " /docs/api", anybody, "", (*Web).apiPage, nil},
	{http.MethodGet + " /assets/{version}/{name}", nothing, "", (*Web).asset, nil},
}

// reaches are those that needs say by themselves.
var reaches = map[needs]access.Reach{onListed: access.ReachListed, onUsers: access.ReachUsers, onUser: access.ReachUser, onInstallation: access.ReachInstallation}

// Rules gives who may have which page, in the order of the table.
func Rules() []access.Rule {
	var rules []access.Rule
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		rule := access.Rule{Method: method, Path: path, Reach: access.ReachAnybody, Permission: r.permission}
		reach, says := reaches[r.needs]
		switch {
		case says:
			rule.Reach = reach
		case r.permission != "":
			rule.Reach = access.ReachProject
		case r.needs >= signedIn:
			rule.Reach = access.ReachSignedIn
		}
		rules = append(rules, rule)
	}
	return rules
}
