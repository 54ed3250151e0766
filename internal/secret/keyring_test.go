package secret_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/secret"
)

func key(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, secret.KeySize))
}

func ring(t *testing.T, s string) *secret.KeyRing {
	t.Helper()
	r, err := secret.ParseKeyRing(s)
	require.NoError(t, err)
	return r
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	r := ring(t, "a:"+key(1))
	for _, plain := range []secret.Text{"a short one", "00D!token.with:colons", "ünïcode \x00 bytes \xff", secret.Text(strings.Repeat("long", 5000))} {
		sealed, err := r.Seal(plain, "connections/1/access_token")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(sealed, "v1:a:"), sealed[:8])
		require.NotContains(t, sealed, plain.Reveal())
		opened, err := r.Open(sealed, "connections/1/access_token")
		require.NoError(t, err)
		require.Equal(t, plain, opened)
		again, err := r.Seal(plain, "connections/1/access_token")
		require.NoError(t, err)
		require.NotEqual(t, sealed, again, "two seals of one value tell nobody that it is one value")
	}
}

func TestSealOfNothingIsNothing(t *testing.T) {
	t.Parallel()
	r := ring(t, key(1))
	sealed, err := r.Seal("", "row")
	require.NoError(t, err)
	require.Empty(t, sealed)
	opened, err := r.Open("", "row")
	require.NoError(t, err)
	require.Empty(t, opened)
}

func TestSealedValueOpensOnlyWhereItWasSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, "a:"+key(1))
	sealed, err := r.Seal("plain", "connections/1/access_token")
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "v1:a:"))
	require.NoError(t, err)
	changed := func(i int) string {
		b := bytes.Clone(raw)
		b[i] ^= 1
		return "v1:a:" + base64.StdEncoding.EncodeToString(b)
	}
	for name, c := range map[string]struct {
		ring, sealed, identity string
		want                   error
	}{
		"another row":              {"a:" + key(1), sealed, "connections/2/access_token", secret.ErrCannotOpen},
		"another field":            {"a:" + key(1), sealed, "connections/1/refresh_token", secret.ErrCannotOpen},
		"another key, the same id": {"a:" + key(2), sealed, "connections/1/access_token", secret.ErrCannotOpen},
		"a ring without the key":   {"b:" + key(1), sealed, "connections/1/access_token", secret.ErrUnknownKey},
		"a changed nonce":          {"a:" + key(1), changed(0), "connections/1/access_token", secret.ErrCannotOpen},
		"a changed text":           {"a:" + key(1), changed(12), "connections/1/access_token", secret.ErrCannotOpen},
		"a changed tag":            {"a:" + key(1), changed(len(raw) - 1), "connections/1/access_token", secret.ErrCannotOpen},
		"cut short":                {"a:" + key(1), "v1:a:" + base64.StdEncoding.EncodeToString(raw[:11]), "connections/1/access_token", secret.ErrCannotOpen},
		"only a nonce":             {"a:" + key(1), "v1:a:" + base64.StdEncoding.EncodeToString(raw[:12]), "connections/1/access_token", secret.ErrCannotOpen},
		"no base64":                {"a:" + key(1), "v1:a:!!", "connections/1/access_token", secret.ErrCannotOpen},
		"plain text":               {"a:" + key(1), "plain", "connections/1/access_token", secret.ErrCannotOpen},
		"another version":          {"a:" + key(1), "v2" + sealed[2:], "connections/1/access_token", secret.ErrCannotOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, err := ring(t, c.ring).Open(c.sealed, c.identity)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, opened)
			require.ErrorContains(t, err, c.identity)
			require.NotContains(t, err.Error(), "plain")
		})
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	old := ring(t, "old:"+key(1))
	sealed, err := old.Seal("plain", "row")
	require.NoError(t, err)
	both := ring(t, "new:"+key(2)+", old:"+key(1))
	require.Equal(t, "new", both.SealingKeyID())
	opened, err := both.Open(sealed, "row")
	require.NoError(t, err)
	require.Equal(t, "plain", opened.Reveal())
	resealed, err := both.Seal(opened, "row")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(resealed, "v1:new:"))
	_, err = old.Open(resealed, "row")
	require.ErrorIs(t, err, secret.ErrUnknownKey)
	opened, err = ring(t, "new:"+key(2)).Open(resealed, "row")
	require.NoError(t, err)
	require.Equal(t, "plain", opened.Reveal())
}

func TestParseKeyRing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{ // want: of the error, "" for a sealing key id
		"one bare key":        {key(1), ""},
		"one key with an id":  {"2026-03:" + key(1), ""},
		"white space":         {" \n a:" + key(1) + " ,\n b: " + key(2) + " \n", ""},
		"empty":               {"", `key "default" has 0 bytes, want 32`},
		"two bare keys":       {key(1) + "," + key(2), "key 1 of 2 has no id"},
		"a comma too many":    {"a:" + key(1) + ",", "key 2 of 2 has no id"},
		"an id twice":         {"a:" + key(1) + ",a:" + key(2), `key id "a" appears twice`},
		"no base64":           {"a:***", `key "a" is not standard base64`},
		"base64 for URLs":     {"a:" + strings.ReplaceAll(base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 32)), "=", "="), `key "a" is not standard base64`},
		"16 bytes":            {"a:" + base64.StdEncoding.EncodeToString(make([]byte, 16)), `key "a" has 16 bytes, want 32`},
		"33 bytes":            {base64.StdEncoding.EncodeToString(make([]byte, 33)), `key "default" has 33 bytes`},
		"hex":                 {strings.Repeat("ab", 32), `key "default" has 48 bytes`},
		"an empty id":         {":" + key(1), "key 1: the id must be"},
		"a blank in the id":   {"a b:" + key(1), "key 1: the id must be"},
		"a colon in the id":   {"a:b:" + key(1), `key "a" is not standard base64`},
		"id and key swapped":  {key(3) + ":a", "key 1: the id must be"},
		"a very long id":      {strings.Repeat("a", 65) + ":" + key(1), "key 1: the id must be"},
		"the second is wrong": {"a:" + key(1) + ",b:short", `key "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := secret.ParseKeyRing(c.in)
			if c.want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, r.SealingKeyID())
				return
			}
			require.ErrorContains(t, err, c.want)
			for _, k := range []string{key(1), key(2), key(3)} {
				require.NotContains(t, err.Error(), k, "the error shows a key")
			}
		})
	}
	require.Equal(t, secret.DefaultKeyID, ring(t, key(1)).SealingKeyID())
}

func TestEmptyKeyRingSealsNothing(t *testing.T) {
	t.Parallel()
	r := &secret.KeyRing{}
	_, err := r.Seal("plain", "row")
	require.Error(t, err)
	_, err = r.Open("v1:a:AAAA", "row")
	require.ErrorIs(t, err, secret.ErrUnknownKey)
}
