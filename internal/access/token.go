package access

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

const maxTokenName = 128 // characters

// CreateToken makes an API token for a user and returns it: the one time that
// anybody sees it. A zero expires is never.
// Errors: fault.NotFound for an unknown user, fault.Invalid for a name or time that cannot be.
func (s *Service) CreateToken(ctx context.Context, email, name string, expires time.Time) (secret.Text, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > maxTokenName || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return "", fault.New(fault.Invalid, "the token's name must have 1 to %d characters and no control characters", maxTokenName).
			WithHint("name it for what will use it, such as \"nightly export\"")
	}
	var until *time.Time
	if !expires.IsZero() {
		if !expires.After(s.now()) {
			return "", fault.New(fault.Invalid, "the token would expire at %s, which has passed", expires.UTC().Format(time.RFC3339)).
				WithHint("give a time to come, or none for a token that does not expire")
		}
		until = &expires
	}
	user, err := s.user(ctx, email)
	if err != nil {
		return "", err
	}
	token, sum := newCredential(tokenPrefix)
	if _, err := s.store.AddToken(ctx, user.ID, name, sum, until); err != nil {
		return "", err
	}
	return token, nil
}

// ListTokens lists the user's API tokens, newest first, without the tokens.
func (s *Service) ListTokens(ctx context.Context, email string) ([]store.Token, error) {
	user, err := s.user(ctx, email)
	if err != nil {
		return nil, err
	}
	return s.store.Tokens(ctx, user.ID)
}

// RevokeToken ends the API token with this id (see ListTokens) at once. It may be
// repeated; fault.NotFound for an id that never was.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.store.RevokeToken(ctx, id)
}

// Authenticate tells who an API token belongs to; fault.Unauthenticated when it is
// nobody's, expired or revoked.
func (s *Service) Authenticate(ctx context.Context, token secret.Text) (Principal, error) {
	sum, ok := hashCredential(tokenPrefix, token)
	if !ok {
		return Principal{}, badToken()
	}
	identity, err := s.store.IdentityByToken(ctx, sum)
	if fault.Is(err, fault.NotFound) {
		return Principal{}, badToken()
	}
	if err != nil {
		return Principal{}, err
	}
	return newPrincipal("token:"+identity.Key, identity), nil
}

func badToken() error {
	return fault.New(fault.Unauthenticated, "the API token is unknown, expired or revoked").
		WithHint("make one with `starter token create`")
}

func (s *Service) user(ctx context.Context, email string) (*store.User, error) {
	user, err := s.store.UserByEmail(ctx, strings.TrimSpace(email))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.NotFound, err, "there is no user %s", email).WithHint("check the address")
	}
	return user, err
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
