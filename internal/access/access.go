package access

import (
	"context"
	"time"

	"salesforcesync/internal/gate"
	"salesforcesync/internal/store"
)

// Service signs people and programs in. It is safe for concurrent use.
type Service struct {
	store   Store
	guesses *guesses
	hashing *gate.Gate // bounds the memory that password hashing takes
	now     func() time.Time
}

// Store is what access keeps; *store.Store is one.
type Store interface {
	HasUsers(ctx context.Context) (bool, error)
	UserByEmail(ctx context.Context, email string) (*store.User, error)
	CreateUser(ctx context.Context, u store.NewUser) (string, error)
	CreateFirstUser(ctx context.Context, u store.NewUser) (bool, error)
	Accounts(ctx context.Context) ([]store.Account, error)
	AccountByID(ctx context.Context, id string) (*store.Account, error)
	AccountByEmail(ctx context.Context, email string) (*store.Account, error)
	ChangeUser(ctx context.Context, id string, c store.UserChange, enough func(of [][]store.Grant) bool) error
	AddToken(ctx context.Context, t store.NewToken) (string, error)
	Tokens(ctx context.Context, userID string) ([]store.Token, error)
	RevokeToken(ctx context.Context, userID, id string) error
	IdentityByToken(ctx context.Context, hash []byte) (*store.Identity, error)
	AddSession(ctx context.Context, userID string, hash, before []byte, lifetime time.Duration) error
	IdentityBySession(ctx context.Context, hash []byte, t store.SessionTimes) (*store.Identity, error)
	OfferSession(ctx context.Context, hash, next []byte, t store.SessionTimes) (bool, error)
	UserByIdentity(ctx context.Context, issuer, subject string, u store.NewUser, create bool) (string, error)
	DeleteSession(ctx context.Context, hash []byte) error
	Sessions(ctx context.Context, userID string, here []byte) ([]store.Session, error)
	EndSessions(ctx context.Context, userID string, except []byte) (int64, error)
	AddPasswordLink(ctx context.Context, userID string, hash []byte, lifetime time.Duration, may func(store.Account) error) error
	PasswordLinkUser(ctx context.Context, hash []byte) (string, error)
	SpendPasswordLink(ctx context.Context, hash []byte, passwordHash string) (string, error)
}

// New makes a Service on the given store.
func New(s Store) *Service {
	return &Service{store: s, guesses: newGuesses(), hashing: gate.New("hash a password", 2, gate.Patience), now: time.Now}
}
