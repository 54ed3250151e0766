package clean_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

func TestCutKeepsVisibleCharactersWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 4, "long"},
		{"", 3, ""},
		{"abc", 0, ""},
		{"a word", 2, "a"},
		{"ünï", 2, "ün"},
		{"ax\u0323y", 2, "a"}, // x with a dot below, which has no composed form
		{"क्षि", 1, ""},       // a consonant and its signs
		{"1👍🏽2", 2, "1"},      // with a skin
		{"1👩‍💻2", 3, "1"},     // woman, joiner, computer
		{"1👩‍💻2", 4, "1👩‍💻"},  // fits
		{"❤️x", 1, ""},        // with a variation selector
		{"🇩🇪🇫🇷", 3, "🇩🇪"},     // two flags
		{"🇩🇪🇫🇷", 2, "🇩🇪"},     // the first whole
		{"x" + strings.Repeat("\u0323", 200), 100, "x" + strings.Repeat("\u0323", 99)}, // no letter at all
	} {
		got, shorter := clean.Cut(c.in, c.max)
		require.Equal(t, c.want, got, "%q at %d", c.in, c.max)
		require.Equal(t, utf8.RuneCountInString(c.in) > c.max, shorter, "%q", c.in)
	}
}

func TestCutTextEndsWithALineOrAWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		max  int
		want string
	}{
		"fits":                {"one two", 7, "one two"},
		"a word":              {"one two three", 9, "one two"},
		"between words":       {"one two three", 7, "one two"},
		"a line":              {"one\ntwo three four", 12, "one"},
		"before a line end":   {"one\ntwo\nthree", 7, "one\ntwo"},
		"blank lines":         {"one\n\n\ntwo three", 8, "one"},
		"no boundary":         {strings.Repeat("字", 10), 4, "字字字字"},
		"one long word":       {"a " + strings.Repeat("x", 1000), 500, "a " + strings.Repeat("x", 498)},
		"one long line":       {"a\n" + strings.Repeat("word ", 1000), 4000, "a\n" + strings.TrimSpace(strings.Repeat("word ", 799))},
		"an emoji at the end": {"wow 👩‍💻", 5, "wow"},
	} {
		got, shorter := clean.CutText(c.in, c.max)
		require.Equal(t, c.want, got, name)
		require.Equal(t, len(c.want) < len(c.in), shorter, name)
	}
}

func FuzzCutText(f *testing.F) {
	f.Add("one two\nthree", 5)
	f.Add("🇩🇪🇫🇷\u0301", 3)
	f.Fuzz(func(t *testing.T, s string, max int) {
		s, max = strings.ToValidUTF8(s, "?"), int(uint16(max))
		for _, cut := range []func(string, int) (string, bool){clean.Cut, clean.CutText} {
			got, shorter := cut(s, max)
			require.True(t, strings.HasPrefix(s, got))
			require.LessOrEqual(t, utf8.RuneCountInString(got), max)
			require.True(t, utf8.ValidString(got))
			require.Equal(t, utf8.RuneCountInString(s) > max, shorter)
		}
	})
}
