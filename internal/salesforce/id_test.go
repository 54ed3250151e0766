package salesforce

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomID makes a valid id of 18 characters.
func randomID(rnd *rand.Rand) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 15)
	for i := range b {
		b[i] = letters[rnd.IntN(len(letters))]
	}
	return To18(string(b))
}

func TestIDs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "001dM00003jU9GxQAK", To18("001dM00003jU9Gx"))
	require.Equal(t, "001dM00003jU9GxQAK", To18("001dM00003jU9GxQAK"))
	require.Equal(t, "000000000000000AAA", To18("000000000000000"))
	require.Equal(t, "AAAAAAAAAAAAAAA555", To18("AAAAAAAAAAAAAAA"))
	for _, bad := range []string{"", "zzz", "001dM00003jU9G", "001dM00003jU9GxQAB", "001dm00003ju9gxqak", "001dM00003jU9G!", "001dM00003jU9GxQA", "001dM00003jU9Gé"} {
		require.False(t, ValidID(bad), bad)
		require.Empty(t, To18(bad))
		require.Empty(t, HexID(bad))
	}
	require.Equal(t, "303031644d30303030336a5539477851414b", HexID("001dM00003jU9Gx"))
	raw, err := hex.DecodeString(HexID("001dM00003jU9Gx"))
	require.NoError(t, err)
	require.Equal(t, "001dM00003jU9GxQAK", string(raw))

	ids := []string{"b", "B", "9", "a", "A", "0"}
	slices.SortFunc(ids, CompareIDs)
	require.Equal(t, []string{"0", "9", "A", "B", "a", "b"}, ids)

	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		id := randomID(rnd)
		require.True(t, ValidID(id))
		require.True(t, ValidID(id[:15]))
		require.Len(t, HexID(id), 36)
		require.Equal(t, HexID(id), HexID(id[:15]))
	}
}
