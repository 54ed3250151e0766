package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"salesforcesync/internal/secret"
)

// tokenPrefix makes an API token recognisable in a log or a repository that it
// should not be in.
const tokenPrefix = "sfsync_"

// credentialSize is the number of random bytes in a token or a session id.
const credentialSize = 32

// encoding is strict, so that one credential has one spelling.
var encoding = base64.RawURLEncoding.Strict()

// newCredential makes a credential and what is kept of it.
func newCredential(prefix string) (secret.Text, []byte) {
	raw := make([]byte, credentialSize)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return secret.Text(prefix + encoding.EncodeToString(raw)), hash(raw)
}

// hashCredential gives what is kept of a credential; ok is false for a text that
// none of ours can be.
func hashCredential(prefix string, credential secret.Text) (sum []byte, ok bool) {
	text, found := strings.CutPrefix(credential.Reveal(), prefix)
	if !found || len(text) != encoding.EncodedLen(credentialSize) {
		return nil, false
	}
	raw, err := encoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	return hash(raw), true
}

// hash needs no salt and no slowness: there is nothing to guess in 256 random
// bits. And looking a row up by it compares hashes of what was sent, whose
// timing tells nothing about the credential.
func hash(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}

// NewOneTime makes a credential for one use, such as a notice or a link, and the
// SHA-256 to keep of it.
func NewOneTime() (secret.Text, []byte) { return newCredential("") }

// HashOneTime gives the SHA-256 of what NewOneTime made; ok is false for anything
// that it cannot have made.
func HashOneTime(value secret.Text) (sum []byte, ok bool) { return hashCredential("", value) }
