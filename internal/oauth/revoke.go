package oauth

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// revoke gives a grant back: revoking the refresh token ends its access tokens too
// (Salesforce help, "Revoke OAuth Tokens"). A token that Salesforce no longer knows is revoked.
func (s *Service) revoke(ctx context.Context, c *store.Connection, refresh, access secret.Text) error {
	token := refresh
	if token == "" {
		token = access
	}
	if token == "" {
		return nil
	}
	const hint = "revoke the app in Salesforce Setup under Connected Apps OAuth Usage"
	login, err := s.Hosts.Parse(c.LoginURL)
	if err != nil {
		return fault.Wrap(fault.Config, err, "revoke the access of %s", c.Name()).WithHint(hint)
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	body := url.Values{"token": {token.Reveal()}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, login.String()+"/services/oauth2/revoke", strings.NewReader(body))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "revoke the access of %s", c.Name())
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := salesforce.NewHTTPClient(s.Transport).Do(req)
	if err != nil {
		return fault.Wrap(fault.Transient, withoutURL(err), "revoke the access of %s at Salesforce", c.Name()).WithHint(hint)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusBadRequest {
		return nil // 400: unknown or revoked already
	}
	return fault.New(fault.Transient, "revoke the access of %s: Salesforce answered %d", c.Name(), resp.StatusCode).WithHint(hint)
}

// giveBack revokes what cannot be kept, also when whoever asked for it has gone. If
// Salesforce does not answer the grant stays there until somebody revokes it.
func (s *Service) giveBack(ctx context.Context, c *store.Connection, refresh, access secret.Text) {
	_ = s.revoke(context.WithoutCancel(ctx), c, refresh, access)
}
