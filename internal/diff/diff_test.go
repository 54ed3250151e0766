package diff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/diff"
)

// written is a comparison with [-what is gone-] and {+what was added+}.
func written(parts []diff.Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(map[diff.Kind]string{diff.Both: "%s", diff.Gone: "[-%s-]", diff.Added: "{+%s+}"}[p.Kind])
	}
	var texts []any
	for _, p := range parts {
		texts = append(texts, p.Text)
	}
	return fmt.Sprintf(b.String(), texts...)
}

// requireWhole proves that both texts can be read out of the parts.
func requireWhole(t *testing.T, before, after string, parts []diff.Part) {
	t.Helper()
	var a, b strings.Builder
	for i, p := range parts {
		require.NotEmpty(t, p.Text)
		if i > 0 {
			require.NotEqual(t, p.Kind, parts[i-1].Kind, "stretches are joined: %v", parts)
		}
		if p.Kind != diff.Added {
			a.WriteString(p.Text)
		}
		if p.Kind != diff.Gone {
			b.WriteString(p.Text)
		}
	}
	require.Equal(t, before, a.String())
	require.Equal(t, after, b.String())
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ before, after, want string }{
		{"", "", ""},
		{"same", "same", "same"},
		{"", "new", "{+new+}"},
		{"old", "", "[-old-]"},
		{"The invoice is late.", "The invoice is paid.", "The invoice is [-late-]{+paid+}."},
		{"a b c", "a c", "a [-b -]c"},
		{"one two three", "uno dos three", "[-one two-]{+uno dos+} three"},
		{"first\nsecond\nthird", "first\nthird", "first\n[-second\n-]third"},
		{"請求書を送る", "請求書を払う", "請求書を[-送る-]{+払う+}"},
		{"100,00 €", "120,00 €", "[-100-]{+120+},00 €"},
	} {
		parts := diff.Words(tt.before, tt.after)
		requireWhole(t, tt.before, tt.after, parts)
		require.Equal(t, tt.want, written(parts))
	}
}

func TestBothTextsCanBeReadOutOfTheParts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	words := []string{"a", "b", "c", " ", " ", "\n", ".", "ä", "漢字", "\xff", "long-word"}
	text := func(n int) string {
		var b strings.Builder
		for range rng.IntN(n) {
			b.WriteString(words[rng.IntN(len(words))])
		}
		return b.String()
	}
	for i := range 3000 {
		n := 30
		if i%300 == 0 {
			n = 4000 // more than may differ
		}
		before, after := text(n), text(n)
		requireWhole(t, before, after, diff.Words(before, after))
	}
}

// However little two texts have in common, they are compared at once; what they have in common is
// found where it is large.
func TestLongTextsTakeNoTime(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	random := func(vocabulary, n int) string {
		var b strings.Builder
		for b.Len() < n {
			fmt.Fprintf(&b, "w%d ", rng.IntN(vocabulary))
		}
		return b.String()[:n]
	}
	const size = 64 << 10
	long := random(1_000_000, size)
	lines := strings.Split(random(50_000, size), "w1")
	for name, texts := range map[string][2]string{
		"nothing in common":   {random(1_000_000, size), random(1_000_000, size)},
		"few words":           {random(10, size), random(10, size)},
		"one word":            {strings.Repeat("x", size), strings.Repeat("y", size)},
		"single characters":   {strings.Repeat("- ", size/2), strings.Repeat("-. ", size/3)},
		"halves change place": {long, long[size/2:] + long[:size/2]},
		"all lines turned":    {strings.Join(lines, "\n"), strings.Join(lines[len(lines)/2:], "\n\n")},
		"Chinese":             {strings.Repeat("漢字", size/6), strings.Repeat("字漢漢", size/9)},
	} {
		const most = 2 * time.Second // tens of milliseconds on a quiet machine
		var parts []diff.Part
		took := time.Hour
		for try := 0; try < 3 && took >= most; try++ { // others are at work on it
			begun := time.Now()
			parts = diff.Words(texts[0], texts[1])
			took = time.Since(begun)
		}
		requireWhole(t, texts[0], texts[1], parts)
		require.Less(t, took, most, name)
		t.Logf("%s: %v, %d parts", name, took, len(parts))
	}
	// A thousand words changed all over a long text: far more than one stretch may have.
	changed := strings.Fields(long)
	for i := 0; i < len(changed); i += 9 {
		changed[i] = "changed"
	}
	parts := diff.Words(strings.Join(strings.Fields(long), " "), strings.Join(changed, " "))
	kept := 0
	for _, p := range parts {
		if p.Kind == diff.Both {
			kept += len(p.Text)
		}
	}
	require.Greater(t, kept, size*3/4)
}
