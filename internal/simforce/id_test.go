package simforce

import (
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChecksum(t *testing.T) {
	t.Parallel()
	for id, sum := range map[string]string{
		"001dM00003jU9Gx": "QAK", // recorded on a real org
		"000000000000000": "AAA",
		"AAAAAAAAAAAAAAA": "555",
		"aaaaaaaaaaaaaaa": "AAA",
	} {
		require.Equal(t, sum, Checksum(id), id)
		full, ok := ID18(id)
		require.True(t, ok)
		require.Equal(t, id+sum, full)
	}
	for _, bad := range []string{"", "zzz", "001dM00003jU9G", "001dM00003jU9Gx-", "001dM00003jU9GxQ", "001dM00003jU9GxQAKX"} {
		_, ok := ID18(bad)
		require.False(t, ok, bad)
	}
}

func TestIDsOfAnOrgAreUniqueAndNotChronological(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	seen := map[string]bool{}
	var order []string
	for range 50 {
		id := b.create("Account", Row{"Name": "X"})
		require.Regexp(t, `^001[0-9A-Za-z]{15}$`, id)
		require.Equal(t, id[:15]+Checksum(id[:15]), id)
		require.False(t, seen[id])
		seen[id] = true
		order = append(order, id)
	}
	require.False(t, sort.StringsAreSorted(order))
}

func TestIndexAgainstSortedSlice(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	var x index
	model := map[key]bool{}
	for range 20_000 {
		k := key{int64(rng.IntN(400)), string(rune('a' + rng.IntN(26)))}
		if rng.IntN(3) == 0 {
			x.remove(k)
			delete(model, k)
		} else {
			x.add(k)
			model[k] = true
		}
	}
	var want []key
	for k := range model {
		want = append(want, k)
	}
	sort.Slice(want, func(i, j int) bool { return want[i].less(want[j]) })
	require.Equal(t, len(want), x.n)
	require.Greater(t, len(x.blocks), 3)
	for range 300 {
		lo, hi := key{int64(rng.IntN(410)) - 5, "m"}, key{int64(rng.IntN(410)) - 5, "m"}
		var up, down, expect []key
		x.walk(lo, hi, func(k key) bool { up = append(up, k); return true })
		x.walkBack(lo, hi, func(k key) bool { down = append(down, k); return true })
		for _, k := range want {
			if !k.less(lo) && !hi.less(k) {
				expect = append(expect, k)
			}
		}
		require.Equal(t, expect, up)
		require.Len(t, down, len(expect))
		for i, k := range down {
			require.Equal(t, expect[len(expect)-1-i], k)
		}
		require.Equal(t, len(expect), x.count(lo, hi))
	}
	for i, k := range want {
		require.Equal(t, k, x.at(i))
	}
}
