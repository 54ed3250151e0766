package access

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

const maxTokenName = 128 // characters

// NewToken is what a token is to be. The zero Expires is never; a nil Scope is all that its user
// may do.
type NewToken struct {
	Name    string
	Expires time.Time
	Scope   []store.Grant
}

// CreateToken makes an API token for a user and returns it: the one time that
// anybody sees it. A zero expires is never.
// Errors: fault.NotFound for an unknown user, fault.Invalid for a name or time that cannot be.
func (s *Service) CreateToken(ctx context.Context, email, name string, expires time.Time) (secret.Text, error) {
	return s.CreateScopedToken(ctx, email, NewToken{Name: name, Expires: expires})
}

// CreateScopedToken is CreateToken for a token that may do less than its user. Its scope may name
// what the user may not do: such a part comes to life when the user may.
// Errors: as CreateToken; fault.NotFound for a project that does not exist, too.
func (s *Service) CreateScopedToken(ctx context.Context, email string, t NewToken) (secret.Text, error) {
	if err := s.checkToken(&t); err != nil {
		return "", err
	}
	user, err := s.user(ctx, email)
	if err != nil {
		return "", err
	}
	_, token, err := s.addToken(ctx, user.ID, t)
	return token, err
}

// CreateOwnToken makes a token for whoever asks, with no more than what they may do themselves: a nil
// Scope is their own, and a token made with a token lives no longer than that.
// Errors: fault.Forbidden for a scope that is wider, fault.Invalid for what cannot be,
// fault.Conflict when there are too many already.
func (s *Service) CreateOwnToken(ctx context.Context, who Principal, t NewToken) (made store.Token, token secret.Text, err error) {
	if err := s.checkToken(&t); err != nil {
		return made, "", err
	}
	if t.Scope == nil {
		t.Scope = who.Scope
	} else {
		for _, g := range t.Scope {
			if !who.Covers(g) {
				return made, "", fault.New(fault.Forbidden, "the scope names %s, which you do not have yourself%s", grantName(g), place(g.Project))
			}
		}
	}
	if who.ExpiresAt != nil && (t.Expires.IsZero() || t.Expires.After(*who.ExpiresAt)) {
		t.Expires = *who.ExpiresAt
	}
	id, token, err := s.addToken(ctx, who.UserID, t)
	if err != nil {
		return made, "", err
	}
	list, err := s.store.Tokens(ctx, who.UserID)
	if err != nil {
		return made, "", err
	}
	for _, made := range list {
		if made.ID == id {
			return made, token, nil
		}
	}
	return made, "", fault.New(fault.Internal, "the new token is not there")
}

// OwnTokens lists the tokens of whoever asks, newest first, without the tokens.
func (s *Service) OwnTokens(ctx context.Context, who Principal) ([]store.Token, error) {
	return s.store.Tokens(ctx, who.UserID)
}

// RevokeOwnToken ends a token of whoever asks. A scoped token ends itself alone: it may do little, and
// not what all the others do.
// Errors: fault.NotFound for an id that is none of theirs, fault.Forbidden.
func (s *Service) RevokeOwnToken(ctx context.Context, who Principal, id string) error {
	if who.Scope != nil && !strings.EqualFold(id, who.TokenID) {
		return fault.New(fault.Forbidden, "a scoped token revokes itself alone")
	}
	return s.RevokeTokenOf(ctx, who.UserID, id)
}

// TokensOf lists the API tokens of a user, newest first, without the tokens.
func (s *Service) TokensOf(ctx context.Context, userID string) ([]store.Token, error) {
	return s.store.Tokens(ctx, userID)
}

// RevokeTokenOf ends a token of a user. Errors: fault.NotFound for an id that is none of theirs.
func (s *Service) RevokeTokenOf(ctx context.Context, userID, id string) error {
	if uuid.Validate(id) != nil {
		return fault.New(fault.NotFound, "there is no API token %.40q", id)
	}
	return s.store.RevokeToken(ctx, userID, id)
}

// checkToken refuses what cannot be, and writes roles of the scope as the permissions they are today.
func (s *Service) checkToken(t *NewToken) error {
	t.Name = strings.TrimSpace(t.Name)
	if n := utf8.RuneCountInString(t.Name); n < 1 || n > maxTokenName || !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, isControl) {
		return fault.New(fault.Invalid, "the token's name must have 1 to %d characters and no control characters", maxTokenName).
			WithHint("name it for what will use it, such as \"nightly export\"")
	}
	if !t.Expires.IsZero() && !t.Expires.After(s.now()) {
		return fault.New(fault.Invalid, "the token would expire at %s, which has passed", t.Expires.UTC().Format(time.RFC3339)).
			WithHint("give a time to come, or none for a token that does not expire")
	}
	if t.Scope == nil {
		return nil
	}
	scope := []store.Grant{}
	for _, g := range t.Scope {
		if _, err := Grant(g.Project, grantName(g)); err != nil {
			return err
		}
		for _, permission := range expand(g) {
			scope = append(scope, store.Grant{Project: g.Project, Permission: permission})
		}
	}
	if len(scope) == 0 {
		return fault.New(fault.Invalid, "the scope is empty: the token could do nothing").WithHint("name a permission, or leave the scope out")
	}
	t.Scope = scope
	return nil
}

func (s *Service) addToken(ctx context.Context, userID string, t NewToken) (id string, token secret.Text, err error) {
	token, sum := newCredential(tokenPrefix)
	kept := store.NewToken{UserID: userID, Name: t.Name, Hash: sum, Scope: t.Scope}
	if !t.Expires.IsZero() {
		kept.ExpiresAt = &t.Expires
	}
	id, err = s.store.AddToken(ctx, kept)
	return id, token, err
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
	return s.store.RevokeToken(ctx, "", id)
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
