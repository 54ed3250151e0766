package oauth

import (
	"maps"
	"slices"
	"strings"
)

// ProviderError is what Salesforce told the browser instead of giving a code, with
// what the administrator must do about it.
type ProviderError struct {
	Code        string // as Salesforce spells it
	Description string // Salesforce's words, bounded
	Title       string
	Advice      string
}

// Error names the code and Salesforce's words.
func (e *ProviderError) Error() string {
	return "Salesforce refused the authorization: " + e.Code + described(e.Description)
}

// advice by lower-case error code. Sources: Salesforce help, "OAuth Authorization Flow
// Errors"; reports of users for the codes that help does not list.
var advice = map[string]struct{ title, text string }{
	"access_denied": {"Access was not approved",
		"Somebody pressed Deny on Salesforce's consent page. Open the link again and press Allow, signed in as the integration user."},
	"oauth_app_blocked": {"The app is blocked",
		"API Access Control or an administrator blocks this app. In Salesforce Setup, open Connected Apps OAuth Usage, find the app and press Unblock; with API Access Control, install it and admit the integration user."},
	"oauth_app_access_denied": {"The user may not use the app",
		"The app admits pre-authorized users only. In Salesforce Setup, add the integration user's profile or permission set to the app's policies."},
	"oauth_ec_app_not_found": {"The External Client App is not installed",
		"Install the External Client App in this org: Setup, External Client App Manager. Check also that the login address is that of the right org."},
	"invalid_client": {"The app is not installed in this org",
		"Since September 2025 users cannot authorize an app that is not installed. In Salesforce Setup, open Connected Apps OAuth Usage and press Install beside the app, or give the user the permission Approve Uninstalled Connected Apps."},
	"oauth_approval_error_generic": {"Salesforce could not approve the app",
		"Usually the app is not installed in this org or not open to this user. In Salesforce Setup, install the app and admit the integration user in its policies."},
	"redirect_uri_mismatch": {"The callback URL is not registered",
		"Enter the callback URL in the app's OAuth settings, to the letter. A change takes up to ten minutes to act."},
	"invalid_client_id": {"Salesforce does not know the consumer key",
		"Compare the consumer key in the settings of the integration (consumer_key in its file) with the app's. A new app takes up to ten minutes to be known."},
	"invalid_scope": {"The app lacks a scope",
		"Add the scopes api and refresh_token, offline_access to the app's OAuth settings."},
	"unsupported_response_type": {"The app does not allow the web server flow",
		"Enable the Authorization Code and Credentials or web server flow in the app's OAuth settings."},
}

// ConsentAnswer is what Salesforce's consent page may send back instead of a code, for the page that explains it.
type ConsentAnswer struct{ Code, Title, Advice string }

// ConsentAnswers gives all that are known, by code.
func ConsentAnswers() []ConsentAnswer {
	var out []ConsentAnswer
	for _, code := range slices.Sorted(maps.Keys(advice)) {
		out = append(out, ConsentAnswer{code, advice[code].title, advice[code].text})
	}
	return out
}

// Fits reports whether text, such as a line of a log, is about this answer.
func (a ConsentAnswer) Fits(text string) bool {
	plain := strings.ReplaceAll(strings.ToLower(text), "-", "_")
	return plain == a.Code || strings.Contains(text, a.Title) || strings.Contains(plain, "refused the authorization: "+a.Code)
}

func newProviderError(code, description string) *ProviderError {
	e := &ProviderError{Code: clip(code), Description: description,
		Title:  "Salesforce refused the authorization",
		Advice: "Open the link again. If it happens again, look the error up in Salesforce's list of OAuth flow errors, or send it to whoever runs this integration."}
	key := strings.ReplaceAll(strings.ToLower(code), "-", "_") // help prints access-denied for this flow
	if a, ok := advice[key]; ok {
		e.Title, e.Advice = a.title, a.text
	}
	return e
}

// clip keeps what a browser sent short and on one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "")
	}
	return s
}
