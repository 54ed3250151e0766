package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// BeginParams says who begins to authorize what.
type BeginParams struct {
	IntegrationID string
	UserID        string // of the signed-in user; "" when a link led here
	LinkHash      []byte // of the one-time link; nil for a signed-in user
	BrowserHash   []byte // hash of a cookie that the browser was given
}

// Begin stores an attempt and returns the address of Salesforce's login and consent
// to send the browser to.
func (s *Service) Begin(ctx context.Context, p BeginParams) (string, error) {
	c, err := s.Store.LoadConnection(ctx, p.IntegrationID)
	if err != nil {
		return "", err
	}
	cfg, err := s.config(c)
	if err != nil {
		return "", err
	}
	state, stateHash := NewSecret()
	verifier := oauth2.GenerateVerifier()
	if err := s.Store.CreateAttempt(ctx, stateHash, store.Attempt{
		IntegrationID: p.IntegrationID, Verifier: secret.Text(verifier), BrowserHash: p.BrowserHash, UserID: p.UserID, LinkHash: p.LinkHash,
	}, time.Now().Add(AttemptLife)); err != nil {
		return "", err
	}
	// Without prompt, Salesforce grants in silence what the user approved before: one click on
	// somebody's link would then connect an integration that nobody meant to connect.
	return cfg.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "consent")), nil
}

// FinishParams is what came back with the browser.
type FinishParams struct {
	State, Code             string
	Error, ErrorDescription string
	BrowserHash             []byte // hash of the browser's cookie; nil when it has none
}

// Outcome says how an authorization ended well.
type Outcome struct {
	Project, Integration string
	Username             string
	// Confirm is set when the grant is of another user of the same org: it is kept
	// under this secret until Confirm is called with it.
	Confirm      string
	PreviousUser string
	UserID       string // who began; "" for a link
}

// Finish checks the callback, exchanges the code and commits the grant. Errors:
// fault.Invalid for a foreign, used or old state; *ProviderError for what Salesforce
// said to the browser; *OtherOrgError; those of the token endpoint.
func (s *Service) Finish(ctx context.Context, p FinishParams) (Outcome, error) {
	if p.State == "" {
		return Outcome{}, fault.New(fault.Invalid, "the answer from Salesforce carries no state").
			WithHint("start the authorization again from its first page")
	}
	// Taken before anything else is done: a state works once, also for an error.
	attempt, err := s.Store.TakeAttempt(ctx, Hash(p.State))
	if err != nil {
		return Outcome{}, err
	}
	if subtle.ConstantTimeCompare(attempt.BrowserHash, p.BrowserHash) != 1 {
		return Outcome{}, fault.New(fault.Invalid, "this answer from Salesforce belongs to another browser").
			WithHint("start the authorization again, and finish it in the same browser")
	}
	c, err := s.Store.LoadConnection(ctx, attempt.IntegrationID)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Project: c.Project, Integration: c.Integration, UserID: attempt.UserID}
	if p.Error != "" {
		return out, newProviderError(p.Error, p.ErrorDescription)
	}
	if p.Code == "" {
		return out, fault.New(fault.Invalid, "the answer from Salesforce carries no code").WithHint("start the authorization again from its first page")
	}
	cfg, err := s.config(c)
	if err != nil {
		return out, err
	}
	token, err := s.token(ctx, c.Name(), cfg, func(ctx context.Context, cfg *oauth2.Config) (*oauth2.Token, error) {
		return cfg.Exchange(ctx, p.Code, oauth2.VerifierOption(attempt.Verifier.Reveal()))
	}, secret.Text(p.Code), attempt.Verifier)
	if err != nil {
		return out, err
	}
	grant, err := s.grantOf(ctx, c, token)
	if err != nil {
		s.giveBack(ctx, c, secret.Text(token.RefreshToken), secret.Text(token.AccessToken))
		return out, err
	}
	grant.LinkHash, grant.ByUserID = attempt.LinkHash, attempt.UserID
	out.Username = grant.Username
	return s.save(ctx, c, grant, out, p.BrowserHash)
}

// pendingHash is what a kept grant is stored under: its secret works only in the
// browser that was given it.
func pendingHash(confirm string, browserHash []byte) []byte {
	return Hash(confirm + "\x00" + string(browserHash))
}

func (s *Service) save(ctx context.Context, c *store.Connection, grant store.SalesforceGrant, out Outcome, browserHash []byte) (Outcome, error) {
	grant.ByRoles = s.Roles
	err := s.Store.SaveGrant(ctx, grant)
	var otherUser *store.OtherUserError
	switch {
	case err == nil:
		if c.Refresh != grant.Refresh {
			s.giveBack(ctx, c, c.Refresh, c.Access) // the grant before; nobody uses it any more
		}
		return out, nil
	case fault.Is(err, fault.Unreachable):
		return out, err // it may have been committed: giving it back could end the connection
	case errors.As(err, &otherUser):
		text, _ := NewSecret()
		if err := s.Store.SavePendingGrant(ctx, pendingHash(text, browserHash), grant, out.UserID, time.Now().Add(PendingLife)); err != nil {
			s.giveBack(ctx, c, grant.Refresh, grant.Access)
			return out, err
		}
		out.Confirm, out.PreviousUser = text, otherUser.Bound
		return out, nil
	}
	// What cannot be kept is given back. The connection that is in force has another grant.
	s.giveBack(ctx, c, grant.Refresh, grant.Access)
	var otherOrg *store.OtherOrgError
	if errors.As(err, &otherOrg) {
		return out, &OtherOrgError{Bound: orgName(c.OrgID, c.Username), Granted: orgName(grant.OrgID, grant.Username), cause: err}
	}
	return out, err
}

