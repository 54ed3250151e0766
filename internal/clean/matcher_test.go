package clean

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pieces are put together at random: what the guards look for, parts of it, and what
// grows when it is cleaned.
var pieces = slices.Concat(aboveHints, above, []string{
	" ", ">", "\n", "a", "Hello ", "bov", "BOV", "\xff", "\xc3", "\u0092", "\u0085", "\U0001D160", "\u0344", "\ufb2c", "\u0958", "e\u0301", "Ã¼", "â€™", "ðŸ˜€", "\x00", "\r\n", "各",
})

func made(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(12) {
		s := pieces[rng.IntN(len(pieces))]
		b.WriteString(s[rng.IntN(len(s)):])
	}
	return b.String()
}

func TestAMatcherFindsWhatOneByOneIsFound(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	found := 0
	for range 50_000 {
		s := made(rng)
		want := containsAny(s, aboveHints)
		require.Equal(t, want, hintsAbove.in(s), "%q", s)
		if want {
			found++
		}
	}
	require.Greater(t, found, 1000)
	require.Less(t, found, 49_000)
}

func TestNoTextSaysMoreThanItMay(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50_000 {
		s := made(rng)
		require.GreaterOrEqual(t, mostLetters(s), letters(Text(s)), "%q", s)
	}
	for r := rune(0); r <= 0x10ffff; r++ {
		if s := string(r); mostLetters(s) < letters(Text(s)) {
			t.Fatalf("%U: %d letters of %q, %d at most", r, letters(Text(s)), Text(s), mostLetters(s))
		}
	}
}

// TestNothingIsLeftOfTheMailBefore takes mails apart in the memory of others.
func TestNothingIsLeftOfTheMailBefore(t *testing.T) {
	t.Parallel()
	const text = "Hello,\n\nit works.\n\nKind regards,\nAnn Example\n\nOn 3 March 2025 10:12, Bob <bob@acme.example> wrote:\n> Does it?\n"
	in := Mail{Text: text, FromName: "Ann Example"}
	want := Split(in)
	kept := want
	require.Equal(t, "Hello,\n\nit works.", want.Reply)
	for range 20 {
		Split(Mail{Text: strings.Repeat("> something else\nand more\n\n", 50)})
		Split(Mail{HTML: "<p>Short</p><blockquote type=cite>long</blockquote>", Text: text})
		require.Equal(t, want, Split(in))
	}
	require.Equal(t, kept, want)
}

func TestAQuickLookPassesEachName(t *testing.T) {
	t.Parallel()
	parts := []string{"Ann", "ann", "Example", "EXAMPLE", "Bob", "Robert", "rob", "O'Neil", "'O'Neil'", "oneil", "Dr", "dr.", "a", "b", "C", "d", "abcd", "exa", "Annexample", "the", "Head of Sales", "vance", "Carla", "cvance",
		" ", " ", ", ", "|", " - ", "(", ")", "/", "\t", "  ", "<", ".", "'", "*", "é", "@", "1",
		"’", "–", "ü", "É", "и", "各", "e\u0301", "\u0301", "Ánn", "Añn", "Anné", "Robért", "exämple", "O’Neil", "bcd’", "“", "\u00a0", "€", "µ", "ß", "\u1b06", "\xff"}
	rng := rand.New(rand.NewPCG(9, 10))
	named, passed := 0, 0
	for _, of := range [][2]string{{"Ann Example", "ann@acme.example"}, {"Robert O'Neil", "o'neil@acme.example"}, {"", "abcd@acme.example"}, {"Carla", "cvance@acme.example"}, {"", "vancec@acme.example"}} {
		m := &mail{names: namesOf(of[0], of[1])}
		for range 80_000 {
			var b strings.Builder
			for range 1 + rng.IntN(8) {
				b.WriteString(parts[rng.IntN(len(parts))])
			}
			text := strings.TrimSpace(b.String())
			may := m.names.starts.may(text)
			if m.isName(trimName(text)) || m.isNamedBefore(text, 0, separatorsIn(text)) {
				named++
				require.True(t, may, "%q of %v", text, of)
			}
			if !may {
				passed++
			}
		}
	}
	require.Greater(t, named, 5000)
	require.Greater(t, passed, 5000)
}
