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
	AddToken(ctx context.Context, userID, name string, hash []byte, expires *time.Time) (string, error)
	Tokens(ctx context.Context, userID string) ([]store.Token, error)
	RevokeToken(ctx context.Context, id string) error
	IdentityByToken(ctx context.Context, hash []byte) (*store.Identity, error)
	AddSession(ctx context.Context, userID string, hash, before []byte, lifetime time.Duration) error
	IdentityBySession(ctx context.Context, hash []byte, idle, longest time.Duration) (*store.Identity, error)
	DeleteSession(ctx context.Context, hash []byte) error
}

// New makes a Service on the given store.
func New(s Store) *Service {
	return &Service{store: s, guesses: newGuesses(), hashing: gate.New("hash a password", 2, gate.Patience), now: time.Now}
}
