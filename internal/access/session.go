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

// How long a browser stays signed in: SessionIdle without a visit, SessionLongest
// at all. Every SessionRotate it gets a new secret, and the one before is good for
// SessionGrace longer, for what it asked at the same time.
const (
	SessionIdle    = 12 * time.Hour
	SessionLongest = 7 * 24 * time.Hour
	SessionRotate  = 15 * time.Minute
	SessionGrace   = time.Minute
)

var sessionTimes = store.SessionTimes{Idle: SessionIdle, Longest: SessionLongest, Rotate: SessionRotate, Grace: SessionGrace}

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
	var id string
	right, err := s.checkPresent(ctx, email, password, address, func() (phc string, err error) {
		user, err := s.store.UserByEmail(ctx, email)
		if fault.Is(err, fault.NotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		id = user.ID
		return user.PasswordHash, nil
	})
	if err != nil {
		return "", err
	}
	if !right {
		return "", wrongSignIn()
	}
	return s.begin(ctx, id, before)
}

// checkPresent reports whether a password is what read gives the hash of, "" = nobody's, in the same time. It
// counts those that are wrong, and after too many does not look any more: fault.RateLimited.
func (s *Service) checkPresent(ctx context.Context, email string, password secret.Text, address string, read func() (phc string, err error)) (right bool, err error) {
	if wait := s.guesses.begin(email, address, s.now()); wait > 0 {
		e := fault.New(fault.RateLimited, "there were too many wrong sign-ins").
			WithHint("wait %d minutes and try again", int((wait+time.Minute-1)/time.Minute))
		e.RetryAfter = wait
		return false, e
	}
	phc, err := read()
	if err != nil {
		return false, err
	}
	if right, err = s.verifyPassword(ctx, phc, password); err != nil {
		s.guesses.unjudged(email, address)
		return false, err
	}
	if right {
		s.guesses.succeeded(email, address)
	}
	return right, nil
}

// begin begins a session of the user with a new secret, and ends the one that the browser had.
func (s *Service) begin(ctx context.Context, userID string, before secret.Text) (secret.Text, error) {
	session, sum := newCredential("")
	old, _ := hashCredential("", before)
	if err := s.store.AddSession(ctx, userID, sum, old, SessionIdle); err != nil {
		return "", err
	}
	return session, nil
}

// Identity is who somebody is by the word of an identity provider.
type Identity struct {
	Issuer  string
	Subject string
	Email   string // that the provider has verified
}

// SignInAs is SignIn for somebody whom an identity provider has signed in. A user is found by the
// subject, and the first time by the address; with create, an unknown one is made, without rights.
// Errors: fault.Unauthenticated when nobody is let in by that identity.
func (s *Service) SignInAs(ctx context.Context, who Identity, create bool, before secret.Text) (secret.Text, error) {
	email, err := checkEmail(who.Email)
	if err != nil {
		return "", noSuchIdentity()
	}
	id, err := s.store.UserByIdentity(ctx, who.Issuer, who.Subject, store.NewUser{Email: email, Username: username(email)}, create)
	if fault.Is(err, fault.NotFound, fault.Conflict) {
		return "", noSuchIdentity()
	}
	if err != nil {
		return "", err
	}
	return s.begin(ctx, id, before)
}

func noSuchIdentity() error {
	return fault.New(fault.Unauthenticated, "your account at the identity provider has no access here").
		WithHint("ask an administrator to add your address, with `starter user add`")
}

func wrongSignIn() error {
	return fault.New(fault.Unauthenticated, "email or password is wrong").WithHint("check both and try again")
}

// Session tells who signed in with this cookie; fault.Unauthenticated when nobody
// did, or it is over.
func (s *Service) Session(ctx context.Context, session secret.Text) (Principal, error) {
	who, _, _, err := s.session(ctx, session)
	return who, err
}

// Visit is Session for an answer that can take a new cookie along: renewed is what to put
// into it, "" when it stays as it is.
func (s *Service) Visit(ctx context.Context, session secret.Text) (who Principal, renewed secret.Text, err error) {
	who, sum, due, err := s.session(ctx, session)
	if err != nil || !due {
		return who, "", err
	}
	next, nextSum := newCredential("")
	offered, err := s.store.OfferSession(ctx, sum, nextSum, sessionTimes)
	if err != nil {
		return Principal{}, "", err
	}
	if !offered { // a request beside this one got it
		next = ""
	}
	return who, next, nil
}

func (s *Service) session(ctx context.Context, session secret.Text) (who Principal, sum []byte, due bool, err error) {
	sum, ok := hashCredential("", session)
	if !ok {
		return who, nil, false, notSignedIn()
	}
	identity, err := s.store.IdentityBySession(ctx, sum, sessionTimes)
	if fault.Is(err, fault.NotFound) {
		return who, nil, false, notSignedIn()
	}
	if err != nil {
		return who, nil, false, err
	}
	return newPrincipal("session:"+identity.User.ID, identity), sum, identity.RotationDue, nil
}

func notSignedIn() error { return fault.New(fault.Unauthenticated, "not signed in") }

// SignOut ends a session. One that is not there is fine.
func (s *Service) SignOut(ctx context.Context, session secret.Text) error {
	sum, ok := hashCredential("", session)
	if !ok {
		return nil
	}
	return s.store.DeleteSession(ctx, sum)
}
