package web

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/request"
)

// errAnswered says that the handler has answered already.
var errAnswered = errors.New("answered")

type confirmPage struct {
	page
	oauth.Outcome
}

// callback is where Salesforce sends the browser back to. It ends at / with a
// notification, or on a page that says what the administrator must do.
func (web *Web) callback(v *visit) error {
	q := v.r.URL.Query()
	hash, _ := access.HashOneTime(web.cookie(v.r, browserCookie)) // nil fits no attempt
	outcome, err := web.oauth.Finish(v.r.Context(), oauth.FinishParams{
		State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), ErrorDescription: q.Get("error_description"),
		BrowserHash: hash,
	})
	if err != nil {
		web.refuseGrant(v, outcome, err)
		return nil
	}
	if outcome.Confirm != "" {
		request.Of(v.r.Context()).Grant = request.GrantAsked
		return web.render(v, http.StatusOK, "confirm", confirmPage{page: web.page(v, "Another user"), Outcome: outcome})
	}
	return web.connected(v, outcome)
}

// connected takes the browser to the first page with the good news, or to the page that it came from.
func (web *Web) connected(v *visit, outcome oauth.Outcome) error {
	request.Of(v.r.Context()).Grant = request.GrantConnected
	if err := web.notify(v.r.Context(), v.w, "success", "The integration "+outcome.Project+"/"+outcome.Integration+
		" was configured successfully: it is connected to Salesforce as "+outcome.Username+"."); err != nil {
		return err
	}
	to := "/"
	if next := web.nextOf(v, outcome.Project, outcome.Integration); next != "" && v.who != nil && v.who.Can(outcome.Project, access.IntegrationsWrite) {
		to = next
		web.setCookie(v.w, nextCookie, "", 0)
	}
	if web.setup != nil {
		web.setup.Forget() // another user may see other objects
	}
	http.Redirect(v.w, v.r, to, http.StatusFound)
	return nil
}

// confirm commits or gives back a grant of another user than before.
func (web *Web) confirm(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return fault.Wrap(fault.Invalid, err, "the form does not parse")
	}
	kept := v.r.PostForm.Get("confirm")
	browser, _ := access.HashOneTime(web.cookie(v.r, browserCookie))
	if v.r.PostForm.Get("decision") != "allow" {
		outcome, err := web.oauth.Decline(v.r.Context(), kept, browser)
		if err != nil {
			return err
		}
		request.Of(v.r.Context()).Grant = request.GrantDeclined
		if err := web.notify(v.r.Context(), v.w, "error", "The connection of "+outcome.Project+"/"+outcome.Integration+
			" stays as it was. The access of "+outcome.Username+" was given back to Salesforce."); err != nil {
			return err
		}
		http.Redirect(v.w, v.r, "/", http.StatusSeeOther)
		return nil
	}
	outcome, err := web.oauth.Confirm(v.r.Context(), kept, browser)
	if err != nil {
		web.refuseGrant(v, outcome, err)
		return nil
	}
	return web.connected(v, outcome)
}

// refuseGrant is the page for an authorization that did not end in a grant.
func (web *Web) refuseGrant(v *visit, outcome oauth.Outcome, err error) {
	p := Problem{Status: http.StatusBadGateway, Title: "Salesforce could not be connected", What: sentence(err), Do: grantHint(err)}
	if outcome.Project != "" && outcome.UserID != "" {
		p.Retry = authenticatePath(outcome.Project, outcome.Integration)
		if next := web.nextOf(v, outcome.Project, outcome.Integration); next != "" {
			p.Retry += "?next=" + url.QueryEscape(next)
		}
	}
	if code := codeOf(err); code != "" {
		web.sayWhere(v, &p, outcome, code)
	}
	var provider *oauth.ProviderError
	var otherOrg *oauth.OtherOrgError
	request.Of(v.r.Context()).Grant = request.GrantRefused
	switch {
	case errors.As(err, &provider):
		p.Status, p.Title, p.Do = http.StatusBadRequest, provider.Title, provider.Advice
		p.What = "Salesforce answered " + provider.Code + "."
		if provider.Description != "" {
			p.What = "Salesforce answered " + provider.Code + ": " + oneLine(provider.Description, snippetChars) + "."
		}
		web.sayWhere(v, &p, outcome, strings.ToLower(provider.Code))
	case errors.As(err, &otherOrg):
		p.Status, p.Title = http.StatusConflict, "This is another Salesforce org"
		p.What = "The integration " + outcome.Project + "/" + outcome.Integration + " is bound to the org " + otherOrg.Bound +
			". You signed in to the org " + otherOrg.Granted + ". Nothing was changed, and the access you gave was given back."
		p.Do = "Sign out of Salesforce, open the link again and sign in to the first org. To sync the other org, make an integration of its own with a source of its own."
	case wrongKeys(err):
		request.Of(v.r.Context()).Grant = request.GrantFailed
		web.fail(v, err)
		return
	case fault.Is(err, fault.Invalid, fault.Conflict, fault.NotFound):
		p.Status = http.StatusBadRequest
	case fault.Is(err, fault.Reauthorize, fault.Config, fault.Permission):
		p.Status = http.StatusBadRequest
	default:
		request.Of(v.r.Context()).Grant = request.GrantFailed
		request.Of(v.r.Context()).Err = err
		if fault.Is(err, fault.Unreachable, fault.Internal) {
			web.fail(v, err)
			return
		}
		p.Do = strings.TrimSpace(p.Do + " Nothing was changed. Open the link again in a minute; if it stays, give the operator the request id below.")
	}
	if p.Do == "" {
		p.Do = "Nothing was changed. Ask whoever runs this integration what to do."
	}
	web.problem(v, p)
}

// connectAgain is what hints say to operators at a terminal.
var connectAgain = regexp.MustCompile("(, then )?connect again: `starter connect [^`]+`")

// grantHint is the next step for whoever stands at the page, who may have come by a link.
func grantHint(err error) string {
	hint := connectAgain.ReplaceAllStringFunc(fault.HintOf(err), func(said string) string {
		if strings.HasPrefix(said, ",") {
			return ", then open the link again"
		}
		return "open the link again"
	})
	if hint == "" {
		return ""
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}

// codeOf is Salesforce's code of what the token endpoint refused.
func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// sayWhere says of errors about the app what must be the same on both sides, and leads whoever may to where it
// is entered here.
func (web *Web) sayWhere(v *visit, p *Problem, outcome oauth.Outcome, code string) {
	switch code {
	case "redirect_uri_mismatch":
		p.Do = "Enter the callback URL in the app's OAuth settings in Salesforce, to the letter. A change takes up to ten minutes to act."
		p.Steps = []string{web.public + oauth.CallbackPath}
	case "invalid_client_id", "invalid_client_credentials", "invalid_client":
		if p.Title == "Salesforce could not be connected" { // said by the token endpoint, and not to the browser
			p.Do = "Compare consumer key and consumer secret here with the app's in Salesforce Setup. A new app takes up to ten minutes to be known."
		}
		if outcome.Project != "" && v.who != nil && v.who.Can(outcome.Project, access.IntegrationsWrite) {
			p.Retry, p.RetryLabel = integrationPath(outcome.Project, outcome.Integration)+"/setup/connection", "Change the connection"
		}
	}
}
