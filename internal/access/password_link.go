package access

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// PasswordLinkLife is how long a link is good with which a user chooses a password.
const PasswordLinkLife = 7 * 24 * time.Hour

// MayLink refuses with fault.Forbidden to make a link with which the user chooses a password. Whoever has it could
// become the user: it needs tenant-admin, and all that the user may do. One's own is changed with the one before.
func MayLink(who Principal, user store.Account) error {
	if !who.CanGlobally(TenantAdmin) {
		return fault.New(fault.Forbidden, "this needs the permission %s", TenantAdmin)
	}
	if user.ID == who.UserID {
		return fault.New(fault.Forbidden, "you cannot make a link for yourself").WithHint("change your password under My account")
	}
	if user.DisabledAt != nil {
		return fault.New(fault.Conflict, "the user is disabled").WithHint("enable the user first")
	}
	for _, g := range user.Grants {
		if !who.Covers(g) {
			return fault.New(fault.Forbidden, "the user has %s%s, which you do not have yourself", grantName(g), place(g.Project))
		}
	}
	return nil
}

// PasswordLink makes a one-time link with which the user chooses a password. It is good until it is used, another
// one is made, or the user is given a right.
// Errors: fault.NotFound, and those of MayLink.
func (s *Service) PasswordLink(ctx context.Context, who Principal, userID string) (secret.Text, error) {
	link, sum := NewOneTime()
	if err := s.store.AddPasswordLink(ctx, userID, sum, PasswordLinkLife, func(a store.Account) error { return MayLink(who, a) }); err != nil {
		return "", err
	}
	return link, nil
}

// LinkedUser gives the address of the user whom a password link is for. To look does not spend it: mail
// scanners open links.
// Errors: fault.Unauthenticated for one that does not work, fault.RateLimited after many of these.
func (s *Service) LinkedUser(ctx context.Context, link secret.Text, address string) (email string, err error) {
	err = s.withLink(link, address, func(sum []byte) (err error) {
		email, err = s.store.PasswordLinkUser(ctx, sum)
		return err
	})
	return email, err
}

// ChoosePassword spends a password link: the user has the password, and is signed in here and nowhere else.
// before is the session the browser had, which ends.
// Errors: as LinkedUser; fault.Invalid for a password that cannot be.
func (s *Service) ChoosePassword(ctx context.Context, link, password secret.Text, address string, before secret.Text) (session secret.Text, err error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	if _, err := s.LinkedUser(ctx, link, address); err != nil { // before the work of hashing
		return "", err
	}
	phc, err := s.hashPassword(ctx, password)
	if err != nil {
		return "", err
	}
	err = s.withLink(link, address, func(sum []byte) error {
		id, err := s.store.SpendPasswordLink(ctx, sum, phc)
		if err == nil {
			session, err = s.begin(ctx, id, before)
		}
		return err
	})
	return session, err
}

// withLink does something with what is kept of a link, and slows those down who try many.
func (s *Service) withLink(link secret.Text, address string, do func(sum []byte) error) error {
	if err := s.CheckGuess(address); err != nil {
		return err
	}
	sum, ok := HashOneTime(link)
	var err error
	if ok {
		err = do(sum)
	}
	if !ok || fault.Is(err, fault.NotFound) {
		if link != "" {
			s.WrongGuess(address)
		}
		return fault.New(fault.Unauthenticated, "this link was used already, was replaced by a newer one, or has run out").
			WithHint("ask an administrator for a new one")
	}
	return err
}
