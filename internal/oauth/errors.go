package oauth

import (
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// rule sorts an answer of the token endpoint by its error and a part of its
// description. Sources: Salesforce help, "OAuth Authorization Flow Errors", and the
// texts that users of connectors report.
type rule struct {
	code, text string
	kind       fault.Kind
	message    string
	hint       string
}

// thisOne stands in a hint for the name of the integration.
const thisOne = "<project>/<integration>"

const reconnect = "connect again: `starter connect " + thisOne + "`"

// The first rule that fits counts. text is a lower-case part of the description.
var tokenRules = []rule{
	{"", "already being processed", fault.Transient, "Salesforce is handling another token request of this connection", ""},
	{"invalid_grant", "login hours", fault.Transient, "the integration user is outside its login hours", "widen the login hours in the user's profile in Salesforce Setup"},
	{"invalid_grant", "ip restricted", fault.Reauthorize, "Salesforce refuses our IP address for this user", "add the address to the profile's Login IP Ranges or relax IP restrictions in the app's policies, then " + reconnect},
	{"invalid_grant", "authorization code", fault.Invalid, "the authorization code is no longer valid", "start the authorization again"},
	{"invalid_grant", "hasn't approved", fault.Reauthorize, "the user has not approved the app", "approve the app, then " + reconnect},
	{"invalid_grant", "inactive", fault.Reauthorize, "the user or the org is inactive", "activate the integration user in Salesforce Setup, then " + reconnect},
	{"invalid_grant", "", fault.Reauthorize, "Salesforce no longer accepts the grant: it was revoked, has expired, or was replaced", reconnect},
	{"inactive_user", "", fault.Reauthorize, "the integration user is inactive", "activate the user in Salesforce Setup, then " + reconnect},
	{"inactive_org", "", fault.Reauthorize, "the org is inactive, locked or closed", "ask Salesforce to reopen the org, then " + reconnect},
	{"invalid_client_id", "", fault.Reauthorize, "Salesforce does not know the consumer key", "compare consumer_key with the app in Salesforce Setup, apply the file again, then " + reconnect},
	{"invalid_client_credentials", "", fault.Reauthorize, "Salesforce refuses the consumer secret", "apply the file with the app's present consumer secret, then " + reconnect},
	{"invalid_client", "", fault.Reauthorize, "Salesforce refuses the app's credentials", "compare consumer key and secret with the app in Salesforce Setup, apply the file again, then " + reconnect},
	{"app_not_found", "", fault.Reauthorize, "the app is not installed in this org", "install and approve the app in Salesforce Setup, then " + reconnect},
	{"rate_limit_exceeded", "", fault.RateLimited, "Salesforce's login rate is exceeded", ""},
	{"server_error", "", fault.Transient, "Salesforce's token endpoint has a fault", ""},
	{"temporarily_unavailable", "", fault.Transient, "Salesforce's token endpoint is not available", ""},
	{"redirect_uri_mismatch", "", fault.Config, "the callback URL is not registered with the app", "enter the callback URL in the app exactly as `starter connect --help` shows it"},
	{"invalid_request", "verifier", fault.Invalid, "the PKCE proof does not fit", "start the authorization again"},
	{"invalid_request", "", fault.Config, "Salesforce refuses the token request", "check the app's OAuth settings: the web server flow must be enabled"},
	{"unsupported_grant_type", "", fault.Config, "the app does not allow this OAuth flow", "enable the web server flow and refresh tokens in the app's OAuth settings"},
	{"invalid_scope", "", fault.Config, "the app lacks a scope", "add the scopes api and refresh_token, offline_access to the app"},
}

// TokenAnswer is one line of the table that sorts what the token endpoint answers, for the page that
// explains it.
type TokenAnswer struct {
	Code, Text string // Salesforce's error, and what its description holds in lower case; "" = any
	Kind       fault.Kind
	Message    string // what is wrong
	Hint       string // the next step; "" = none
}

// TokenAnswers gives the table, in the order in which it is read: the first line that fits decides.
func TokenAnswers() []TokenAnswer {
	out := make([]TokenAnswer, len(tokenRules))
	for i, r := range tokenRules {
		out[i] = TokenAnswer{Code: r.code, Text: r.text, Kind: r.kind, Message: r.message, Hint: strings.ReplaceAll(r.hint, thisOne, "support/salesforce-prod")}
	}
	return out
}

// Fits reports whether text, such as a line of a log, is about this answer: it repeats our message, or
// Salesforce's own words.
func (a TokenAnswer) Fits(text string) bool {
	if strings.Contains(text, a.Message) {
		return true
	}
	lower := strings.ToLower(text)
	return a.Code != "" && strings.Contains(lower, a.Code) && strings.Contains(lower, a.Text)
}

// sortError makes a fault of what x/oauth2 returned for the integration called name.
// The answer's body is not repeated: it may hold a token. What it says besides may, too, if something on the
// way repeats what it was sent.
func sortError(err error, name string, sent ...secret.Text) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	var retrieve *oauth2.RetrieveError
	if !errors.As(err, &retrieve) {
		return fault.Wrap(fault.Transient, secret.HideIn(withoutURL(err), sent...), "call Salesforce's token endpoint")
	}
	code, description := clip(secret.Hide(retrieve.ErrorCode, sent...)), secret.Hide(retrieve.ErrorDescription, sent...)
	text := strings.ToLower(description)
	for _, r := range tokenRules {
		if (r.code == "" || r.code == code) && strings.Contains(text, r.text) && (code != "" || r.code == "" && text != "") {
			return &fault.Error{Kind: r.kind, Op: "call Salesforce's token endpoint", Message: r.message + described(description),
				Hint: strings.ReplaceAll(r.hint, thisOne, name), Code: code, RequestID: secret.Hide(requestID(retrieve.Response), sent...)}
		}
	}
	status := 0
	if retrieve.Response != nil {
		status = retrieve.Response.StatusCode
	}
	e := &fault.Error{Kind: fault.Transient, Op: "call Salesforce's token endpoint", Code: code, RequestID: secret.Hide(requestID(retrieve.Response), sent...),
		Message: "Salesforce answered " + http.StatusText(status) + described(description)}
	if code != "" && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		// An error we have no rule for, said by Salesforce itself: a person must look.
		e.Kind, e.Hint = fault.Config, "look the error up in Salesforce's list of OAuth flow errors"
	}
	return e
}

// described quotes Salesforce's own words, bounded.
func described(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	if text == "" {
		return ""
	}
	return ` ("` + text + `")`
}

func requestID(r *http.Response) string {
	if r == nil {
		return ""
	}
	for _, name := range []string{"X-SFDC-Request-Id", "X-Request-Id"} {
		if id := r.Header.Get(name); id != "" {
			return id
		}
	}
	return ""
}

func responseOf(err error) *http.Response {
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) {
		return retrieve.Response
	}
	return nil
}