// OtherOrgError says that a grant is of another org, naming both for people.
type OtherOrgError struct {
	Bound, Granted string // "00D… (user@example.com)"
	cause          error
}

// Error names both orgs.
func (e *OtherOrgError) Error() string {
	return "the integration is bound to org " + e.Bound + ", this grant is of org " + e.Granted
}

// Unwrap returns the store's refusal.
func (e *OtherOrgError) Unwrap() error { return e.cause }

func orgName(id, username string) string {
	if username == "" {
		return id
	}
	return id + " (" + username + ")"
}

// Confirm commits a grant that was kept because it is of another user. It works once,
// and only in the browser that the grant came with.
func (s *Service) Confirm(ctx context.Context, confirm string, browserHash []byte) (Outcome, error) {
	grant, err := s.Store.TakePendingGrant(ctx, pendingHash(confirm, browserHash))
	if err != nil {
		return Outcome{}, err
	}
	c, err := s.Store.LoadConnection(ctx, grant.IntegrationID)
	if err != nil {
		return Outcome{}, err
	}
	grant.Confirmed = true
	return s.save(ctx, c, grant, Outcome{Project: c.Project, Integration: c.Integration, Username: grant.Username}, browserHash)
}

// Decline gives a kept grant back to Salesforce.
func (s *Service) Decline(ctx context.Context, confirm string, browserHash []byte) (Outcome, error) {
	grant, err := s.Store.TakePendingGrant(ctx, pendingHash(confirm, browserHash))
	if err != nil {
		return Outcome{}, err
	}
	c, err := s.Store.LoadConnection(ctx, grant.IntegrationID)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.revoke(ctx, c, grant.Refresh, grant.Access); err != nil {
		return Outcome{}, err
	}
	return Outcome{Project: c.Project, Integration: c.Integration, Username: grant.Username}, nil
}

// SweepPending gives back the grants that nobody confirmed in time. It returns how many.
func (s *Service) SweepPending(ctx context.Context) (int, error) {
	grants, err := s.Store.TakeExpiredGrants(ctx)
	for _, g := range grants {
		c, lerr := s.Store.LoadConnection(ctx, g.IntegrationID)
		if lerr != nil {
			err = errors.Join(err, lerr)
			continue
		}
		err = errors.Join(err, s.revoke(context.WithoutCancel(ctx), c, g.Refresh, g.Access))
	}
	return len(grants), err
}

// grantOf reads what Salesforce sends beside the tokens: the identity URL ends in
// /id/<org>/<user>, and instance_url is where the API is.
func (s *Service) grantOf(ctx context.Context, c *store.Connection, token *oauth2.Token) (store.SalesforceGrant, error) {
	text := func(key string) string { v, _ := token.Extra(key).(string); return v }
	instance, err := s.Hosts.Parse(text("instance_url"))
	if err != nil {
		return store.SalesforceGrant{}, fault.Wrap(fault.Config, err, "the org's instance_url").WithHint("%s", fault.HintOf(err))
	}
	org, user, ok := identity(text("id"))
	if !ok {
		return store.SalesforceGrant{}, fault.New(fault.Transient, "Salesforce did not say which org and user the grant is of")
	}
	if token.RefreshToken == "" {
		return store.SalesforceGrant{}, fault.New(fault.Config, "Salesforce gave no refresh token").
			WithHint("add the scope refresh_token, offline_access to the app, and set its refresh token policy to valid until revoked")
	}
	g := store.SalesforceGrant{IntegrationID: c.IntegrationID, OrgID: org, UserID: user, Username: user,
		InstanceURL: instance.String(), Access: secret.Text(token.AccessToken), Refresh: secret.Text(token.RefreshToken)}
	client := salesforce.New(salesforce.Options{Tokens: oneToken{salesforce.Token{Access: g.Access, InstanceURL: g.InstanceURL}},
		Hosts: s.Hosts, Transport: s.Transport, APIVersion: s.APIVersion})
	// The name is for people; some orgs hide it.
	if info, err := client.UserInfo(ctx); err == nil && info.Username != "" {
		g.Username = info.Username
	}
	return g, nil
}

// oneToken is a token that was not stored yet and cannot be renewed.
type oneToken struct{ token salesforce.Token }

func (t oneToken) Token(context.Context) (salesforce.Token, error) { return t.token, nil }
func (t oneToken) Refresh(context.Context, int64) (salesforce.Token, error) {
	return salesforce.Token{}, fault.New(fault.Transient, "the new token was refused")
}

// identity splits "https://…/id/00D…/005…".
func identity(raw string) (org, user string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) != 3 || parts[0] != "id" {
		return "", "", false
	}
	org, user = salesforce.To18(parts[1]), salesforce.To18(parts[2])
	return org, user, org != "" && user != ""
}
