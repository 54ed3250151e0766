package main

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// ringText is a ring of ids; "test" is the bench's own key.
func ringText(ids ...string) string {
	text := ""
	for n, id := range ids {
		key := make([]byte, secret.KeySize)
		if id != "test" {
			copy(key, id)
		}
		if n > 0 {
			text += ","
		}
		text += id + ":" + base64.StdEncoding.EncodeToString(key)
	}
	return text
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply("--no-start") // seals a consumer secret
	require.Regexp(t, `(?m)^test +first +1 consumer secrets +test$`, b.run("keys", "list").good().out, "the bench's own pool is a program, too")
	require.Contains(t, b.run("keys", "rotate").good().talk, "everything is sealed with test")

	// A program that could not open what would be sealed: nothing is done.
	b.env["ENCRYPTION_KEYS"] = ringText("k2", "test")
	plan := b.run("keys", "rotate").good()
	require.Regexp(t, `(?m)^k2 +first +nothing +-$`, plan.out)
	require.Contains(t, plan.talk, "1 values would be sealed anew with k2")
	require.Contains(t, plan.talk, "these programs could not open what k2 seals: test at 127.0.0.1 (has test)")
	b.run("keys", "rotate", "--apply").bad(exitInput, "could not open what key k2 seals", "behind the first key")
	require.Contains(t, b.run("keys", "list").good().out, "1 consumer secrets")

	// The step before: it opens, but seals with the old key still.
	b.reopen(t, ringText("test", "k2"))
	require.Contains(t, b.run("keys", "rotate").good().talk, "these programs still seal with another key: test at 127.0.0.1 (has test,k2)")
	var r rotated
	b.run("keys", "rotate", "--apply", "--json").json(&r)
	require.EqualValues(t, 1, r.Resealed)
	require.Empty(t, r.Removable, "somebody seals with it")

	b.reopen(t, ringText("k2", "test"))
	done := b.run("keys", "rotate", "--apply").good()
	require.Contains(t, done.talk, "0 values are sealed anew with k2")
	require.Contains(t, done.talk, "nothing is sealed with test any more\nnext: take that key out of ENCRYPTION_KEYS everywhere")
	b.env["ENCRYPTION_KEYS"] = ringText("k2")
	var v keysView
	b.run("keys", "list", "--json").json(&v)
	require.Equal(t, []keyView{{ID: "k2", InRing: true, Values: 1}}, v.Keys)
	require.Contains(t, b.run("audit").good().out, store.EventKeysRotated+"\tstarter "+operator().Name)

	// A key that is gone too early.
	b.env["ENCRYPTION_KEYS"] = ringText("k3")
	b.reopen(t, ringText("k3"))
	lost := b.run("keys", "rotate", "--apply")
	require.Equal(t, exitInput, lost.code)
	require.Contains(t, lost.talk, "does not open: one of consumer secrets, of p")
	require.Contains(t, lost.talk, "1 values do not open with any key of the ring")
	require.Contains(t, lost.talk, "starter keys abandon k2")

	// It is lost, and given up.
	b.run("keys", "abandon", "k3").bad(exitInput, "the key k3 is not lost: it is in the ring of this command")
	b.run("keys", "abandon", "k9").bad(exitInput, "nothing is sealed with a key k9")
	require.Contains(t, b.run("keys", "abandon", "k2").good().talk, "k2 would be given up: 1 consumer secrets")
	require.Contains(t, b.run("keys", "abandon", "k2", "--apply").good().talk, "k2 is given up: 1 consumer secrets")
	require.Contains(t, b.run("keys", "rotate").good().talk, "everything is sealed with k3")
	require.Contains(t, b.run("audit").good().out, store.EventKeyAbandoned)
	b.env["ENCRYPTION_KEYS"] = ""
	b.run("keys", "list").bad(exitInput, "ENCRYPTION_KEYS: is not set")
}

// reopen gives the program that runs beside the starter another ring.
func (b *bench) reopen(t *testing.T, keys string) {
	t.Helper()
	ring, err := secret.ParseKeyRing(keys)
	require.NoError(t, err)
	b.db.Close()
	b.db, err = store.Open(t.Context(), b.env["DATABASE_URL"], store.Options{Keys: ring, ApplicationName: "test", MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(b.db.Close)
}
