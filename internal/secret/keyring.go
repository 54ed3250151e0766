package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// KeySize is the length of a key in bytes (AES-256).
const KeySize = 32

// DefaultKeyID is the id of a key given as one bare base64 value.
const DefaultKeyID = "default"

var keyIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ErrUnknownKey says that a value was sealed with a key that the ring does not hold.
var ErrUnknownKey = errors.New("sealed with a key that is not in the key ring")

// ErrCannotOpen says that a sealed value was changed, belongs to another row, or
// was sealed with another key of the same id.
var ErrCannotOpen = errors.New("sealed value does not open")

// KeyRing seals and opens secrets. The zero value holds no keys and seals nothing.
type KeyRing struct {
	sealing string
	order   []string // ids
	keys    map[string]cipher.AEAD
}

// ParseKeyRing reads "id:base64,id:base64,…" or one bare base64; each key is 32
// bytes in standard base64. Errors name the entry by position and id, never the key.
func ParseKeyRing(s string) (*KeyRing, error) {
	ring := &KeyRing{keys: map[string]cipher.AEAD{}}
	entries := strings.Split(strings.TrimSpace(s), ",")
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		id, encoded, found := strings.Cut(entry, ":")
		if !found {
			if len(entries) > 1 {
				return nil, fmt.Errorf("key %d of %d has no id: write id:base64", i+1, len(entries))
			}
			id, encoded = DefaultKeyID, entry
		}
		if !keyIDPattern.MatchString(id) {
			return nil, fmt.Errorf("key %d: the id must be 1 to 64 letters, digits, - or _", i+1)
		}
		if _, twice := ring.keys[id]; twice {
			return nil, fmt.Errorf("key id %q appears twice", id)
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil {
			return nil, fmt.Errorf("key %q is not standard base64", id)
		}
		if len(key) != KeySize {
			return nil, fmt.Errorf("key %q has %d bytes, want %d (make one with: openssl rand -base64 32)", id, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", id, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", id, err)
		}
		ring.keys[id] = aead
		ring.order = append(ring.order, id)
		if ring.sealing == "" {
			ring.sealing = id
		}
	}
	return ring, nil
}

// SealingKeyID names the key that Seal uses.
func (r *KeyRing) SealingKeyID() string { return r.sealing }

// KeyIDs names the ring's keys, in its order: the first one seals.
func (r *KeyRing) KeyIDs() []string { return slices.Clone(r.order) }

// KeyIDOf names the key that sealed a value, as the value says; "" for what is no sealed value.
func KeyIDOf(sealed string) string {
	parts := strings.SplitN(sealed, ":", 3)
	if len(parts) != 3 || parts[0] != "v1" {
		return ""
	}
	return parts[1]
}

// Seal encrypts plain for the row named by identity (for example
// "connections/<id>/refresh_token"). An empty plain seals to "".
func (r *KeyRing) Seal(plain Text, identity string) (string, error) {
	if plain == "" {
		return "", nil
	}
	aead, ok := r.keys[r.sealing]
	if !ok {
		return "", errors.New("the key ring is empty")
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	sealed := aead.Seal(nonce, nonce, []byte(plain), []byte(identity))
	return "v1:" + r.sealing + ":" + base64.StdEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal made for the same identity. Errors wrap
// ErrUnknownKey or ErrCannotOpen and name the key id and identity only.
func (r *KeyRing) Open(sealed, identity string) (Text, error) {
	if sealed == "" {
		return "", nil
	}
	parts := strings.SplitN(sealed, ":", 3)
	if len(parts) != 3 || parts[0] != "v1" {
		return "", fmt.Errorf("open %s: %w", identity, ErrCannotOpen)
	}
	aead, ok := r.keys[parts[1]]
	if !ok {
		return "", fmt.Errorf("open %s: key id %q: %w", identity, parts[1], ErrUnknownKey)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) < aead.NonceSize() {
		return "", fmt.Errorf("open %s: %w", identity, ErrCannotOpen)
	}
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(identity))
	if err != nil {
		return "", fmt.Errorf("open %s: key id %q: %w", identity, parts[1], ErrCannotOpen)
	}
	return Text(plain), nil
}
