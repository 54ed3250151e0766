package clean

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestFoldingByTableIsFoldingByRule folds each character both ways, and many in a row:
// accents change places when they are put in order.
func TestFoldingByTableIsFoldingByRule(t *testing.T) {
	t.Parallel()
	for c := rune(utf8.RuneSelf); c <= utf8.MaxRune; c++ {
		if s := string(c); folded(s) != decomposed(s) {
			t.Fatalf("%U is %q by the table, %q by the rule", c, folded(s), decomposed(s))
		}
	}
	rng := rand.New(rand.NewPCG(11, 12))
	others := []rune{'’', '各', 0x9FFF, 0xAC00, 0x3099, '–', '“', 0x05B0, 0x0315, 0x1E69, utf8.RuneError}
	for range 100_000 {
		var b strings.Builder
		for range 1 + rng.IntN(8) {
			if n := rng.IntN(32); n < len(others) {
				b.WriteRune(others[n])
			} else if n > 24 {
				b.WriteRune(firstKana + rune(rng.IntN(len(kana))))
			} else {
				b.WriteRune(rune(rng.IntN(len(foldings))))
			}
		}
		s := "é" + b.String()
		require.Equal(t, decomposed(s), folded(s), "%q", s)
	}
}

// TestALabelEndsAtTheFirstColon compares with one character after another.
func TestALabelEndsAtTheFirstColon(t *testing.T) {
	t.Parallel()
	slow := func(text string) (int, int) {
		for i, c := range text {
			if i > longestLabel {
				break
			}
			if c == ':' || c == '：' {
				return i, utf8.RuneLen(c)
			}
		}
		return -1, 1
	}
	parts := []string{"a", "From", ":", "：", "送信者", "\xef\xbc", "\x9a", "\xff", strings.Repeat("x", 20), " "}
	rng := rand.New(rand.NewPCG(13, 14))
	found := 0
	for range 100_000 {
		var b strings.Builder
		for range rng.IntN(9) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		text := b.String()
		at, width := slow(text)
		gotAt, gotWidth := labelEnd(text)
		require.Equal(t, at, gotAt, "%q", text)
		require.Equal(t, width, gotWidth, "%q", text)
		if at >= 0 {
			found++
		}
	}
	require.Greater(t, found, 10_000)
}
