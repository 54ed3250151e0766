package access

import (
	"context"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// ChangePassword gives whoever asks another password in place of the present one. All sessions end; the
// new one that is returned is for the browser that asked.
// Errors: fault.Unauthenticated when the present one is wrong, fault.RateLimited after too many of these,
// fault.Invalid for a new one that cannot be.
func (s *Service) ChangePassword(ctx context.Context, who Principal, present, next secret.Text, address string) (session secret.Text, err error) {
	if err := checkPassword(next); err != nil {
		return "", err
	}
	present = present[:min(len(present), maxPasswordBytes+1)] // a longer one is nobody's
	right, err := s.checkPresent(ctx, who.Email, present, address, func() (string, error) {
		a, err := s.store.AccountByID(ctx, who.UserID)
		if err != nil {
			return "", err
		}
		return a.PasswordHash, nil
	})
	if err != nil {
		return "", err
	}
	if !right {
		return "", fault.New(fault.Unauthenticated, "that is not your present password").WithHint("type it again")
	}
	if err := s.SetPassword(ctx, who.UserID, next); err != nil {
		return "", err
	}
	return s.begin(ctx, who.UserID, "")
}

// OwnSessions lists where whoever asks is signed in, newest first; session is the one that asks.
func (s *Service) OwnSessions(ctx context.Context, who Principal, session secret.Text) ([]store.Session, error) {
	here, _ := hashCredential("", session)
	return s.store.Sessions(ctx, who.UserID, here)
}

// EndOwnSessions signs whoever asks out everywhere but in the session that asks, "" = there too, and says
// how many there were.
func (s *Service) EndOwnSessions(ctx context.Context, who Principal, session secret.Text) (int64, error) {
	except, ok := hashCredential("", session)
	if session != "" && !ok {
		return 0, fault.New(fault.Unauthenticated, "not signed in")
	}
	return s.store.EndSessions(ctx, who.UserID, except)
}
