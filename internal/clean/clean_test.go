package clean_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"salesforcesync/internal/clean"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"line ends":                {"a\r\nb\rc\n", "a\nb\nc"},
		"two carriage returns":     {"a\r\r\nb", "a\n\nb"},
		"control characters":       {"a\x00b\x07c\td", "abc\td"},
		"control characters of C1": {"a\u0085b\u009fc", "abc"},
		"Windows-1252 as Latin-1":  {"it\u0092s \u0093so\u0094 \u0096 5 \u0080\u0095", "it’s “so” – 5 €•"},
		"not UTF-8":                {"caf\xe9", "caf\uFFFD"},
		"half a surrogate pair":    {"a\xed\xa0\xbdb", "a\uFFFDb"},
		"blanks at line ends":      {"  a  \n b \t\n", "a\n b"},
		"odd blanks at line ends":  {"a\u00a0\u2003\nb\u3000", "a\nb"},
		"blank after a NUL":        {"a \x00\nb", "a\nb"},
		"a byte order mark":        {"\ufeffa\ufeffb", "ab"},
		"composed":                 {"Cafe\u0301 \u1112\u1161\u11ab", "Café 한"},
		"composed already":         {"Café Ёлка ελληνικά tiếng Việt か゛", "Café Ёлка ελληνικά tiếng Việt か゛"},
		"signs that are others":    {"\u212b \u2126 \u0387", "Å Ω ·"},
		"emoji stay":               {"👩‍👩‍👧 ok ❤️", "👩‍👩‍👧 ok ❤️"},
		"right to left stays":      {"\u200fשלום עולם", "\u200fשלום עולם"},
		"blank":                    {" \r\n\t ", ""},
		"blank lines stay":         {"a\n\n\nb", "a\n\n\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, clean.Text(c.in))
			require.Equal(t, c.want, clean.Text(c.want), "clean text stays as it is")
		})
	}
}

func TestCleanTextCostsNothing(t *testing.T) {
	text := strings.Repeat("Grüße, we’ve – naïvely – paid 5 € 👍\n\n\tindented\n", 50) + "x"
	require.Zero(t, testing.AllocsPerRun(10, func() { clean.Text(text) }))
	require.Zero(t, testing.AllocsPerRun(10, func() { clean.Line("Re: Grüße, 5 € 👍") }))
}

func TestLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Re:  two  spaces", clean.Line(" Re:  two  spaces\r\n\x00 "))
	require.Equal(t, "folded line", clean.Line("folded\r\n line"))
	require.Equal(t, "next line", clean.Line("next\u0085 line"))
	require.Equal(t, "caf\uFFFD", clean.Line("caf\xe9"))
	require.Equal(t, "e\u0301", clean.Line("e\u0301"), "what is one line keeps its spelling")
}

func TestCut(t *testing.T) {
	t.Parallel()
	got, cut := clean.Cut("äöü", 2)
	require.True(t, cut)
	require.Equal(t, "äö", got)
	got, cut = clean.Cut("äöü", 3)
	require.False(t, cut)
	require.Equal(t, "äöü", got)
}

// plainly is Text without any haste and without mending mojibake: what the fast one has
// to equal where no letter can be the beginning of some.
func plainly(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\uFEFF", "").Replace(s)
	s = strings.Map(func(r rune) rune {
		if r >= 0x80 && r < 0xA0 && strings.ContainsRune("\u0080\u0082\u0084\u008a\u008c\u008e\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0099\u009a\u009c\u009e", r) {
			return charmap.Windows1252.DecodeByte(byte(r))
		}
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
	}
	return norm.NFC.String(strings.TrimSpace(strings.Join(lines, "\n")))
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"a\r\nb \r c\x00\u0085 \n", "Cafe\u0301\u00a0\n\ufeff", "\xff\xed\xa0\x80", "\u1112\u1161\u11ab \u3099か\u3099", "a\u2003 \x07\n\u2028x",
		"\u05b7\u05bcש", "\u0344\u0958 \U0001D15E \ufb1d \u2adc \u2329", "\u212b",
	} {
		f.Add(s)
	}
	for _, s := range written {
		f.Add(s)
		f.Add(misread(f, s, false))
		f.Add(misread(f, misread(f, s, true), false))
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := clean.Text(in)
		if !strings.ContainsFunc(norm.NFC.String(in), func(r rune) bool { return r >= 0xC2 && r <= 0xF4 }) {
			require.Equal(t, plainly(in), got)
		}
		wellFormed(t, got)
		require.Equal(t, got, clean.Text(got), "clean text stays as it is")
		line := clean.Line(in)
		require.True(t, utf8.ValidString(line))
		require.Equal(t, -1, strings.IndexFunc(line, unicode.IsControl))
		require.Equal(t, line, clean.Line(line))
	})
}

// wellFormed asserts what holds for every text that this package makes.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }), "control character in %q", text)
	require.True(t, norm.NFC.IsNormalString(text), "composed: %q", text)
	require.Equal(t, strings.TrimSpace(text), text)
	for line := range strings.SplitSeq(text, "\n") {
		require.Equal(t, strings.TrimRightFunc(line, unicode.IsSpace), line, "white space at a line's end")
	}
}
