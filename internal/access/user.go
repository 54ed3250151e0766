package access

import (
	"context"
	"net/mail"
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// EnsureAdministrator creates the first administrator, with every right on every
// project, if there is no user at all, and reports whether it did.
// Errors: fault.Invalid for an address or password that cannot be.
func (s *Service) EnsureAdministrator(ctx context.Context, email string, password secret.Text) (created bool, err error) {
	// Checked even when there is a user, so that a bad value is found on the first day.
	if email, err = checkEmail(email); err != nil {
		return false, err
	}
	if err := checkPassword(password); err != nil {
		return false, err
	}
	// Hashing is slow on purpose and mostly for nothing here.
	if exists, err := s.store.HasUsers(ctx); err != nil || exists {
		return false, err
	}
	user, err := s.newUser(ctx, email, password, []store.Grant{{Role: Administrator}})
	if err != nil {
		return false, err
	}
	return s.store.CreateFirstUser(ctx, user)
}

// CreateUser adds a user with the given grants. An empty password means that the
// user has tokens only.
// Errors: fault.Conflict when the address is in use, fault.NotFound for a project
// that does not exist, fault.Invalid for what cannot be.
func (s *Service) CreateUser(ctx context.Context, email string, password secret.Text, grants []store.Grant) (id string, err error) {
	if email, err = checkEmail(email); err != nil {
		return "", err
	}
	if password != "" {
		if err := checkPassword(password); err != nil {
			return "", err
		}
	}
	user, err := s.newUser(ctx, email, password, grants)
	if err != nil {
		return "", err
	}
	return s.store.CreateUser(ctx, user)
}

func (s *Service) newUser(ctx context.Context, email string, password secret.Text, grants []store.Grant) (store.NewUser, error) {
	user := store.NewUser{Email: email, Username: username(email), Grants: grants}
	if password != "" {
		phc, err := s.hashPassword(ctx, password)
		if err != nil {
			return user, err
		}
		user.PasswordHash = phc
	}
	return user, nil
}

func checkEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || len(email) > 320 {
		return "", fault.New(fault.Invalid, "%.80q is not an email address", email).WithHint("write it as name@example.com")
	}
	return email, nil
}

// username is the address's local part with what the comments API allows in a
// user name: letters, digits, _ and -.
func username(email string) string {
	local, _, _ := strings.Cut(email, "@")
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, local)
}
