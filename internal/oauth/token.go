package oauth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// Tokens is the token source of one connection. It keeps nothing: every token is
// read from the store when it is used.
func (s *Service) Tokens(integrationID string) salesforce.TokenSource {
	return source{service: s, id: integrationID}
}

type source struct {
	service *Service
	id      string
}

// Token returns the token of the newest generation. fault.Reauthorize when there is none.
func (t source) Token(ctx context.Context) (salesforce.Token, error) {
	c, err := t.service.Store.LoadConnection(ctx, t.id)
	if err != nil {
		return salesforce.Token{}, err
	}
	return tokenOf(c)
}

func tokenOf(c *store.Connection) (salesforce.Token, error) {
	if c.State != store.ConnectionGranted {
		e := fault.New(fault.Reauthorize, "not connected to Salesforce (%s)", c.State)
		if c.LostReason != "" {
			e = fault.New(fault.Reauthorize, "%s", c.LostReason)
		}
		return salesforce.Token{}, e.WithHint("run `starter connect %s`", c.Name())
	}
	return salesforce.Token{Access: c.Access, InstanceURL: c.TokenURL, Generation: c.Generation, Since: c.RenewedAt}, nil
}

// Refresh returns a token newer than generation used. One process renews; the others
// do not queue for it but look again until the generation has moved.
func (t source) Refresh(ctx context.Context, used int64) (salesforce.Token, error) {
	for {
		c, err := t.service.Store.LoadConnection(ctx, t.id)
		if err != nil {
			return salesforce.Token{}, err
		}
		if c.Generation != used || c.State != store.ConnectionGranted {
			return tokenOf(c)
		}
		var got store.Refreshed
		err = t.service.Store.RefreshConnection(ctx, t.id, used, func(ctx context.Context, c *store.Connection) (_ store.Refreshed, err error) {
			got, err = t.service.renew(ctx, c)
			return got, err
		})
		if err == nil {
			continue // read it back: what is used is what was committed
		}
		if errors.Is(err, store.ErrOvertaken) {
			t.service.giveBack(ctx, c, got.Refresh, got.Access)
			continue
		}
		if !errors.Is(err, store.ErrRefreshing) {
			return salesforce.Token{}, err
		}
		select {
		case <-ctx.Done():
			return salesforce.Token{}, context.Cause(ctx)
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// Renew gets a new session of the connection, unless there is one newer than generation.
func (s *Service) Renew(ctx context.Context, integrationID string, generation int64) error {
	_, err := s.Tokens(integrationID).Refresh(ctx, generation)
	return err
}

// renew asks the token endpoint. The call goes on when its caller gives up: with
// rotation, an answer that is not read is a grant that is lost.
func (s *Service) renew(ctx context.Context, c *store.Connection) (store.Refreshed, error) {
	ctx = context.WithoutCancel(ctx)
	cfg, err := s.config(c)
	if err != nil {
		return store.Refreshed{}, err
	}
	token, err := s.token(ctx, c.Name(), cfg, func(ctx context.Context, cfg *oauth2.Config) (*oauth2.Token, error) {
		return cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: c.Refresh.Reveal()}).Token()
	}, c.Refresh)
	if fault.Is(err, fault.Reauthorize) && !c.RefreshStarted.IsZero() {
		return store.Refreshed{}, fault.Wrap(fault.Reauthorize, err,
			"the answer to a token refresh begun at %s never arrived, and Salesforce has replaced the token since", c.RefreshStarted.UTC().Format(time.RFC3339)).
			WithHint("nothing is lost: connect again once with `starter connect %s`", c.Name())
	}
	if err != nil {
		return store.Refreshed{}, err
	}
	out := store.Refreshed{Access: secret.Text(token.AccessToken)}
	// x/oauth2 fills in the old refresh token when the answer has none; some orgs echo it. Only another one is new.
	if token.RefreshToken != c.Refresh.Reveal() {
		out.Refresh = secret.Text(token.RefreshToken)
	}
	if raw, _ := token.Extra("instance_url").(string); raw != "" {
		instance, err := s.Hosts.Parse(raw)
		if err != nil {
			// The rotated token must be kept whatever else is wrong with the answer.
			return out, nil //nolint:nilerr // see above
		}
		out.InstanceURL = instance.String()
	}
	return out, nil
}

// Disconnect gives the access back at Salesforce and erases the tokens here. The
// erasing is done also when Salesforce does not answer; then the error says that the
// administrator should revoke the app there.
func (s *Service) Disconnect(ctx context.Context, integrationID string) error {
	c, err := s.Store.LoadConnection(ctx, integrationID)
	if err != nil {
		return err
	}
	revoked := s.revoke(ctx, c, c.Refresh, c.Access)
	if err := s.Store.Disconnect(ctx, integrationID); err != nil {
		return err
	}
	return revoked
}

// withoutURL drops the address from a transport error: it adds nothing, and a
// token endpoint's may one day carry something.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
