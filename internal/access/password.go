package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// Password lengths. The upper bound keeps hashing from being fed megabytes.
const (
	minPasswordChars = 8
	maxPasswordBytes = 1024
)

// passwordCost is the cost of new hashes: the second recommended choice of RFC
// 9106, section 4. Hashes made with another cost go on working.
var passwordCost = argon2Cost{memory: 64 * 1024, passes: 3, lanes: 4}

type argon2Cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// Bounds for hashes read back, so that a damaged row cannot take the machine's memory.
var maxPasswordCost = argon2Cost{memory: 1024 * 1024, passes: 16, lanes: 16}

const (
	saltSize = 16
	keySize  = 32
)

func checkPassword(password secret.Text) error {
	p := password.Reveal()
	if !utf8.ValidString(p) || utf8.RuneCountInString(p) < minPasswordChars || len(p) > maxPasswordBytes {
		return fault.New(fault.Invalid, "the password must have %d characters or more, and at most %d bytes", minPasswordChars, maxPasswordBytes).
			WithHint("choose a longer password")
	}
	return nil
}

// hashPassword gives a PHC string: $argon2id$v=19$m=…,t=…,p=…$salt$key.
func (s *Service) hashPassword(ctx context.Context, password secret.Text) (string, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt)
	key, err := s.derive(ctx, password, salt, passwordCost, keySize)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, passwordCost.memory, passwordCost.passes, passwordCost.lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// verifyPassword compares in constant time. phc "" is a user that is not there or
// has no password: it costs the same and is never right.
func (s *Service) verifyPassword(ctx context.Context, phc string, password secret.Text) (bool, error) {
	cost, salt, want, ok := parsePHC(phc)
	if !ok {
		cost, salt, want = passwordCost, make([]byte, saltSize), make([]byte, keySize)
	}
	have, err := s.derive(ctx, password, salt, cost, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(have, want) == 1 && ok, nil
}

// derive runs argon2id, a bounded number at a time: each takes 64 MiB. It is
// fault.Transient when too many wait already.
func (s *Service) derive(ctx context.Context, password secret.Text, salt []byte, cost argon2Cost, size uint32) ([]byte, error) {
	leave, err := s.hashing.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return argon2.IDKey([]byte(password.Reveal()), salt, cost.passes, cost.memory, cost.lanes, size), nil
}

func parsePHC(phc string) (cost argon2Cost, salt, key []byte, ok bool) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost, nil, nil, false
	}
	var end string
	n, err := fmt.Sscanf(parts[3]+" .", "m=%d,t=%d,p=%d %s", &cost.memory, &cost.passes, &cost.lanes, &end)
	if err != nil || n != 4 || end != "." {
		return cost, nil, nil, false
	}
	if cost.memory < 8 || cost.passes < 1 || cost.lanes < 1 ||
		cost.memory > maxPasswordCost.memory || cost.passes > maxPasswordCost.passes || cost.lanes > maxPasswordCost.lanes {
		return cost, nil, nil, false
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(key) < 16 || len(key) > 128 {
		return cost, nil, nil, false
	}
	return cost, salt, key, true
}
