package access

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// How long a browser stays signed in: SessionIdle without a visit, SessionLongest
// at all.
const (
	SessionIdle    = 12 * time.Hour
	SessionLongest = 7 * 24 * time.Hour
)

// SignIn checks a password and begins a session. address is where the request
// came from; before is the session the browser had, which ends ("" = none). The
// session is what goes into the cookie.
//
// Errors: fault.Unauthenticated for everything that does not fit, in the same time
// and with the same words; fault.RateLimited with RetryAfter after too many;
// fault.Transient with RetryAfter when too many sign in at once.
func (s *Service) SignIn(ctx context.Context, email string, password secret.Text, address string, before secret.Text) (secret.Text, error) {
	email = strings.TrimSpace(email)
	// RFC 3696: no address is longer. And what PostgreSQL cannot keep is nobody's address.
	if len(email) > 320 || len(password) > maxPasswordBytes || !utf8.ValidString(email) || strings.ContainsRune(email, 0) {
		return "", wrongSignIn()
	}
	if wait := s.guesses.begin(email, address, s.now()); wait > 0 {
		e := fault.New(fault.RateLimited, "there were too many wrong sign-ins").
			WithHint("wait %d minutes and try again", int((wait+time.Minute-1)/time.Minute))
		e.RetryAfter = wait
		return "", e
	}
	var id, phc string
	switch user, err := s.store.UserByEmail(ctx, email); {
	case err == nil:
		id, phc = user.ID, user.PasswordHash
	case !fault.Is(err, fault.NotFound):
		return "", err
	}
	right, err := s.verifyPassword(ctx, phc, password)
	if err != nil {
		s.guesses.unjudged(email, address)
		return "", err
	}
	if !right {
		return "", wrongSignIn()
	}
	s.guesses.succeeded(email, address)
	session, sum := newCredential("")
	old, _ := hashCredential("", before)
	if err := s.store.AddSession(ctx, id, sum, old, SessionIdle); err != nil {
		return "", err
	}
	return session, nil
}

func wrongSignIn() error {
	return fault.New(fault.Unauthenticated, "email or password is wrong").WithHint("check both and try again")
}

// Session tells who signed in with this cookie; fault.Unauthenticated when nobody
// did, or it is over.
func (s *Service) Session(ctx context.Context, session secret.Text) (Principal, error) {
	sum, ok := hashCredential("", session)
	if !ok {
		return Principal{}, fault.New(fault.Unauthenticated, "not signed in")
	}
	identity, err := s.store.IdentityBySession(ctx, sum, SessionIdle, SessionLongest)
	if fault.Is(err, fault.NotFound) {
		return Principal{}, fault.New(fault.Unauthenticated, "not signed in")
	}
	if err != nil {
		return Principal{}, err
	}
	return newPrincipal("session:"+identity.User.ID, identity), nil
}

// SignOut ends a session. One that is not there is fine.
func (s *Service) SignOut(ctx context.Context, session secret.Text) error {
	sum, ok := hashCredential("", session)
	if !ok {
		return nil
	}
	return s.store.DeleteSession(ctx, sum)
}
